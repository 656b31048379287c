"""What a process that is measured is to do, and what its near end can be asked: all that both kinds of process share."""

import contextlib
import os
import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, Self

from benchmarks import SPIN_COUNT, SPIN_COUNT_OF_USER
from benchmarks.cases import Case
from benchmarks.roster import Entry, Setting

OPENMP_SPIN_COUNT = "300000"
"""What GNU OpenMP takes where nothing is set. `import tsslbp` sets another, and what starts here inherits it."""
GRACE = 10.0
"""Seconds that a process gets to end by itself."""


class WorkerError(RuntimeError):
    """What an implementation stopped with; its last line, as nobody but its author can read the rest."""


@dataclass(frozen=True, eq=False)
class Job:
    """What a worker is to do. `setting`: of a peer; None: it is only to find out which is the fastest."""

    case: Case
    entry: Entry
    threads: int
    setting: Setting | None = None


class Worker(Protocol):
    """The near end of a process that is measured: ask it, close it; a context manager."""

    def send(self, command: str, *arguments: object) -> None:
        """Ask for something without waiting; if the process is gone, `receive` will tell."""

    def receive(self) -> Any:
        """Wait for the answer to the oldest question.

        Raises:
            WorkerError: the implementation failed.
        """

    def ask(self, command: str, *arguments: object) -> Any:
        """`send`, then `receive`."""

    def dismiss(self) -> None:
        """Let the process go, without waiting until it has gone."""

    def __enter__(self) -> Self: ...

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None: ...


def environment_of(job: Job) -> dict[str, str]:
    """The variables that a job's process needs beside those of this one.

    Idle threads of the other libraries stay awake as long as GNU OpenMP has it, not as long as this project chose for itself; a value
    of the user holds for all. The lower bound is measured with this project's: it is what a step of this project could come to.
    """
    return {SPIN_COUNT: OPENMP_SPIN_COUNT} if job.entry.kind == "peer" and SPIN_COUNT_OF_USER is None else {}


@contextlib.contextmanager
def with_environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Let a process that starts here have these variables; afterwards they are as before."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextlib.contextmanager
def without_interrupts() -> Iterator[None]:
    """Let a process that starts here ignore the keyboard's interrupt, which reaches every process: the one that reports acts on it."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
