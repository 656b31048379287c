"""Numbers from a quiet machine: how much other programs compute during a turn, and which turns are measured again for it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from benchmarks.machine import BUSY_SHARE, ProcessorTime
from benchmarks.processes.commands import Turn

J = TypeVar("J")


@dataclass(frozen=True)
class Timed:
    """One turn: seconds per step, and the share of the cores' time that other programs took; 0 where the system does not tell."""

    seconds: float
    others: float

    @property
    def disturbed(self) -> bool:
        """Whether it is worth measuring again."""
        return self.others > BUSY_SHARE


def watched(take: Callable[[], Turn]) -> Timed:
    """Take a turn, and see what other programs do meanwhile."""
    before = ProcessorTime.now()
    turn = take()
    after = ProcessorTime.now()
    return Timed(turn.seconds, before.others_until(after, turn.processor) if before and after else 0.0)


def repeat_disturbed(turns: Mapping[J, list[Timed]], repeats: int, again: Callable[[J], Timed | None]) -> dict[J, int]:
    """Measure the disturbed turns again, and those alone, and keep the quietest of each; returns how many there were of each job.

    A disturbance may pass: every disturbed turn is repeated once before one is repeated twice.
    """
    repeated = dict.fromkeys(turns, 0)
    for _ in range(repeats):
        for job, index in [(job, index) for job, there in turns.items() for index, timed in enumerate(there) if timed.disturbed]:
            if found := again(job):
                repeated[job] += 1
                turns[job][index] = min(turns[job][index], found, key=lambda timed: timed.others)
    return repeated
