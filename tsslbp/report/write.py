"""All files of the report, each whole or not at all, into one folder."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from tsslbp.report import tables
from tsslbp.report.figures.recording import FILE_NAME, Recording, load_recording
from tsslbp.report.origin import Run
from tsslbp.report.page import draw_pictures, results_page
from tsslbp.report.rows import Row
from tsslbp.report.studies.findings import NO_STUDIES, Studies
from tsslbp.settings import Settings
from tsslbp.storage.files import whole_file, write_text


def write_reports(settings: Settings, rows: Sequence[Row], runs: Mapping[str, Run], folder: Path, studies: Studies = NO_STUDIES) -> None:
    """Write results.csv, results.md, results.tex, results.html, figures/*.png and, for a pipeline with studies, ablation.csv.

    Args:
        settings: name the experiment.
        rows: as `rows.make_rows` gives them.
        runs: as `runs.read_runs` gives them.
        folder: where to; it is created where it is missing. A recording that lies there is drawn.
        studies: as `studies.make_studies` gives them.
    """
    pictures = draw_pictures(rows, runs, studies, _recording(folder))
    # without runs there are no pictures, but the pipeline expects the folder
    (folder / "figures").mkdir(parents=True, exist_ok=True)
    for picture in (picture for group in pictures.values() for picture in group):
        with whole_file(folder / "figures" / f"{picture.name}.png") as partial:
            partial.write_bytes(picture.png)
    write_text(folder / "results.csv", tables.results_csv(rows, studies))
    write_text(folder / "results.md", tables.results_markdown(rows, studies))
    write_text(folder / "results.tex", tables.results_tex(rows, studies))
    write_text(folder / "results.html", results_page(settings, rows, pictures, studies))
    if studies.ablation:
        write_text(folder / "ablation.csv", tables.ablation_csv(studies))


def _recording(folder: Path) -> Recording | None:
    path = folder / FILE_NAME
    return load_recording(path) if path.exists() else None
