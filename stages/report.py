"""Stage `report`: what the training runs measured -> tables, figures and one page.

python -m stages.report
python -m stages.report --readme README.md
"""

import argparse
import os
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from stages.common import run, tracking_folder, weights_of
from stages.conditions import warn_of_outdated_meaning
from stages.studies import load_studies
from tsslbp.settings import Settings

if TYPE_CHECKING:
    from tsslbp.report.origin import Run
    from tsslbp.report.rows import Row
    from tsslbp.report.studies.findings import Studies


def main(settings: Settings, options: argparse.Namespace) -> None:
    """Read the records, compare them with MLflow, write the report; put its short table into a README on request."""
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
    studies = {path.parent.name: (study, read_runs(study, study.folders.runs)) for path, study in load_studies(options.params).items()}
    for pipeline, measured in ((settings, runs), *studies.values()):
        agree_with_mlflow(pipeline, measured, tracking_folder(pipeline, options.params))
    found = make_studies(studies, settings, runs)
    write_reports(settings, rows, runs, settings.folders.reports, found)
    _show(rows)
    print(f"written: {settings.folders.reports}/results.html, .md, .tex, .csv and figures/")
    if options.readme:
        update_readme(options.readme, rows, found)


def agree_with_mlflow(settings: Settings, runs: Mapping[str, "Run"], folder: Path) -> None:
    """Log the runs that MLflow does not know yet, then refuse numbers in which it and the records differ."""
    from tsslbp.tracking import import_records, tracking_store, verify

    if not runs:
        return
    store = tracking_store(folder, os.environ.get("MLFLOW_TRACKING_URI"))
    import_records(store, list(runs.values()), partial(weights_of, settings))
    verify(store, [record for record, _ in runs.values()])


def update_readme(path: Path, rows: Sequence["Row"], studies: "Studies") -> None:
    """Put the report's parts between the README's markers; a README without the table's is a ValueError."""
    from tsslbp.report.readme import readme_parts, splice
    from tsslbp.storage.files import write_text

    try:
        text = splice(path.read_text(encoding="utf-8"), readme_parts(rows, studies))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    write_text(path, text)
    print(f"written: the table in {path}")


def _show(rows: Sequence["Row"]) -> None:
    """The short table on the screen."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    from tsslbp.report.render import spread
    from tsslbp.report.tables import answer

    table = Table("model", "published", "reproduced", "verdict", "seeds × epochs", box=SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        table.add_row(row.model, spread(row.published), spread(row.best), row.judgement, row.extent)
    for column in table.columns[:-1]:
        column.no_wrap = True
    console = Console(highlight=False, markup=False)
    console.print(table)
    console.print(" ".join(answer(rows)))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m stages.report", description="Tables, figures and a page from the training runs.")
    parser.add_argument("--readme", type=Path, metavar="FILE", help="also renew what stands between the markers of this file")
    parser.add_argument("--show", action="store_true", help="only print the short table; write nothing")
    run(main, parser)
