"""Which runs of a store are this checkout's own: each checkout has an id, and every run that it logs carries it as a tag.

The id lies in a file that git ignores. The file also holds its own inode number, so that a copy of it is noticed: a copied folder
is a checkout with an id of its own, a renamed folder keeps its id. A copied folder remembers the id that it was copied with, because
the runs in the database that was copied along are its own from now on; those on a server stay with the folder it was copied from.
"""

import json
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tsslbp.storage.files import whole_file
from tsslbp.storage.locks import acquire
from tsslbp.tracking.faults import TrackingError

FILE = "mlflow.db.checkout"
"""Name of the file; .gitignore covers it as it covers the database."""


@dataclass(frozen=True)
class Checkout:
    """A checkout's id, and the ids of those it was copied from, the oldest first."""

    id: str
    former: tuple[str, ...] = ()


def own_checkout(folder: Path) -> Checkout:
    """Read the identity of the checkout that the pipeline's folder belongs to, or give it one.

    Args:
        folder: the folder of the pipeline's params.yaml.

    Raises:
        TrackingError: the file cannot be read or written.
    """
    path = folder / FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return _own(path) or _give_id(path)
    except OSError as error:
        reason = error.strerror or str(error)
        raise TrackingError(
            f"{path}: cannot be read or written ({reason}); it says which of MLflow's runs are this checkout's own"
        ) from error


def _own(path: Path) -> Checkout | None:
    found = _read(path)
    return found[0] if found and found[1] else None


def _give_id(path: Path) -> Checkout:
    lock = acquire(path.with_name(f"{path.name}.lock"), -1)
    try:
        if own := _own(path):  # another process was faster
            return own
        copied = _read(path)
        return _write(path, copied[0] if copied else None)
    finally:
        lock.release()


def _read(path: Path) -> tuple[Checkout, bool] | None:
    """The checkout, and whether the file is the one that was written for it and not a copy; None where there is no such file."""
    try:
        stored: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        checkout = Checkout(str(stored["id"]), tuple(map(str, stored["former"])))
        return checkout, stored["inode"] == path.stat().st_ino
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        return None  # edited by hand: as good as none


def _write(path: Path, copied: Checkout | None) -> Checkout:
    former = (*copied.former, copied.id) if copied else ()
    checkout = Checkout(uuid.uuid4().hex, former)
    with whole_file(path) as partial:
        # The file keeps its inode when it gets its name.
        stored = {"id": checkout.id, "former": former, "inode": partial.stat().st_ino}
        partial.write_text(json.dumps(stored) + "\n", encoding="utf-8")
    return checkout
