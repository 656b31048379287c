"""Contestants take turns, round after round, so that a machine that drifts drifts for all; one computes, the others sleep."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TypeVar

from benchmarks.cases import NetworkCase
from benchmarks.measurement import Measurement, Trial
from benchmarks.worker import SLOW_STEP, Job, Worker, WorkerError

INSTALL = "python -m pip install --no-deps -r requirements-bench.txt"

R = TypeVar("R")
Workers = dict[Job, Worker]
Failures = dict[Job, str]
Track = Callable[[int], Callable[[int], None]]
"""Given the number of turns to come, returns what is called with 1 after each."""


@dataclass(frozen=True)
class Effort:
    """How long to measure.

    Attributes:
        repetitions: turns of each contestant.
        least: so many even where they take longer than `case_seconds`; a heavy case has one.
        turn_seconds: a turn is as many steps as take this long, at least one.
        case_seconds: rather fewer repetitions than that all turns together take longer.
        trials: whether to find each peer's fastest setting first; else the first of its list is taken.
    """

    repetitions: int = 9
    least: int = 3
    turn_seconds: float = 0.4
    case_seconds: float = 70.0
    trials: bool = True

    def affordable(self, round_seconds: float) -> int:
        """How many rounds to go."""
        return max(self.least, min(self.repetitions, int(self.case_seconds / max(round_seconds, 1e-9))))


QUICK = Effort(repetitions=2, least=1, turn_seconds=0.0, case_seconds=5.0, trials=False)


def find_settings(jobs: Sequence[Job], effort: Effort) -> tuple[list[Job], list[Trial], list[Measurement]]:
    """Give every peer's job its fastest setting.

    Returns:
        The jobs that can be measured; what was tried; those that cannot be measured, with the reason.
    """
    ready: list[Job] = []
    trials: list[Trial] = []
    failed: list[Measurement] = []
    for job in jobs:
        if job.entry.kind != "peer":
            ready.append(job)
        elif job.entry.version is None:
            failed.append(Measurement(job.case, job.entry, "train", note=f"not installed: {INSTALL}"))
        else:
            try:
                with Worker(job) as worker:
                    tried = worker.ask("trial", effort.trials)
            except WorkerError as error:
                failed.append(Measurement(job.case, job.entry, "train", note=f"failed: {error}"))
                continue
            ready.append(replace(job, setting=tried[0][0]))
            trials.append(
                Trial(job.case, job.entry, tuple((setting.described(job.case), seconds) for setting, seconds in tried if seconds))
            )
    return ready, trials, failed


def measure(jobs: Sequence[Job], effort: Effort, track: Track, modes: Sequence[str] = ("train", "infer")) -> list[Measurement]:
    """Measure jobs side by side; a contestant that fails is left out of what follows, with a note.

    Args:
        jobs: each with its setting.
        effort: how long.
        track: told of every turn.
        modes: of network cases; a layer is only trained.
    """
    if any(job.case.heavy for job in jobs):
        return list(_one_by_one(jobs, track))
    failed: Failures = {}
    with ExitStack() as stack:
        workers = {job: stack.enter_context(Worker(job)) for job in jobs}
        for worker in workers.values():
            worker.send("ready")
        _each(workers, failed, lambda _, worker: worker.receive())
        taken = {mode: _take_turns(workers, failed, mode, effort, track) for mode in modes}
        found = _each(workers, failed, lambda _, worker: worker.ask("findings"))
    notes = [Measurement(job.case, job.entry, "train", setting=_words(job), note=f"failed: {reason}") for job, reason in failed.items()]
    return notes + [
        Measurement(job.case, job.entry, mode, tuple(seconds), steps, _words(job), found[job])
        for mode in modes
        for job in jobs
        if job in found and job in taken[mode]
        for steps, seconds in [taken[mode][job]]
    ]


def _take_turns(workers: Workers, failed: Failures, mode: str, effort: Effort, track: Track) -> dict[Job, tuple[int, list[float]]]:
    """The steps of a turn, and the seconds a step in every turn, of each job."""
    here = {job: worker for job, worker in workers.items() if mode == "train" or _infers(job)}

    def each(what: Callable[[Job, Worker], R]) -> dict[Job, R]:
        results = _each(here, failed, what)
        for job in failed:
            workers.pop(job, None)
        return results

    step = each(lambda _, worker: _warm_up(worker, mode))
    steps = {job: max(1, math.ceil(effort.turn_seconds / step[job])) for job in here}
    repetitions = effort.affordable(sum(steps[job] * step[job] for job in here))
    seconds: dict[Job, list[float]] = {job: [] for job in here}
    advance = track(repetitions * len(here))

    def turn(job: Job, worker: Worker) -> None:
        seconds[job].append(_turn(worker, mode, steps[job], step[job]))
        advance(1)

    for _ in range(repetitions):
        each(turn)
        here = dict([*here.items()][1:] + [*here.items()][:1])  # nobody is always the first
    return {job: (steps[job], seconds[job]) for job in here}


def _warm_up(worker: Worker, mode: str) -> float:
    """Seconds of a step, once everything is compiled and memory is at hand."""
    taken: float = 0.0
    for attempt in range(3):
        if attempt < 2 or taken < SLOW_STEP:
            taken = worker.ask("run", mode, 1)
    return taken


def _turn(worker: Worker, mode: str, steps: int, step: float) -> float:
    """Seconds a step; before the clock runs, a step that fetches the worker's data back into the caches."""
    if step < SLOW_STEP:
        worker.ask("run", mode, 1)
    taken: float = worker.ask("run", mode, steps)
    return taken / steps


def _each(workers: Workers, failed: Failures, what: Callable[[Job, Worker], R]) -> dict[Job, R]:
    """Do something with every worker; those that fail leave."""
    results: dict[Job, R] = {}
    for job, worker in list(workers.items()):
        try:
            results[job] = what(job, worker)
        except WorkerError as error:
            failed[job] = str(error)
            del workers[job]
    return results


def _infers(job: Job) -> bool:
    """Whether inference is measured: networks, but not compiled anew for it."""
    return isinstance(job.case, NetworkCase) and not job.entry.compiled


def _one_by_one(jobs: Sequence[Job], track: Track) -> Iterator[Measurement]:
    """One training step each, in a process that has the memory for itself."""
    advance = track(len(jobs))
    for job in jobs:
        try:
            with Worker(job) as worker:
                worker.ask("ready")
                seconds = worker.ask("run", "train", 1)
                yield Measurement(job.case, job.entry, "train", (seconds,), 1, _words(job), worker.ask("findings"))
        except WorkerError as error:
            yield Measurement(job.case, job.entry, "train", setting=_words(job), note=f"failed: {error}")
        advance(1)


def _words(job: Job) -> str:
    return job.setting.described(job.case) if job.setting else ""
