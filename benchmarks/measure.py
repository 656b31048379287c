"""Contestants take turns, round after round, so that a machine that drifts drifts for all; one computes, the others sleep."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TypeVar

from benchmarks.measurement import Measurement, Trial
from benchmarks.memory_use import available
from benchmarks.roster import Setting
from benchmarks.worker import Job, Worker, WorkerError

INSTALL = "python -m pip install --no-deps -r requirements-bench.txt"
MEMORY_SHARE = 0.75
"""Of the memory that is available: what the contestants of a case may take together."""

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

    repetitions: int = 11
    least: int = 3
    turn_seconds: float = 0.2
    case_seconds: float = 40.0
    trials: bool = True

    def affordable(self, round_seconds: float) -> int:
        """How many rounds to go."""
        return max(self.least, min(self.repetitions, int(self.case_seconds / max(round_seconds, 1e-9))))

    @property
    def shorter(self) -> "Effort":
        """What inference gets."""
        return replace(self, least=min(self.least, 2), case_seconds=self.case_seconds / 3)


QUICK = Effort(repetitions=2, least=1, turn_seconds=0.0, case_seconds=5.0, trials=False)


def find_settings(jobs: Sequence[Job], effort: Effort) -> tuple[list[Job], list[Trial], list[Measurement]]:
    """Give every peer's job its fastest setting.

    Returns:
        The jobs that can be measured; what was tried; those that cannot be measured, with the reason.
    """
    missing = [job for job in jobs if job.entry.kind == "peer" and job.entry.version is None]
    # Without a trial the first of a peer's settings is taken, and the only one of those who have just one.
    ready = [replace(job, setting=next(iter(job.entry.settings(job.case)), None)) for job in jobs if job not in missing]
    several = [job for job in ready if effort.trials and len(job.entry.settings(job.case)) > 1]
    tried, failed = _try_settings(several)
    trials = [Trial(job.case, job.entry, tuple((s.described(job.case), seconds) for s, seconds in tried[job])) for job in tried]
    ready = [replace(job, setting=tried[job][0][0]) if job in tried else job for job in ready if job not in failed]
    notes = [Measurement(job.case, job.entry, "train", note=f"not installed: {INSTALL}") for job in missing]
    return ready, trials, notes + [Measurement(job.case, job.entry, "train", note=f"failed: {reason}") for job, reason in failed.items()]


def _try_settings(jobs: Sequence[Job]) -> tuple[dict[Job, list[tuple[Setting, float]]], Failures]:
    """The settings of each job with their seconds, fastest first."""
    failed: Failures = {}
    with ExitStack() as stack:
        # Started without a setting, which is what they are to find.
        workers = {job: stack.enter_context(Worker(replace(job, setting=None))) for job in jobs}
        _start(workers, failed, "awake")
        tried = _each(workers, failed, lambda job, worker: worker.ask("trial", job.entry.settings(job.case)))
        _dismiss(workers)
    return tried, failed


def _start(workers: Workers, failed: Failures, command: str) -> None:
    """Let all do something at the same time, and wait for the last: imports are not what is measured."""
    for worker in workers.values():
        worker.send(command)
    _each(workers, failed, lambda _, worker: worker.receive())


def _dismiss(workers: Workers) -> None:
    for worker in workers.values():
        worker.dismiss()


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
        _start(workers, failed, "ready")
        limit = MEMORY_SHARE * available()
        taken = {mode: _take_turns(workers, failed, mode, effort if mode == "train" else effort.shorter, track, limit) for mode in modes}
        found = _each(workers, failed, lambda _, worker: worker.ask("findings"))
        _dismiss(workers)
    notes = [Measurement(job.case, job.entry, "train", setting=_words(job), note=f"failed: {reason}") for job, reason in failed.items()]
    return notes + [
        Measurement(job.case, job.entry, mode, tuple(seconds), steps, _words(job), found[job])
        for mode in modes
        for job in jobs
        if job in found and job in taken[mode]
        for steps, seconds in [taken[mode][job]]
    ]


def _take_turns(
    workers: Workers, failed: Failures, mode: str, effort: Effort, track: Track, memory_limit: float
) -> dict[Job, tuple[int, list[float]]]:
    """The steps of a turn, and the seconds a step in every turn, of each job."""
    here = {job: worker for job, worker in workers.items() if mode == "train" or job.entry.infers}

    def each(what: Callable[[Job, Worker], R]) -> dict[Job, R]:
        results = _each(here, failed, what)
        for job in failed:
            workers.pop(job, None)
        return results

    warm = each(lambda _, worker: worker.ask("warm_up", mode))
    step = {job: seconds for job, (seconds, _) in warm.items()}
    kept = fitting({job: memory for job, (_, memory) in warm.items()}, memory_limit)
    steps = {job: max(1, math.ceil(effort.turn_seconds / step[job])) for job in here}
    repetitions = effort.affordable(sum((steps[job] + (1 if job in kept else 2)) * step[job] for job in here))
    seconds: dict[Job, list[float]] = {job: [] for job in here}
    advance = track(repetitions * len(here))

    def turn(job: Job, worker: Worker) -> None:
        seconds[job].append(worker.ask("turn", mode, steps[job], job in kept))
        advance(1)

    for _ in range(repetitions):
        each(turn)
        here = dict([*here.items()][1:] + [*here.items()][:1])  # nobody is always the first
    return {job: (steps[job], seconds[job]) for job in here}


def fitting(memory: Mapping[Job, int], limit: float) -> set[Job]:
    """Who may keep its memory while it sleeps: the small ones, as far as the largest finds room beside them."""
    room = limit - max(memory.values(), default=0)
    kept: set[Job] = set()
    for job in sorted(memory, key=lambda job: memory[job]):
        room -= memory[job]
        if room >= 0:
            kept.add(job)
    return kept


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


def _one_by_one(jobs: Sequence[Job], track: Track) -> Iterator[Measurement]:
    """One training step each, in a process that has the memory for itself."""
    advance = track(len(jobs))
    for job in jobs:
        try:
            with Worker(job) as worker:
                worker.ask("ready")
                seconds = worker.ask("once")
                yield Measurement(job.case, job.entry, "train", (seconds,), 1, _words(job), worker.ask("findings"))
        except WorkerError as error:
            yield Measurement(job.case, job.entry, "train", setting=_words(job), note=f"failed: {error}")
        advance(1)


def _words(job: Job) -> str:
    return job.setting.described(job.case) if job.setting else ""
