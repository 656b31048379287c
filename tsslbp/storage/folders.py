"""Folders written whole or not at all, and write errors that say where."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tsslbp.storage.files import WriteError


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Yield a new folder beside `path`, which takes its place when the block ends well and is removed when it does not."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(path)  # of a killed run
    partial = Path(tempfile.mkdtemp(prefix=f".{path.name}+", suffix=".partial", dir=path.parent))
    try:
        partial.chmod(0o755)
        yield partial
        _flush(partial)
        if path.exists():
            # A folder cannot be replaced in one go; between these two renames there is none, which no reader takes for data.
            path.rename(partial.with_name(f".{path.name}+old.partial"))
        partial.rename(path)
    finally:
        _remove_leftovers(path)


def _flush(folder: Path) -> None:
    """Bring the data to the disk before the folder gets its name; a power cut would otherwise leave files of zeros under it."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())


def _remove_leftovers(path: Path) -> None:
    # "+" stands in no dataset's name, so nothing of another dataset is met.
    for leftover in path.parent.glob(f".{path.name}+*.partial"):
        shutil.rmtree(leftover)


@contextmanager
def write_errors_named(path: Path) -> Iterator[None]:
    """Give an OSError that names no file, such as that of a full disk, the name of what was being written.

    Raises:
        OSError: the block's own; a WriteError with a name where it had none.
    """
    try:
        yield
    except OSError as error:
        if error.filename is not None:
            raise
        if error.errno is None:  # numpy's own: "100 requested and 50 written"
            raise WriteError(f"{path}: cannot be written ({error}); is the disk full?") from None
        raise WriteError(error.errno, error.strerror, str(path)) from None
