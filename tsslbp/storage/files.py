"""Files written whole or not at all, and checksums of files and values."""

import fcntl
import glob
import hashlib
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


class WriteError(OSError):
    """A file that cannot be written; what was there before is there still. Without an `errno` it asks whether the disk is full."""


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it there when the block ends well, remove it when it does not.

    The data reach the disk before the name does, so a reader finds the old file or the new one, never a part. The
    temporary name starts with a dot and ends with ".partial": what a kill leaves behind cannot pass for a result, and the
    next one to write the file removes it.

    Raises:
        WriteError: it cannot be written; the error names `path`, also where the system's own names nothing, as for a full disk.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(path)
    partial: Path | None = None
    try:
        partial = path.with_name(f".{path.name}.{secrets.token_hex(8)}.partial")
        # Made as any new file is, and not by tempfile: the user's umask says who may read it, also while it is partial.
        with partial.open("xb") as held:
            lock(held.fileno())
            yield partial
            with partial.open("rb") as written:
                os.fsync(written.fileno())
            partial.replace(path)
    except OSError as error:
        if error.errno is None or not (error.filename is None or str(error.filename).endswith(".partial")):
            raise
        raise WriteError(error.errno, error.strerror, str(path)) from None
    finally:
        if partial is not None:
            with suppress(OSError):  # a disk that is read-only by now has an error on its way already
                partial.unlink(missing_ok=True)


def lock(descriptor: int, *, waits: bool = False) -> bool:
    """Lock a file for as long as it is open.

    Args:
        descriptor: of the open file.
        waits: wait for another process that has it.

    Returns:
        False where the file system knows no locks, and where another process has it and nobody waits.
    """
    with suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_EX if waits else fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False


def _remove_leftovers(path: Path) -> None:
    """Remove the temporary files of killed writers, which hold no lock any more; SQLite's journal of such a file goes with it."""
    for leftover in path.parent.glob(f".{glob.escape(path.name)}.*.partial"):
        with suppress(OSError), leftover.open("rb+") as file:
            if lock(file.fileno()):
                leftover.unlink()
                leftover.with_name(f"{leftover.name}-journal").unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write text, whole or not at all."""
    with whole_file(path) as partial:
        partial.write_text(text, encoding="utf-8")


def checksum(path: Path, algorithm: str = "md5") -> str:
    """The hexadecimal digest of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def digest(value: object) -> str:
    """A short name for any JSON value: the first 32 hexadecimal digits of its SHA-256.

    >>> digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    True
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]
