"""Which runs are a checkout's own, where the file system knows no locks, too."""

import errno
import fcntl
import os
from pathlib import Path

import pytest

from tsslbp.tracking.checkout import FILE, own_checkout
from tsslbp.tracking.store import locked, tracking_store


def test_a_checkout_keeps_its_id_and_a_copy_gets_its_own(tmp_path: Path) -> None:
    first = own_checkout(tmp_path / "first")
    assert own_checkout(tmp_path / "first") == first
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / FILE).write_bytes((tmp_path / "first" / FILE).read_bytes())
    copy = own_checkout(tmp_path / "copy")
    assert copy.id != first.id
    assert copy.former == (first.id,)


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS])
def test_a_file_system_without_locks_stops_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """With a server, MLflow itself needs no lock in the project."""

    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    own = own_checkout(tmp_path)
    with locked(tracking_store(tmp_path, "http://127.0.0.1:9"), seconds=0):
        assert own_checkout(tmp_path) == own
