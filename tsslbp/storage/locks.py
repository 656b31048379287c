"""A lock file that holds off a second process, and that a killed process lets go of by itself."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout


class BusyError(ValueError):
    """Another process is at work on the same thing."""


@contextmanager
def only_process(path: Path, what: str) -> Iterator[None]:
    """Hold the lock file `path` through the block.

    Raises:
        BusyError: another process holds it; the message says that it works on `what`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise BusyError(f"{what} is already at work in another process (it holds {path}); wait for it or stop it") from None
    try:
        yield
    finally:
        lock.release()
