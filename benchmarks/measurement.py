"""What is measured, as data."""

import statistics
from dataclasses import dataclass

from benchmarks.cases import Case
from benchmarks.roster import Entry
from benchmarks.worker import Findings


@dataclass(frozen=True)
class Measurement:
    """What one contestant did in one case.

    Attributes:
        case: what was measured.
        entry: who.
        mode: `"train"` or `"infer"`.
        seconds: of a step, one value a repetition, each the mean of `steps` steps.
        steps: steps a repetition.
        setting: of a peer, in words.
        found: memory, firing rates, source of the samples; None where it failed.
        note: why there are no seconds.
    """

    case: Case
    entry: Entry
    mode: str
    seconds: tuple[float, ...] = ()
    steps: int = 0
    setting: str = ""
    found: Findings | None = None
    note: str = ""

    @property
    def median(self) -> float:
        """Seconds a step."""
        return statistics.median(self.seconds)

    @property
    def quartiles(self) -> tuple[float, float]:
        """First and third quartile of the seconds a step."""
        if len(self.seconds) < 2:
            return self.median, self.median
        first, _, third = statistics.quantiles(self.seconds, n=4, method="inclusive")
        return first, third

    @property
    def throughput(self) -> float:
        """Samples a second."""
        return self.case.batch / self.median

    @property
    def memory(self) -> int:
        """Largest memory above what the imports take, bytes."""
        return 0 if self.found is None else self.found.peak - self.found.base


@dataclass(frozen=True)
class Trial:
    """What a peer's settings took: (setting in words, seconds of its fastest step), fastest first."""

    case: Case
    entry: Entry
    seconds: tuple[tuple[str, float], ...]
