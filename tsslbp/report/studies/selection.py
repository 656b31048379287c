"""What it is worth to choose the epoch on test data: the two parts of the difference to runs that chose it on held-out samples."""

from dataclasses import dataclass

from tsslbp.report.origin import Run
from tsslbp.report.statistics import PairedDifference, paired_difference
from tsslbp.storage.records import SeedRecord


@dataclass(frozen=True)
class Selection:
    """Paired differences, in points. With as many epochs on both sides, their sum is the difference of the bests.

    Attributes:
        chosen: within each held-out run, the test accuracy of the epoch that it chose minus that of its best epoch on test data.
        missing: held-out runs minus unchanged ones, each at its best epoch on test data: what the held-out samples are missed for.
    """

    chosen: PairedDifference
    missing: PairedDifference


def selection_of(run: Run | None, reference: Run | None) -> Selection | None:
    """The two parts; None where the run held nothing out, or one of the two runs is not there.

    Raises:
        ValueError: they have no seed in common.
    """
    if run is None or reference is None or not any(epoch.held_out_accuracy is not None for seed in run[0].seeds for epoch in seed.history):
        return None
    chosen = {seed.seed: seed.best for seed in run[0].seeds}
    own, theirs = ({seed.seed: _best_on_test_data(seed) for seed in each[0].seeds} for each in (run, reference))
    return Selection(paired_difference(chosen, own), paired_difference(own, theirs))


def _best_on_test_data(seed: SeedRecord) -> float:
    return max(epoch.test_accuracy for epoch in seed.history)
