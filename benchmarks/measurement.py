"""What is measured, as data."""

import statistics
from dataclasses import dataclass

from benchmarks.cases import Case
from benchmarks.processes.commands import Findings
from benchmarks.roster import Entry


@dataclass(frozen=True)
class Measurement:
    """What one implementation did in one case.

    Attributes:
        case: what was measured.
        entry: of which implementation.
        mode: `"train"` or `"infer"`.
        seconds: of a step, one value per turn, each the mean of `steps` steps.
        steps: steps per turn.
        setting: of a peer, in words.
        found: memory, firing rates, source of the samples; None where it failed before it could be asked.
        note: why there are no seconds.
        repeated: turns that were measured again because other programs computed meanwhile.
        disturbed: turns during which they still did.
    """

    case: Case
    entry: Entry
    mode: str
    seconds: tuple[float, ...] = ()
    steps: int = 0
    setting: str = ""
    found: Findings | None = None
    note: str = ""
    repeated: int = 0
    disturbed: int = 0

    @property
    def median(self) -> float:
        """Seconds per step."""
        return statistics.median(self.seconds)

    @property
    def quartiles(self) -> tuple[float, float]:
        """First and third quartile of the seconds per step."""
        if len(self.seconds) < 2:
            return self.median, self.median
        first, _, third = statistics.quantiles(self.seconds, n=4, method="inclusive")
        return first, third

    @property
    def throughput(self) -> float:
        """Samples per second."""
        return self.case.batch / self.median

    @property
    def memory(self) -> int:
        """Largest memory above what the imports take, bytes."""
        return 0 if self.found is None else self.found.peak - self.found.base


@dataclass(frozen=True)
class Trial:
    """What the settings of a peer took: (setting in words, seconds of its fastest step), fastest first."""

    case: Case
    entry: Entry
    seconds: tuple[tuple[str, float], ...]
