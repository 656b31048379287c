"""A lock file that holds off a second process, and that a killed process lets go of by itself."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS)
"""What the system answers where a file system knows no locks."""


class BusyError(ValueError):
    """Another process is at work on the same thing."""


def acquire(path: Path, seconds: float) -> FileLock:
    """Take a lock file and return it, to be released. Where the file system knows no locks, nobody is held off.

    Args:
        path: of the lock file; its folder is made.
        seconds: how long to wait for another process; below 0 without end.

    Raises:
        Timeout: another process has held it for all that time.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # A soft lock, filelock's own answer to ENOSYS, is a mere file: a killed process would leave it behind.
    lock = FileLock(path, timeout=seconds, fallback_to_soft=False)
    try:
        lock.acquire()
    except OSError as error:  # as on a network's file system without a lock daemon
        if error.errno not in NO_LOCKS:
            raise
    return lock


@contextmanager
def only_process(path: Path, what: str) -> Iterator[None]:
    """Hold the lock file `path` through the block. Where the file system knows no locks, nobody is held off.

    Raises:
        BusyError: another process holds it; the message says that it works on `what`.
    """
    try:
        lock = acquire(path, 0)
    except Timeout:
        raise BusyError(f"{what} is already at work in another process (it holds {path}); wait for it or stop it") from None
    try:
        yield
    finally:
        lock.release()
