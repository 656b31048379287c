"""Pairs of runs of one seed, a variant's and the unchanged one: which there are, how they differ, and what differs that should not."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from operator import attrgetter

from tsslbp.report.departures import names_settings
from tsslbp.report.origin import Run, library_of
from tsslbp.report.rows import ResultRow
from tsslbp.report.statistics import PairedDifference, paired_difference
from tsslbp.report.studies.selection import Selection, selection_of
from tsslbp.report.studies.variants import shortened
from tsslbp.storage.records import ModelRecord, SeedProvenance, SeedRecord

ROUNDING_LIBRARIES = ("torch", "numpy", "numba")
"""Other versions of these may add in another order."""


@dataclass(frozen=True)
class Side:
    """A run, and its row in the tables: it says which of the run's seeds count."""

    run: Run
    row: ResultRow


@dataclass(frozen=True)
class Pairs:
    """A variant minus the unchanged model, seed by seed, over the seeds and epochs that both have; test accuracies, in points.

    Attributes:
        epochs: how many; a longer run would have more to choose the best from.
        best: at each seed's best epoch.
        quarter: of the epochs, at least one.
        early: at the best epoch of the first quarter: a difference in speed shows here.
        last: after the last epoch, where nothing is chosen.
        selection: the parts of `best`, where the variant chooses its epoch on held-out samples.
    """

    epochs: int
    quarter: int
    best: PairedDifference
    early: PairedDifference
    last: PairedDifference
    selection: Selection | None

    @property
    def looks(self) -> tuple[PairedDifference, PairedDifference, PairedDifference]:
        """What is told of all pairs; each look is one more chance that an interval excludes 0 for no reason."""
        return self.early, self.best, self.last

    @property
    def differences(self) -> tuple[PairedDifference, ...]:
        """All that is told of the variant beside the unchanged model: the looks, and the part of the best one that compares the two."""
        return (*self.looks, self.selection.missing) if self.selection else self.looks


def pairs_of(own: Side, theirs: Side) -> Pairs | None:
    """The pairs of the seeds that count in a variant's row; None where there is none."""
    seeds, epochs = _extent(own, theirs)
    if not epochs:
        return None

    def difference(length: int, accuracy: Callable[[SeedRecord], float]) -> PairedDifference:
        ours, others = ({seed.seed: accuracy(seed) for seed in shortened(side.run, seeds, length)} for side in (own, theirs))
        return paired_difference(ours, others)

    best, last, quarter = attrgetter("best"), attrgetter("final"), max(1, epochs // 4)
    selection = selection_of(*(shortened(side.run, seeds, epochs) for side in (own, theirs)))
    return Pairs(epochs, quarter, difference(epochs, best), difference(quarter, best), difference(epochs, last), selection)


def _extent(own: Side, theirs: Side) -> tuple[Collection[int], int]:
    """The seeds of the pairs, and the epochs that all of them have.

    A seed that has just begun would cut all others to its few epochs. On the variant's side its row leaves it out already; on the other
    side it is left out where some seeds are as long as the variant's.
    """
    counted = {seed.seed: len(seed.history) for seed in own.row.counted(own.run)}
    there = {seed.seed: len(seed.history) for seed in theirs.run[0].seeds if seed.seed in counted}
    least = min((counted[seed] for seed in there), default=0)
    seeds = {seed for seed, epochs in there.items() if epochs >= least} or set(there)
    return seeds, min((min(counted[seed], there[seed]) for seed in seeds), default=0)


def unlike(own: Side, theirs: Side, seeds: Collection[int]) -> tuple[str, ...]:
    """What differs between the two sides of some pairs although it should not, in words."""
    of_run, of_seeds = (own.run[0], theirs.run[0]), _both(own, theirs, seeds)
    differs = {
        "data": not _same_data(*of_run),
        "code": of_run[0].code != of_run[1].code,
        "processor": any(one.device != other.device for one, other in of_seeds),
        "library of products": any(len({library_of(one), library_of(other)} - {""}) > 1 for one, other in of_seeds),
        "number of threads": any(one.threads != other.threads for one, other in of_seeds if one.device.startswith("cpu")),
        "version of PyTorch, NumPy or Numba": any(_versions(one) != _versions(other) for one, other in of_seeds),
    }
    found = [f"other {what} than the unchanged runs" for what, is_so in differs.items() if is_so]
    return (*found, *(f"the unchanged runs are of {others}" for others in filter(names_settings, theirs.row.departures)))


def _both(own: Side, theirs: Side, seeds: Collection[int]) -> list[tuple[SeedProvenance, SeedProvenance]]:
    ours, others = ({seed.seed: seed for seed in side.run[1].seeds} for side in (own, theirs))
    return [(ours[seed], others[seed]) for seed in seeds if seed in ours and seed in others]


def _same_data(one: ModelRecord, other: ModelRecord) -> bool:
    """Whether the raw files are the same and, where both records know them, the arrays that were made from these."""
    known = one.data.arrays and other.data.arrays
    return one.data.checksum == other.data.checksum and (not known or one.data.arrays == other.data.arrays)


def _versions(seed: SeedProvenance) -> list[str | None]:
    return [seed.versions.get(name) for name in ROUNDING_LIBRARIES]
