"""Everything that one run measured, and the questions that tables, claims and charts ask of it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchmarks.cases import LayerCase, NetworkCase, Sweep
from benchmarks.machine import Conditions
from benchmarks.measurement import Measurement, Trial
from benchmarks.roster import Entry
from benchmarks.row_of_table import RowTime
from tsslbp.figures.canvas import Picture


@dataclass(frozen=True)
class Results:
    """Everything that was measured in one run."""

    conditions: Conditions
    measurements: Sequence[Measurement]
    trials: Sequence[Trial] = ()
    sweeps: Sequence[Sweep] = ()
    row: RowTime | None = None
    shortened: bool = False
    pictures: Sequence[Picture] = ()

    def find(self, case: str, entry: Entry, mode: str = "train") -> Measurement | None:
        """Find a measurement with seconds; None: there is none."""
        wanted = (case, entry.name, mode)
        return next((m for m in self.measurements if (m.case.name, m.entry.name, m.mode) == wanted and m.seconds), None)

    def fastest(self, case: str, entries: Iterable[Entry], mode: str = "train") -> Measurement | None:
        """Of several implementations, find the one with the smallest median."""
        there = [m for entry in entries if (m := self.find(case, entry, mode))]
        return min(there, key=lambda m: m.median, default=None)

    @property
    def cases(self) -> list[NetworkCase | LayerCase]:
        """The cases apart from the sweeps', in the order in which they were measured."""
        swept = {case.name for sweep in self.sweeps for _, case in sweep.points}
        return list({m.case.name: m.case for m in self.measurements if m.case.name not in swept}.values())

    @property
    def networks(self) -> list[NetworkCase]:
        """The networks of the settings."""
        return [case for case in self.cases if isinstance(case, NetworkCase)]

    @property
    def layers(self) -> list[LayerCase]:
        """The public case."""
        return [case for case in self.cases if isinstance(case, LayerCase)]

    @property
    def disturbed(self) -> list[Measurement]:
        """The measurements with turns that stayed disturbed, however often they were repeated."""
        return [m for m in self.measurements if m.disturbed]


def times(slow: Measurement | None, fast: Measurement | None) -> float | None:
    """How many times as long the first takes; None: one is missing."""
    return slow.median / fast.median if slow and fast else None
