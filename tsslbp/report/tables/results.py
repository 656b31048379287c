"""The columns of the main table: the one list that results.csv, the page, Markdown, LaTeX, the terminal and the README show.

A new column is one entry here and, where rows.py does not know its value yet, a field there.
"""

from collections.abc import Callable, Sequence

from tsslbp.report.numbers import MISSING, compact, mean_interval, number, signed, spread
from tsslbp.report.operations import Operations
from tsslbp.report.rows import ResultRow
from tsslbp.report.statistics import Comparison, Interval, Summary, Verdict
from tsslbp.report.tables.column import BRIEF, DATA, MARKDOWN, PAGE, PAPER, READERS, Cell, Column, Table, grouped
from tsslbp.settings import Published

MARKS: dict[Verdict, str] = {
    "consistent": "●",
    "higher": "▲",
    "lower": "▼",
    "too few samples": "◇",
    "too few runs": "◇",
    "nothing published": "–",
    "not run": "○",
}
WITHOUT_TERMINAL = READERS - {"terminal"}
"""Eighty columns are few."""
WIDE = WITHOUT_TERMINAL - {"latex"}
"""More than nine columns cannot be read on a printed page."""


def numeral(value: float | None) -> Cell:
    """A number with two decimals."""
    return Cell(number(value))


def bracketed(interval: Interval | None, show: Callable[[float], str] = number) -> str:
    """An interval, as "[99.37, 99.46]"; "" for None."""
    return "" if interval is None else f"[{show(interval.low)}, {show(interval.high)}]"


def difference_cell(comparison: Comparison) -> Cell:
    """A difference, and below it its interval."""
    interval = bracketed(comparison.interval, signed)
    return Cell(signed(comparison.difference), (interval,) if interval else ())


def verdict_cell(row: ResultRow) -> Cell:
    """The verdict with its mark, in parentheses where unlike is compared."""
    return Cell(row.judgement, mark=MARKS[row.comparison.verdict], style=row.comparison.verdict.replace(" ", "-"))


def network_cell(row: ResultRow) -> Cell:
    """The model, and below it the network, its time steps and the recipe."""
    return Cell(row.model, (row.architecture, f"T = {row.time_steps}, recipe {row.recipe}"))


def reproduced_cell(row: ResultRow) -> Cell:
    """Mean and stddev, below them the mean's interval and the best."""
    best = row.best
    if best is None:
        return Cell(MISSING)
    return Cell(spread(best), tuple(part for part in (bracketed(best.interval), f"best {number(best.best)}") if part))


def last_epoch_cell(row: ResultRow) -> Cell:
    """Mean and stddev after the last epoch, below them the interval that few test samples mean."""
    sampled = row.sampling
    return Cell(spread(row.final), (f"{sampled.samples:,} samples:", bracketed(sampled.interval)) if sampled else ())


def published_cell(published: Published) -> Cell:
    """Mean and stddev, below them the best."""
    return Cell(spread(published), (f"best {number(published.best)}",) if published.best is not None else ())


def operations_cell(operations: Operations | None) -> Cell:
    """Synaptic operations, below them the dense ones of a first layer that sees a still image."""
    if operations is None:
        return Cell(MISSING)
    return Cell(compact(operations.synaptic), (f"+ {compact(operations.dense)} dense",) if operations.dense else ())


def _spread(numbers: Summary | Published | None) -> Cell:
    return Cell(spread(numbers))


def _spread_interval(numbers: Summary | None) -> Cell:
    return Cell(spread(numbers), (bracketed(numbers.interval),) if numbers and numbers.interval else ())


def _mean_interval(numbers: Summary | None) -> Cell:
    return Cell(mean_interval(numbers))


Columns = tuple[Column[ResultRow], ...]

RESULTS: Columns = (
    Column("dataset", "", lambda row: row.dataset, formats=DATA),
    Column("network", "Network", lambda row: row, network_cell, READERS),
    Column("model", "", lambda row: row.model, formats=DATA),
    Column("architecture", "", lambda row: row.architecture, formats=DATA),
    Column("time_steps", "", lambda row: row.time_steps, formats=DATA),
    Column("recipe", "", lambda row: row.recipe, formats=DATA),
    Column("study", "", lambda row: row.study, formats=DATA),
    Column("settings", "", lambda row: row.variant or None, formats=DATA),
    Column("seeds", "", lambda row: row.seeds, formats=DATA),
    Column("epochs", "", lambda row: row.epochs, formats=DATA),
    Column("published", "Published", lambda row: row.published, _spread, frozenset({"terminal", "latex"})),
    Column("published_mean", "Published mean", lambda row: row.published.mean, numeral, MARKDOWN | DATA, "number"),
    Column("published_std", "Stddev", lambda row: row.published.std, numeral, MARKDOWN | DATA, "number"),
    Column("published_best", "Best", lambda row: row.published.best, numeral, PAPER | DATA, "number"),
    Column("reproduced", "Reproduced", lambda row: row, reproduced_cell, BRIEF),
    Column("reproduced_mean", "Reproduced mean", lambda row: row.best, _mean_interval, MARKDOWN, "number"),
    Column("reproduced_paper", "Reproduced", lambda row: row.best, _spread_interval, frozenset({"latex"})),
    Column("best_mean", "", lambda row: row.best and row.best.mean, formats=DATA),
    Column("best_std", "Stddev", lambda row: row.best and row.best.std, numeral, MARKDOWN | DATA, "number"),
    Column("best_max", "Best", lambda row: row.best and row.best.best, numeral, PAPER | DATA, "number"),
    Column("best_low", "", lambda row: row.best and row.best.interval and row.best.interval.low, formats=DATA),
    Column("best_high", "", lambda row: row.best and row.best.interval and row.best.interval.high, formats=DATA),
    Column("sampling_low", "", lambda row: row.sampling and row.sampling.interval.low, formats=DATA),
    Column("sampling_high", "", lambda row: row.sampling and row.sampling.interval.high, formats=DATA),
    Column("estimate", "Difference", lambda row: row.comparison, difference_cell, WITHOUT_TERMINAL),
    Column("difference", "", lambda row: row.comparison.difference, formats=DATA),
    Column("difference_low", "", lambda row: row.comparison.interval and row.comparison.interval.low, formats=DATA),
    Column("difference_high", "", lambda row: row.comparison.interval and row.comparison.interval.high, formats=DATA),
    Column("judgement", "Verdict", lambda row: row, verdict_cell, READERS),
    Column("verdict", "", lambda row: row.comparison.verdict, formats=DATA),
    Column("published_page", "Published", lambda row: row.published, published_cell, BRIEF - {"terminal"}),
    Column("last_epoch", "Last epoch", lambda row: row, last_epoch_cell, BRIEF - {"terminal"}),
    Column("last_epoch_paper", "Last epoch", lambda row: row.final, _spread, frozenset({"latex"})),
    Column("final_mean", "Last epoch mean", lambda row: row.final and row.final.mean, numeral, MARKDOWN | DATA, "number"),
    Column("final_std", "Stddev", lambda row: row.final and row.final.std, numeral, MARKDOWN | DATA, "number"),
    Column(
        "best_minus_final",
        "Best − last",
        lambda row: row.best_minus_final,
        lambda value: Cell(signed(value)),
        MARKDOWN | PAGE | DATA,
        "number",
    ),
    Column("operations", "SynOps", lambda row: row.operations, operations_cell, WIDE, "number"),
    Column("synaptic_operations", "", lambda row: row.operations and row.operations.synaptic, formats=DATA),
    Column("dense_operations", "", lambda row: row.operations and row.operations.dense, formats=DATA),
    Column("extent", "Seeds × epochs", lambda row: row.extent, formats=READERS),
    Column("note", "", lambda row: row.note, formats=DATA),
    Column("data_checksum", "", lambda row: row.origin.data_checksum, formats=DATA),
    Column("code_digest", "", lambda row: row.origin.code, formats=DATA),
    Column("present_code", "", lambda row: row.origin.is_present_code, formats=DATA),
    Column("git_commit", "", lambda row: row.origin.git_commit, formats=DATA),
    Column("device", "", lambda row: row.origin.device, formats=DATA),
    Column("hours", "", lambda row: row.origin.hours, formats=DATA),
    Column("versions", "", lambda row: row.origin.versions, formats=DATA),
    Column("run_ids", "", lambda row: row.origin.run_ids, formats=DATA),
)
"""95 % intervals: `best_*` of the mean over seeds; `sampling_*` of what few test samples mean, see sampling.py; `difference_*` Welch's. In percent."""


def results_table(rows: Sequence[ResultRow]) -> Table[ResultRow]:
    """The main table: the rows by their dataset."""
    return Table(
        name="results",
        caption="Test accuracy in percent: reproduced (best epoch of each run, as published) beside published.",
        columns=RESULTS,
        groups=grouped(rows, lambda row: row.dataset_title),
        group="Dataset",
        note=lambda row: row.note,
        is_faint=lambda row: not row.was_run,
    )
