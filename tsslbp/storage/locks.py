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


@contextmanager
def only_process(path: Path, what: str) -> Iterator[None]:
    """Hold the lock file `path` through the block. Where the file system knows no locks, nobody is held off.

    Raises:
        BusyError: another process holds it; the message says that it works on `what`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise BusyError(f"{what} is already at work in another process (it holds {path}); wait for it or stop it") from None
    except OSError as error:  # as on a network's file system without a lock daemon
        if error.errno not in NO_LOCKS:
            raise
    try:
        yield
    finally:
        lock.release()
