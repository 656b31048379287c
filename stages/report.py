"""Stage `report`: what the training runs measured -> tables, figures and one page.

python -m stages.report
python -m stages.report --readme README.md docs/findings.md
"""

import argparse
import os
import tomllib
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from stages.common import load_studies, run, tracking_folder, weights_of
from stages.conditions import warn_of_outdated_meaning
from stages.tracking_context import model_context
from tsslbp.settings import Settings

if TYPE_CHECKING:
    from tsslbp.report.origin import Run
    from tsslbp.report.rows import ResultRow
    from tsslbp.report.studies.findings import Studies


def main(settings: Settings, options: argparse.Namespace) -> None:
    """Read the records, compare them with MLflow, write the report; renew the parts of other documents on request."""
    from tsslbp.report.origin import read_runs
    from tsslbp.report.rows import make_rows
    from tsslbp.report.studies.findings import make_studies
    from tsslbp.report.write import write_reports

    warn_of_outdated_meaning(options.params, settings)
    runs = read_runs(settings, settings.folders.runs)
    rows = make_rows(settings, runs)
    if options.show:
        _show(rows)
        return
    files = load_studies(options.params)
    studies = {path.parent.name: (study, read_runs(study, study.folders.runs)) for path, study in files.items()}
    for params, (pipeline, measured) in zip((options.params, *files), ((settings, runs), *studies.values()), strict=True):
        agree_with_mlflow(pipeline, measured, params)
    found = make_studies(studies, settings, runs)
    folder = settings.folders.reports
    write_reports(settings.experiment, rows, runs, folder, found, repository_link(Path(), folder))
    _show(rows)
    print(f"written: {folder}/results.html, .md, .tex, .csv and figures/")
    for path in options.readme:
        update_document(path, rows, found)


def repository_link(root: Path, reports: Path) -> str | None:
    """Where the code is: the URL that pyproject.toml in `root` names, otherwise its README, as a path from `root / reports` on.

    Args:
        root: the folder of the project.
        reports: where the page will lie, relative to `root`.

    Returns:
        None where there is neither.
    """
    project = root / "pyproject.toml"
    urls = tomllib.loads(project.read_text(encoding="utf-8")).get("project", {}).get("urls", {}) if project.exists() else {}
    if url := next((url for name, url in urls.items() if name.lower() in ("repository", "source", "homepage")), None):
        return str(url)
    return Path(os.path.relpath(root / "README.md", root / reports)).as_posix() if (root / "README.md").exists() else None


def agree_with_mlflow(settings: Settings, runs: Mapping[str, "Run"], params: Path) -> None:
    """Log the runs that MLflow does not know yet as this checkout's, then refuse numbers in which it and the records differ."""
    from tsslbp.report.rows import make_rows
    from tsslbp.tracking import import_records, tracking_store, verify

    if not runs:
        return
    store = tracking_store(tracking_folder(settings, params), os.environ.get("MLFLOW_TRACKING_URI"))
    contexts = {row.model: model_context(settings, params, row.model, row.judgement) for row in make_rows(settings, runs)}
    import_records(store, list(runs.values()), partial(weights_of, settings), contexts)
    verify(store, [record for record, _ in runs.values()])


def update_document(path: Path, rows: Sequence["ResultRow"], studies: "Studies") -> None:
    """Put the report's parts between the markers of a document; one without any place for them is a ValueError."""
    from tsslbp.report.readme import readme_parts, splice
    from tsslbp.storage.files import write_text

    try:
        text = splice(path.read_text(encoding="utf-8"), readme_parts(rows, studies))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    write_text(path, text)
    print(f"written: the report's parts in {path}")


def _show(rows: Sequence["ResultRow"]) -> None:
    """The short table on the screen."""
    from rich.console import Console

    from tsslbp.report.answers import answer
    from tsslbp.report.tables.formats import terminal_table
    from tsslbp.report.tables.results import results_table

    console = Console(highlight=False, markup=False)
    console.print(terminal_table(results_table(rows)))
    console.print(" ".join(answer(rows)).strip())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m stages.report", description="Tables, figures and a page from the training runs.")
    parser.add_argument(
        "--readme",
        type=Path,
        metavar="FILE",
        nargs="+",
        action="extend",
        default=[],
        help="also renew what stands between the markers of these files",
    )
    parser.add_argument("--show", action="store_true", help="only print the short table; write nothing")
    run(main, parser)
