"""What a process that is measured can be asked, whichever library computes in it. Standard library alone."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.processes.memory_use import forget_peak, give_back
from tsslbp.limits import peak_memory, resident_memory

TRIAL_ROUNDS = 3
WARM_UPS = 5
SLOW_STEP = 1.0
"""Seconds: where a setting takes longer per step, all are compared by two steps each, after a warm-up."""
SYNTHETIC = "synthetic"
"""The source of samples that are drawn at random."""


@dataclass(frozen=True)
class Findings:
    """What a process knows after its turns.

    Attributes:
        rates: spikes per neuron and step, one value per layer.
        source: where the samples came from.
        base: memory before the network is built, imports and samples included, bytes.
        peak: the largest since then, bytes.
        remark: what a reader should know about how it ran.
    """

    rates: tuple[float, ...]
    source: str
    base: int
    peak: int
    remark: str = ""


@dataclass(frozen=True)
class Turn:
    """One turn: seconds per step, and the processor time that the process took for the whole turn, warm-up included."""

    seconds: float
    processor: float


class Commands:
    """The commands, by the names that arrive on the pipe.

    Args:
        build: makes the implementation of a setting; the second argument is true for the case in which settings are compared.
        setting: which one to measure.
        source: where the samples come from.
        compiled: whether steps may be compiled anew for a while.
    """

    def __init__(self, build: Callable[[Any, bool], Any], setting: Any, source: str, compiled: bool) -> None:
        self._build, self._setting, self._source, self._compiled = build, setting, source, compiled
        self._implementation: Any = None
        self._gave_back = False
        self._base = resident_memory()
        forget_peak()

    def awake(self) -> None:
        """Do nothing more than to have been started."""

    def ready(self) -> None:
        """Build the implementation."""
        self._implementation = self._build(self._setting, False)

    def warm_up(self, mode: str) -> tuple[float, int]:
        """Measure a step, `"train"` or `"infer"`, once all is compiled and memory at hand: its seconds, and that memory in bytes."""
        step = self._step(mode)
        timed(step, 1)
        seconds = [timed(step, 1)]
        # What was compiled may be compiled once more in a later step, and then go on fast.
        while (seconds[-1] < SLOW_STEP or self._compiled) and len(seconds) < WARM_UPS:
            seconds.append(timed(step, 1))
        self._give_back()
        return min(seconds), peak_memory() - self._base

    def turn(self, mode: str, steps: int, keep_memory: bool) -> Turn:
        """Measure some steps, after those that bring caches and memory back; then the memory may go to the others."""
        began, step = time.process_time(), self._step(mode)
        for _ in range(2 if self._gave_back else 1):
            step()
        self._gave_back = False
        seconds = timed(step, steps) / steps
        if not keep_memory:
            self._give_back()
        return Turn(seconds, time.process_time() - began)

    def once(self) -> Turn:
        """Measure the very first training step."""
        began = time.process_time()
        return Turn(timed(self._step("train"), 1), time.process_time() - began)

    def findings(self) -> Findings:
        """Report memory and firing rates; the memory first, as finding out the rates takes some."""
        largest = peak_memory()
        return Findings(self._implementation.firing_rates(), self._source, self._base, largest, self._implementation.remark)

    def trial(self, settings: list[Any]) -> list[float]:
        """Measure settings against each other: the seconds of the fastest training step of each."""
        steps = [self._build(setting, True).train for setting in settings]
        for step in steps:
            step()  # what compiles does so now
        first = [timed(step, 1) for step in steps]
        rounds = 1 if max(first) > SLOW_STEP else TRIAL_ROUNDS
        times = [first, *([timed(step, 1) for step in steps] for _ in range(rounds))]
        return [min(column) for column in zip(*times, strict=True)]

    def _step(self, mode: str) -> Callable[[], object]:
        step: Callable[[], object] = getattr(self._implementation, mode)
        return step

    def _give_back(self) -> None:
        give_back()
        self._gave_back = True


def timed(step: Callable[[], object], steps: int) -> float:
    """Measure the seconds of some steps."""
    began = time.perf_counter()
    for _ in range(steps):
        step()
    return time.perf_counter() - began
