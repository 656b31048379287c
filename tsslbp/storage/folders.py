"""Write a folder whole or not at all, and name the place of a write error."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tsslbp.storage.files import WriteError


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Yield a new folder beside `path`; it replaces `path` when the block ends without an error, and is removed otherwise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(path)  # of a killed run
    partial = Path(tempfile.mkdtemp(prefix=f".{path.name}+", suffix=".partial", dir=path.parent))
    try:
        partial.chmod(0o755)
        yield partial
        _flush(partial)
        if path.exists():
            # A folder cannot be replaced in one step; between these two renames `path` is missing, which every reader reports.
            path.rename(partial.with_name(f".{path.name}+old.partial"))
        partial.rename(path)
    finally:
        _remove_leftovers(path)


def _flush(folder: Path) -> None:
    """Flush the data to the disk before the folder gets its name; a power cut could otherwise leave files of zeros in it."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())


def _remove_leftovers(path: Path) -> None:
    # A dataset's name has no "+", so this finds nothing of another dataset.
    for leftover in path.parent.glob(f".{path.name}+*.partial"):
        shutil.rmtree(leftover)


@contextmanager
def write_errors_named(path: Path) -> Iterator[None]:
    """Name what was being written in an OSError that names no file, such as that of a full disk.

    Raises:
        OSError: the block's own, or a WriteError that names `path`.
    """
    try:
        yield
    except OSError as error:
        if error.filename is not None:
            raise
        if error.errno is None:  # numpy's own: "100 requested and 50 written"
            raise WriteError(f"{path}: cannot be written ({error}); is the disk full?") from None
        raise WriteError(error.errno, error.strerror, str(path)) from None
