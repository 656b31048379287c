"""All files of the report, each whole or not at all, into one folder."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from tsslbp.figures import animation
from tsslbp.figures.raster import Raster
from tsslbp.figures.raster_file import FILE_NAME, load_raster
from tsslbp.report import texts
from tsslbp.report.gallery import draw_pictures, is_picture
from tsslbp.report.origin import Run
from tsslbp.report.page import results_page
from tsslbp.report.rows import ResultRow
from tsslbp.report.studies.findings import NO_STUDIES, Studies
from tsslbp.storage.files import whole_file, write_text


def write_reports(
    experiment: str,
    rows: Sequence[ResultRow],
    runs: Mapping[str, Run],
    folder: Path,
    studies: Studies = NO_STUDIES,
    repository: str | None = None,
) -> None:
    """Write results.csv, results.md, results.tex, results.html, confusion.csv, figures/* and, for a pipeline with studies, ablation.csv.

    Args:
        experiment: its name.
        rows: as `rows.make_rows` gives them.
        runs: as `origin.read_runs` gives them.
        folder: where to; it is created where it is missing. A raster that lies there is drawn.
        studies: as `findings.make_studies` gives them.
        repository: where the code is, for a link: a URL or a path from `folder` on.
    """
    raster = _raster(folder)
    pictures = draw_pictures(rows, runs, studies, raster)
    # without runs there are no pictures, but the pipeline expects the folder
    (folder / "figures").mkdir(parents=True, exist_ok=True)
    images = {f"{picture.name}.png": picture.png for group in pictures.values() for picture in group}
    if raster is not None and raster.layers:
        images[animation.NAME] = animation.draw_animation(raster)
    _write_images(folder / "figures", images)
    write_text(folder / "results.csv", texts.results_csv(rows, studies))
    write_text(folder / "results.md", texts.results_markdown(rows, studies))
    write_text(folder / "results.tex", texts.results_tex(rows, studies))
    write_text(folder / "results.html", results_page(experiment, rows, pictures, studies, repository))
    write_text(folder / "confusion.csv", texts.confusion_csv(rows, runs))
    if studies.ablation:
        write_text(folder / "ablation.csv", texts.ablation_csv(studies))


def _write_images(folder: Path, images: Mapping[str, bytes]) -> None:
    """Write the pictures, and remove those of models that are gone; what else a user keeps in the folder stays."""
    for name, data in images.items():
        with whole_file(folder / name) as partial:
            partial.write_bytes(data)
    for path in folder.iterdir():
        if (is_picture(path.name) or path.name == animation.NAME) and path.name not in images:
            path.unlink()


def _raster(folder: Path) -> Raster | None:
    path = folder / FILE_NAME
    return load_raster(path) if path.exists() else None
