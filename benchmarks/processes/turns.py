"""Implementations take turns, round after round, so that a machine that drifts drifts for all; one computes, the others sleep."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TypeVar

from benchmarks.measurement import Measurement, Trial
from benchmarks.processes.job import Job, Worker, WorkerError
from benchmarks.processes.quiet import Timed, repeat_disturbed, watched
from benchmarks.processes.worker import start
from benchmarks.roster import JAX_ENVIRONMENT, Entry, Setting, compiler
from tsslbp.limits import available_memory, usable_memory

MEMORY_SHARE = 0.75
"""Of the memory that is available: what the implementations of a case may take together."""

R = TypeVar("R")
Workers = dict[Job, Worker]
Failures = dict[Job, str]
Track = Callable[[int], Callable[[int], None]]
"""Given the number of turns to come, returns what is called with 1 after each."""


@dataclass(frozen=True)
class Effort:
    """How long to measure.

    Attributes:
        repetitions: turns of each implementation.
        least: so many even where they take longer than `case_seconds`; a heavy case has one.
        turn_seconds: a turn is as many steps as take this long, at least one.
        case_seconds: rather fewer repetitions than that all turns together take longer.
        repeats: how often a turn is measured again during which other programs computed.
        trials: whether to find each peer's fastest setting first; else the first of its list is taken.
    """

    repetitions: int = 11
    least: int = 3
    turn_seconds: float = 0.5
    case_seconds: float = 60.0
    repeats: int = 3
    trials: bool = True

    def affordable(self, round_seconds: float) -> int:
        """Compute how many rounds to go."""
        return max(self.least, min(self.repetitions, int(self.case_seconds / max(round_seconds, 1e-9))))

    @property
    def shorter(self) -> "Effort":
        """The effort that inference gets."""
        return replace(self, least=min(self.least, 2), case_seconds=self.case_seconds / 3)


QUICK = Effort(repetitions=2, least=1, turn_seconds=0.0, case_seconds=5.0, repeats=0, trials=False)


def find_settings(jobs: Sequence[Job], effort: Effort) -> tuple[list[Job], list[Trial], list[Measurement]]:
    """Give every peer's job its fastest setting.

    Returns:
        The jobs that can be measured; what was tried; those that cannot be measured, with the reason.
    """
    notes = {job: reason for job in jobs if (reason := unmeasurable(job.entry))}
    # Without a trial the first of a peer's settings is taken, and the only one of those that have just one.
    ready = [replace(job, setting=next(iter(job.entry.settings(job.case)), None)) for job in jobs if job not in notes]
    several = [job for job in ready if effort.trials and len(job.entry.settings(job.case)) > 1]
    tried, failed = _try_settings(several)
    trials = [Trial(job.case, job.entry, tuple((s.described(job.case), seconds) for s, seconds in tried[job])) for job in tried]
    ready = [replace(job, setting=tried[job][0][0]) if job in tried else job for job in ready if job not in failed]
    notes |= {job: f"failed: {reason}" for job, reason in failed.items()}
    return ready, trials, [Measurement(job.case, job.entry, "train", note=note) for job, note in notes.items()]


def unmeasurable(entry: Entry) -> str:
    """Say why an implementation cannot be measured on this machine; empty: it can."""
    if entry.kind == "peer" and entry.version is None:
        return f"not installed: {install(entry)}"
    return "not measured: torch.compile needs a C++ compiler" if entry.compiled and compiler() is None else ""


def _try_settings(jobs: Sequence[Job]) -> tuple[dict[Job, list[tuple[Setting, float]]], Failures]:
    """The settings of each job with their seconds, fastest first."""
    failed: Failures = {}
    with ExitStack() as stack:
        # Started without a setting, which is what they are to find.
        workers = {job: stack.enter_context(start(replace(job, setting=None))) for job in jobs}
        _start(workers, failed, "awake")
        seconds = _each(workers, failed, lambda job, worker: worker.ask("trial", job.entry.settings(job.case)))
        _dismiss(workers)
    tried = {job: [*zip(job.entry.settings(job.case), seconds[job], strict=True)] for job in seconds}
    return {job: sorted(pairs, key=lambda pair: pair[1]) for job, pairs in tried.items()}, failed


def install(entry: Entry) -> str:
    """The command that installs a peer; it makes the environment of JAX first where there is none."""
    assert entry.peer is not None
    if entry.on_jax and not (JAX_ENVIRONMENT / "bin/python").exists():
        return "make bench"
    folder = ".venv-jax/bin/" if entry.on_jax else ""
    return f"{folder}python -m pip install --no-deps -r {entry.peer.requirements}"


def _start(workers: Workers, failed: Failures, command: str) -> None:
    """Let all do something at the same time, and wait for the last: imports are not what is measured."""
    for worker in workers.values():
        worker.send(command)
    _each(workers, failed, lambda _, worker: worker.receive())


def _dismiss(workers: Workers) -> None:
    for worker in workers.values():
        worker.dismiss()


def measure(jobs: Sequence[Job], effort: Effort, track: Track, modes: Sequence[str] = ("train", "infer")) -> list[Measurement]:
    """Measure jobs side by side; an implementation that fails is left out of what follows, with a note.

    Args:
        jobs: each with its setting.
        effort: how long.
        track: told of every turn.
        modes: of network cases; a layer is only trained.
    """
    if any(job.case.heavy for job in jobs):
        return list(_one_by_one(jobs, effort, track))
    failed: Failures = {}
    with ExitStack() as stack:
        workers = {job: stack.enter_context(start(job)) for job in jobs}
        bounds = {job: worker for job, worker in workers.items() if job.entry.kind == "lower bound"}
        _start({job: worker for job, worker in workers.items() if job not in bounds}, failed, "ready")
        for job, worker in bounds.items():  # each alone, for it finds out which library is the faster
            _start({job: worker}, failed, "ready")
        workers = {job: worker for job, worker in workers.items() if job not in failed}
        free = available_memory()
        limit = MEMORY_SHARE * (usable_memory() / 2 if free is None else free)
        failed_in = dict.fromkeys(failed, "train")
        taken: dict[str, dict[Job, Measurement]] = {}
        for mode in modes:
            taken[mode] = _Rounds(workers, failed, mode, effort if mode == "train" else effort.shorter, limit).measure(track)
            failed_in |= {job: mode for job in failed if job not in failed_in}
        found = _each(workers, failed, lambda _, worker: worker.ask("findings"))
        _dismiss(workers)
    notes = [_failure(job, failed_in.get(job, "train"), reason) for job, reason in failed.items()]
    # What was measured before an implementation failed stays, without what only its process knew.
    return notes + [
        replace(taken[mode][job], setting=_words(job), found=found.get(job)) for mode in modes for job in jobs if job in taken[mode]
    ]


def _failure(job: Job, mode: str, reason: str) -> Measurement:
    where = "" if mode == "train" else " in inference"
    return Measurement(job.case, job.entry, mode, setting=_words(job), note=f"failed{where}: {reason}")


class _Rounds:
    """The turns of a case's implementations in one mode: `"train"` or `"infer"`. Those that fail leave."""

    def __init__(self, workers: Workers, failed: Failures, mode: str, effort: Effort, memory_limit: float) -> None:
        self._workers, self._failed, self._mode, self._effort = workers, failed, mode, effort
        self._here = {job: worker for job, worker in workers.items() if mode == "train" or job.entry.infers}
        warm = self._each(self._here, lambda _, worker: worker.ask("warm_up", mode))
        self._seconds = {job: seconds for job, (seconds, _) in warm.items()}
        self._kept = fitting({job: memory for job, (_, memory) in warm.items()}, memory_limit)
        self._steps = {job: max(1, math.ceil(effort.turn_seconds / seconds)) for job, seconds in self._seconds.items()}

    def measure(self, track: Track) -> dict[Job, Measurement]:
        """Measure every job that is still there, without what only its process knows."""
        rounds = self._effort.affordable(
            sum((self._steps[job] + (1 if job in self._kept else 2)) * self._seconds[job] for job in self._here)
        )
        turns: dict[Job, list[Timed]] = {job: [] for job in self._here}
        advance = track(rounds * len(turns))
        for _ in range(rounds):
            for job, timed in self._each(self._here, self._turn).items():
                turns[job].append(timed)
                advance(1)
            self._here = dict([*self._here.items()][1:] + [*self._here.items()][:1])  # nobody is always the first
        repeated = repeat_disturbed(turns, self._effort.repeats, self._again)
        return {job: self._measurement(job, turns[job], repeated[job]) for job in self._here}

    def _measurement(self, job: Job, turns: Sequence[Timed], repeated: int) -> Measurement:
        disturbed = sum(timed.disturbed for timed in turns)
        seconds = tuple(timed.seconds for timed in turns)
        return Measurement(job.case, job.entry, self._mode, seconds, self._steps[job], repeated=repeated, disturbed=disturbed)

    def _turn(self, job: Job, worker: Worker) -> Timed:
        return watched(lambda: worker.ask("turn", self._mode, self._steps[job], job in self._kept))

    def _again(self, job: Job) -> Timed | None:
        alone = {job: self._here[job]} if job in self._here else {}
        return self._each(alone, self._turn).get(job)

    def _each(self, workers: Workers, what: Callable[[Job, Worker], R]) -> dict[Job, R]:
        results = _each(workers, self._failed, what)
        for job in self._failed:
            self._workers.pop(job, None)
            self._here.pop(job, None)
        return results


def fitting(memory: Mapping[Job, int], limit: float) -> set[Job]:
    """Choose who may keep its memory while it sleeps: the small ones, as far as the largest finds room beside them."""
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


def _one_by_one(jobs: Sequence[Job], effort: Effort, track: Track) -> Iterator[Measurement]:
    """Measure one training step each, in a process that has the memory for itself; a disturbed one once more."""
    advance = track(len(jobs))
    for job in jobs:
        found = _first_step(job)
        if found.disturbed and effort.repeats:
            found = replace(min(found, _first_step(job), key=lambda m: m.disturbed), repeated=1)
        yield found
        advance(1)


def _first_step(job: Job) -> Measurement:
    try:
        with start(job) as worker:
            worker.ask("ready")
            timed = watched(lambda: worker.ask("once"))
            found = worker.ask("findings")
            return Measurement(job.case, job.entry, "train", (timed.seconds,), 1, _words(job), found, disturbed=int(timed.disturbed))
    except WorkerError as error:
        return Measurement(job.case, job.entry, "train", setting=_words(job), note=f"failed: {error}")


def _words(job: Job) -> str:
    return job.setting.described(job.case) if job.setting else ""
