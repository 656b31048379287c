"""Rows whose epochs have only begun: whether the network learns at all, from its own curves; nothing published stands beside them."""

from collections.abc import Callable, Mapping, Sequence
from statistics import fmean

from tsslbp.report.examination import hindrances
from tsslbp.report.numbers import number
from tsslbp.report.origin import Run
from tsslbp.report.rows import ResultRow
from tsslbp.report.sampling import sampling
from tsslbp.storage.records import Epoch, ModelRecord, SeedRecord


def beginnings(rows: Sequence[ResultRow], runs: Mapping[str, Run]) -> tuple[str, ...]:
    """A few sentences for each row of which no seed ran all epochs of the protocol, but one ran two at least.

    Args:
        rows: as in the tables.
        runs: the records that they were made from, by model.
    """
    begun = [row for row in rows if row.was_run and row.epochs >= 2 and row.longest < row.protocol_epochs]
    return tuple(_begun(row, runs[row.model]) for row in begun)


def _begun(row: ResultRow, run: Run) -> str:
    seeds, record = row.counted(run), run[0]
    older = f" ({'; '.join(row.outdated)})" if row.outdated else ""
    return (
        f"{row.model}, {row.extent}{older}: between epoch 1 and the last, {_went(seeds, lambda epoch: epoch.train_accuracy, '')} % of the "
        f"training samples were classified rightly, as the weights changed{hindrances(record)}{_beside_a_guess(record, seeds)}. "
        f"Test accuracy went {_went(seeds, lambda epoch: epoch.test_accuracy)} %{_waking(seeds)}."
    )


def _went(seeds: Sequence[SeedRecord], of: Callable[[Epoch], float], first: str = "from ") -> str:
    """The mean over the seeds in the first and in the last epoch."""
    return f"{first}{number(fmean(of(seed.history[0]) for seed in seeds))} to {number(fmean(of(seed.history[-1]) for seed in seeds))}"


def _beside_a_guess(record: ModelRecord, seeds: Sequence[SeedRecord]) -> str:
    """The last of these shares with its interval, and what a guess would have; "" where an old record does not tell how many classes."""
    if not record.data.classes or not record.data.train_samples:
        return ""
    last = fmean(seed.history[-1].train_accuracy for seed in seeds)
    interval = sampling(last, record.data.train_samples).interval
    guess = number(100 / record.data.classes)
    return f" (the last of {record.data.train_samples:,} samples: [{number(interval.low)}, {number(interval.high)}]; a guess: {guess})"


def _waking(seeds: Sequence[SeedRecord]) -> str:
    """When the output layer of the latest seed first fired on test data, where that was not in its first epoch; "" where none was silent, or none says."""
    if not all(epoch.firing_rates for seed in seeds for epoch in seed.history):
        return ""
    first = [next((epoch.epoch for epoch in seed.history if epoch.firing_rates[-1] > 0), None) for seed in seeds]
    if None in first:
        return "; an output layer has not fired on test data yet"
    latest = max(epoch for epoch in first if epoch is not None)
    return f"; the output layer did not fire on test data before epoch {latest}" if latest > 1 else ""
