"""Stage `report`: what the training runs measured -> tables, figures and one page.

python -m stages.report
python -m stages.report --readme README.md docs/findings.md
"""

import argparse
import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from stages.common import load_studies, report_command, run, tracking_folder, weights_of
from stages.conditions import warn_of_outdated_meaning
from stages.tracking_context import model_context
from tsslbp.settings import Settings, SettingsError

if TYPE_CHECKING:
    from tsslbp.report.origin import IsPresent, Run
    from tsslbp.report.rows import ResultRow
    from tsslbp.report.studies.findings import Studies
    from tsslbp.storage.records import ModelRecord, Provenance


@dataclass(frozen=True)
class Gathered:
    """What a pipeline and its studies have measured.

    Attributes:
        pipelines: settings and runs of the pipeline, then of its studies, by their settings' file.
        rows: of the pipeline.
        studies: what its studies found.
    """

    pipelines: "Mapping[Path, tuple[Settings, Mapping[str, Run]]]"
    rows: "Sequence[ResultRow]"
    studies: "Studies"

    @property
    def runs(self) -> "Mapping[str, Run]":
        """The pipeline's own."""
        return next(iter(self.pipelines.values()))[1]


def main(settings: Settings, options: argparse.Namespace) -> None:
    """Read the records, compare them with MLflow, write the report; renew the parts of other documents on request."""
    from tsslbp.report.write import write_reports

    if settings.base is not None:
        raise SettingsError(f"{options.params}: a study has no report of its own; {report_command(settings, options.params)} shows it")
    warn_of_outdated_meaning(options.params, settings)
    found = gather(options.params, settings)
    if options.show:
        _show(found.rows)
        return
    for params, (pipeline, runs) in found.pipelines.items():
        agree_with_mlflow(pipeline, runs, params)
    folder = settings.folders.reports
    write_reports(settings.experiment, found.rows, found.runs, folder, found.studies, repository_link(Path(), folder))
    _show(found.rows)
    print(f"written: {folder}/results.html, .md, .tex, .csv and figures/")
    for path in options.readme:
        update_document(path, found)


def gather(params: Path, settings: Settings, root: Path = Path()) -> Gathered:
    """Read the records of a pipeline and of its studies, and make their rows.

    Args:
        params: the pipeline's settings file.
        settings: what it says.
        root: the folder that the settings' folders are relative to.
    """
    from tsslbp.report.origin import read_runs
    from tsslbp.report.rows import make_rows
    from tsslbp.report.studies.findings import make_studies

    pipelines = {
        path: (each, read_runs(each, root / each.folders.runs)) for path, each in {params: settings, **load_studies(params)}.items()
    }
    runs, is_present = pipelines[params][1], present_code()
    studies = {path.parent.name: found for path, found in pipelines.items() if path != params}
    return Gathered(pipelines, make_rows(settings, runs, is_present), make_studies(studies, settings, runs, is_present))


def present_code() -> "IsPresent":
    """A judge of whether records are of today's code; it remembers what it has judged, as reading the code takes a tenth of a second."""
    from tsslbp.storage.meaning import is_present

    known: dict[tuple[object, ...], bool] = {}

    def judge(record: "ModelRecord", provenance: "Provenance") -> bool:
        name = (record.code, record.settings["loss"]["kind"], *(seed.device for seed in provenance.seeds))
        if name not in known:
            known[name] = is_present(record, provenance)
        return known[name]

    return judge


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


def update_document(path: Path, found: Gathered) -> None:
    """Put the report's parts between the markers of a document; one without any place for them is a ValueError."""
    from tsslbp.report.readme import readme_parts, splice
    from tsslbp.storage.files import write_text

    try:
        text = splice(path.read_text(encoding="utf-8"), readme_parts(found.rows, found.studies, found.runs))
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
