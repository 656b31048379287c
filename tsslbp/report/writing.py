"""All files of the report, each whole or not at all, into one folder."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from tsslbp.config import Settings
from tsslbp.files import whole_file, write_text
from tsslbp.report import tables
from tsslbp.report.page import draw_pictures, results_page
from tsslbp.report.rows import Row
from tsslbp.report.runs import Run


def write_reports(settings: Settings, rows: Sequence[Row], runs: Mapping[str, Run], folder: Path) -> None:
    """Write results.csv, results.md, results.tex, results.html and figures/*.png.

    Args:
        settings: name the experiment.
        rows: as `rows.make_rows` gives them.
        runs: as `runs.read_runs` gives them.
        folder: where to; it is created where it is missing.
    """
    pictures = draw_pictures(rows, runs)
    # without runs there are no pictures, but the pipeline expects the folder
    (folder / "figures").mkdir(parents=True, exist_ok=True)
    for picture in (picture for group in pictures.values() for picture in group):
        with whole_file(folder / "figures" / f"{picture.name}.png") as partial:
            partial.write_bytes(picture.png)
    write_text(folder / "results.csv", tables.results_csv(rows))
    write_text(folder / "results.md", tables.results_markdown(rows))
    write_text(folder / "results.tex", tables.results_tex(rows))
    write_text(folder / "results.html", results_page(settings, rows, pictures))
