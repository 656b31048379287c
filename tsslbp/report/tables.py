"""The rows as results.csv, ablation.csv, results.md, results.tex and as the short table of the README.

The same rows give the same bytes. The CSV holds full precision; the others show two decimals, like the published tables.
"""

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from statistics import fmean
from typing import Any, TypeVar

from tsslbp.report import render
from tsslbp.report.legend import LEGEND
from tsslbp.report.rows import Row
from tsslbp.report.statistics import VERDICTS, CellCheck, check_published
from tsslbp.report.studies.ablation import Variant, ablation_answers
from tsslbp.report.studies.findings import NO_STUDIES, Studies
from tsslbp.report.studies.recipes import recipe_answers

T = TypeVar("T")


COLUMNS: dict[str, Callable[[Row], Any]] = {
    "dataset": lambda row: row.dataset,
    "model": lambda row: row.model,
    "architecture": lambda row: row.architecture,
    "time_steps": lambda row: row.time_steps,
    "recipe": lambda row: row.recipe,
    "seeds": lambda row: row.seeds,
    "epochs": lambda row: row.epochs,
    "best_mean": lambda row: row.best and row.best.mean,
    "best_std": lambda row: row.best and row.best.std,
    "best_max": lambda row: row.best and row.best.best,
    "best_low": lambda row: row.best and row.best.interval and row.best.interval.low,
    "best_high": lambda row: row.best and row.best.interval and row.best.interval.high,
    "final_mean": lambda row: row.final and row.final.mean,
    "final_std": lambda row: row.final and row.final.std,
    "best_minus_final": lambda row: row.best_minus_final,
    "published_mean": lambda row: row.published.mean,
    "published_std": lambda row: row.published.std,
    "published_best": lambda row: row.published.best,
    "difference": lambda row: row.comparison.difference,
    "difference_low": lambda row: row.comparison.interval and row.comparison.interval.low,
    "difference_high": lambda row: row.comparison.interval and row.comparison.interval.high,
    "verdict": lambda row: row.comparison.verdict,
    "note": lambda row: row.note,
    "data_checksum": lambda row: row.origin.data_checksum,
    "git_commit": lambda row: row.origin.git_commit,
    "device": lambda row: row.origin.device,
    "hours": lambda row: row.origin.hours,
    "versions": lambda row: row.origin.versions,
    "run_ids": lambda row: row.origin.run_ids,
}
"""What results.csv holds of a row. `best_low` and `best_high`: 95 % interval of the mean; `difference_*`: 95 % Welch interval."""


ABLATION_COLUMNS: dict[str, Callable[[Variant], Any]] = {
    "model": lambda variant: variant.like,
    "variant": lambda variant: variant.name,
    "settings": lambda variant: variant.settings,
    "pairs": lambda variant: len(variant.difference.seeds) if variant.difference else 0,
    "difference": lambda variant: variant.difference and variant.difference.mean,
    "difference_low": lambda variant: variant.difference and variant.difference.interval and variant.difference.interval.low,
    "difference_high": lambda variant: variant.difference and variant.difference.interval and variant.difference.interval.high,
    "effect": lambda variant: variant.effect,
}
"""What ablation.csv holds of a variant beside what results.csv holds of a row."""


def results_csv(rows: Sequence[Row], studies: Studies = NO_STUDIES) -> str:
    """One line a model and recipe; accuracies in percent and differences in points, empty where there is no number."""
    recipes = [each.row for each in studies.recipes if not each.from_base]
    lines = [each for row in rows for each in (row, *(other for other in recipes if other.model == row.model))]
    return _csv(COLUMNS, lines)


def ablation_csv(studies: Studies) -> str:
    """One line a variant; accuracies in percent and differences in points, empty where there is no number."""
    measured = ("seeds", "epochs", "best_mean", "best_std", "best_max", "final_mean", "final_std", "data_checksum", "git_commit", "run_ids")
    of_row: dict[str, Callable[[Variant], Any]] = {name: partial(_of_row, COLUMNS[name]) for name in measured}
    return _csv({**ABLATION_COLUMNS, **of_row, "note": lambda variant: variant.note}, studies.ablation)


def _of_row(column: Callable[[Row], Any], variant: Variant) -> Any:
    return column(variant.row)


def _csv(columns: Mapping[str, Callable[[T], Any]], lines: Sequence[T]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(columns)
    # csv writes None as nothing, and a float so that it reads back as the same float
    writer.writerows([column(line) for column in columns.values()] for line in lines)
    return buffer.getvalue()


def results_markdown(rows: Sequence[Row], studies: Studies = NO_STUDIES) -> str:
    """The tables in the published layout, a table a dataset, with legend, notes, studies, checks and origins."""
    return render.markdown("results.md", **context(rows, studies))


def results_tex(rows: Sequence[Row], studies: Studies = NO_STUDIES) -> str:
    r"""The same as LaTeX tables to \input; they need the package booktabs."""
    return render.tex("results.tex", **context(rows, studies))


def context(rows: Sequence[Row], studies: Studies = NO_STUDIES) -> dict[str, Any]:
    """What the templates see."""
    labelled = [*((row.model, row) for row in rows), *studies.labelled()]
    return {
        "rows": rows,
        "datasets": grouped(rows, lambda row: row.dataset_title),
        "answer": answer(rows),
        "checks": published_checks(rows),
        "run_rows": [row for row in rows if row.was_run],
        "with_origin": [(label, row) for label, row in labelled if row.origin.data_checksum],
        "recipes": studies.recipes,
        "recipe_groups": grouped(studies.recipes, lambda each: each.row.model),
        "recipe_answers": recipe_answers(studies.recipes),
        "ablation": studies.ablation,
        "ablation_groups": grouped(studies.ablation, lambda each: each.like),
        "ablation_answers": ablation_answers(studies.ablation),
        "full_rows": [row for row in rows if row.follows_protocol],
        "optimism": _mean(row.best_minus_final for row in rows if row.follows_protocol),
        "legend": LEGEND,
    }


def grouped(items: Iterable[T], key: Callable[[T], str]) -> dict[str, list[T]]:
    """Items by their key, both in the order of first appearance."""
    groups: dict[str, list[T]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups


def published_checks(rows: Sequence[Row]) -> list[tuple[Row, CellCheck]]:
    """The rows whose published mean, stddev and best can be checked against each other, with what came out."""
    checks = ((row, check_published(row.published)) for row in rows)
    return [(row, check) for row, check in checks if check is not None]


def answer(rows: Sequence[Row]) -> tuple[str, str]:
    """Two sentences: what was run, and how that stands to what is published."""
    run = [row for row in rows if row.was_run]
    full = [row for row in run if row.follows_protocol]
    if not run:
        return f"None of the {len(rows)} rows has been run yet.", "The tables show the published numbers alone."
    verb = "was" if len(run) == 1 else "were"
    extent = f"{len(run)} of {len(rows)} rows {verb} run, {len(full) or 'none'} in full"
    missing = ", ".join(row.model for row in rows if not row.was_run)
    not_run = f"; not run: {missing}" if missing else ""
    return f"{extent} (every seed and epoch of the protocol, on all of the data){not_run}.", _agreement(full, run)


def _agreement(full: Sequence[Row], run: Sequence[Row]) -> str:
    if all(row.published.mean is None for row in run):
        return "No mean is published for what was run, so there is nothing to compare with."
    if not any(row.is_compared for row in full):
        return "So none of them can be judged against its published row yet; the tables show how far each is from it."
    groups: dict[str, list[str]] = {
        verdict: [row.model for row in full if row.is_compared and row.comparison.verdict == verdict] for verdict in VERDICTS
    }
    groups["without published runs to compare with"] = [row.model for row in full if not row.is_compared]
    counts = [f"{len(models)} {what} ({', '.join(models)})" for what, models in groups.items() if models]
    return f"Beside the published means, those in full are: {'; '.join(counts)}, by the 95 % Welch interval of the difference."


def _mean(values: Iterable[float | None]) -> float | None:
    numbers = [value for value in values if value is not None]
    return fmean(numbers) if numbers else None
