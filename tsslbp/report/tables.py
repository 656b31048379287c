"""The rows as results.csv, results.md, results.tex and as the short table of the README.

The same rows give the same bytes. The CSV holds full precision; the others show two decimals, like the published tables.
"""

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from statistics import fmean
from typing import Any

from tsslbp.report import render
from tsslbp.report.legend import LEGEND
from tsslbp.report.rows import Row
from tsslbp.report.statistics import CellCheck, check_published

README_BEGIN, README_END = "<!-- results:begin -->", "<!-- results:end -->"

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
}
"""What results.csv holds of a row. `best_low` and `best_high`: 95 % interval of the mean; `difference_*`: 95 % Welch interval."""


def results_csv(rows: Sequence[Row]) -> str:
    """One line a model; accuracies in percent and differences in points, empty where there is no number."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(COLUMNS)
    # csv writes None as nothing, and a float so that it reads back as the same float
    writer.writerows([column(row) for column in COLUMNS.values()] for row in rows)
    return buffer.getvalue()


def results_markdown(rows: Sequence[Row]) -> str:
    """The tables in the published layout, a table a dataset, with legend, notes, checks and origins."""
    return render.markdown("results.md", **context(rows))


def results_tex(rows: Sequence[Row]) -> str:
    r"""The same as two LaTeX tables to \input; they need the package booktabs."""
    return render.tex("results.tex", **context(rows))


def readme_table(rows: Sequence[Row]) -> str:
    """A short Markdown table of the rows, without the README's markers."""
    return render.markdown("readme.md", **context(rows)).strip()


def splice_readme(readme: str, table: str) -> str:
    """The README with `table` between its two markers, which stay.

    Raises:
        ValueError: a marker is missing, stands there twice, or the end comes before the beginning.
    """
    if readme.count(README_BEGIN) != 1 or readme.count(README_END) != 1 or readme.index(README_BEGIN) > readme.index(README_END):
        raise ValueError(f"expected {README_BEGIN} and after it {README_END}, once each; put the two lines where the table belongs")
    before, rest = readme.split(README_BEGIN)
    after = rest.split(README_END)[1]
    return f"{before}{README_BEGIN}\n{table}\n{README_END}{after}"


def context(rows: Sequence[Row]) -> dict[str, Any]:
    """What the templates see."""
    return {
        "rows": rows,
        "datasets": by_dataset(rows),
        "answer": answer(rows),
        "checks": published_checks(rows),
        "run_rows": [row for row in rows if row.was_run],
        "with_origin": [row for row in rows if row.origin.data_checksum],
        "full_rows": [row for row in rows if row.follows_protocol],
        "optimism": _mean(row.best_minus_final for row in rows if row.follows_protocol),
        "legend": LEGEND,
    }


def by_dataset(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Rows by the title of their dataset, both in the order of first appearance."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.dataset_title, []).append(row)
    return groups


def published_checks(rows: Sequence[Row]) -> list[tuple[Row, CellCheck]]:
    """The rows whose published mean, stddev and best can be checked against each other, with what came out."""
    checks = ((row, check_published(row.published)) for row in rows)
    return [(row, check) for row, check in checks if check is not None]


def answer(rows: Sequence[Row]) -> tuple[str, str]:
    """Two sentences: how much was run, and how that stands to what is published."""
    run = [row for row in rows if row.was_run]
    full = [row for row in run if row.follows_protocol]
    if not run:
        return f"None of the {len(rows)} rows has been run yet.", "The tables show the published numbers alone."
    verb = "was" if len(run) == 1 else "were"
    extent = f"{len(run)} of {len(rows)} rows {verb} run, {len(full) or 'none'} in full"
    return f"{extent} (every seed and epoch of the protocol, on all of the data).", _agreement(full, run)


def _agreement(full: Sequence[Row], run: Sequence[Row]) -> str:
    if all(row.published.mean is None for row in run):
        return "No mean is published for what was run, so there is nothing to compare with."
    compared = [row.comparison.verdict for row in full if row.is_compared]
    if not compared:
        return "So none of them can be judged against its published row yet; the tables show how far each is from it."
    counts = [f"{compared.count(verdict)} {verdict}" for verdict in ("consistent", "higher", "lower") if verdict in compared]
    if len(compared) < len(full):
        counts.append(f"{len(full) - len(compared)} without published runs to compare with")
    return f"Beside the published means, those in full are: {', '.join(counts)} (by the 95 % Welch interval of the difference)."


def _mean(values: Iterable[float | None]) -> float | None:
    numbers = [value for value in values if value is not None]
    return fmean(numbers) if numbers else None
