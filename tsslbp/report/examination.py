"""A row that is not consistent with its published one is examined: would more epochs change it, does the network fit its training data?"""

from collections.abc import Mapping, Sequence
from statistics import fmean

from tsslbp.report.numbers import number
from tsslbp.report.origin import Run
from tsslbp.report.rows import ResultRow
from tsslbp.report.studies.variants import shortened


def examinations(rows: Sequence[ResultRow], runs: Mapping[str, Run]) -> tuple[str, ...]:
    """A few sentences for each row in full that is higher or lower than published.

    Args:
        rows: as in the tables.
        runs: the records that they were made from, by model.
    """
    found = [row for row in rows if row.follows_protocol and row.comparison.verdict in ("higher", "lower")]
    return tuple(_examined(row, runs[row.model]) for row in found)


def _examined(row: ResultRow, run: Run) -> str:
    seeds, half = run[0].seeds, max(1, row.epochs // 2)
    chosen = ", ".join(str(epoch) for epoch in sorted(seed.best_epoch for seed in seeds))
    early, late = (fmean(seed.best for seed in shortened(run, {seed.seed for seed in seeds}, end)) for end in (half, row.epochs))
    fits = [seed.history[-1].train_accuracy for seed in seeds]
    return (
        f"{row.model} is {row.comparison.verdict} than published by {number(abs(row.comparison.difference or 0))}. Its seeds are best in epochs "
        f"{chosen} of {row.epochs}; the second half of the epochs raised the mean of the bests from {number(early)} to {number(late)}. In "
        f"the last epoch {number(min(fits))} to {number(max(fits))} % of the training data are classified rightly."
    )
