"""What it is worth to choose the epoch on test data: the two parts of the difference to runs that chose it on held-out samples."""

from collections.abc import Sequence
from dataclasses import dataclass

from tsslbp.report.statistics import PairedDifference, paired_difference
from tsslbp.storage.records import SeedRecord


@dataclass(frozen=True)
class Selection:
    """Paired differences, in points; their sum is the difference of the bests.

    Attributes:
        chosen: within each held-out run, the test accuracy of the epoch that it chose minus that of its best epoch on test data.
        missing: held-out runs minus unchanged ones, each at its best epoch on test data: what the held-out samples are missed for.
    """

    chosen: PairedDifference
    missing: PairedDifference


def selection_of(held_out: Sequence[SeedRecord], unchanged: Sequence[SeedRecord]) -> Selection | None:
    """The two parts, of the same seeds with as many epochs; None where the first held nothing out."""
    if any(epoch.held_out_accuracy is None for seed in held_out for epoch in seed.history):
        return None
    chosen = {seed.seed: seed.best for seed in held_out}
    own, theirs = ({seed.seed: _best_on_test_data(seed) for seed in each} for each in (held_out, unchanged))
    return Selection(paired_difference(chosen, own), paired_difference(own, theirs))


def _best_on_test_data(seed: SeedRecord) -> float:
    return max(epoch.test_accuracy for epoch in seed.history)
