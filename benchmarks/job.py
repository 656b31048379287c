"""What a process that is measured is to do, and what its near end can be asked: all that both kinds of process share."""

import contextlib
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol, Self

from benchmarks.cases import Case
from benchmarks.roster import Entry, Setting

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


@contextlib.contextmanager
def without_interrupts() -> Iterator[None]:
    """Let a process that starts here ignore the keyboard's interrupt, which reaches every process: the one that reports acts on it."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
