"""A lock file holds off a second process, and nobody where there are no locks."""

import errno
import fcntl
import os
from pathlib import Path

import pytest

from tsslbp.storage.locks import BusyError, only_process


def test_a_second_one_is_told_what_is_at_work(tmp_path: Path) -> None:
    path = tmp_path / "new/lock"
    busy = pytest.raises(BusyError, match=rf"training of mnist-cnn is already .* holds {path}")
    with only_process(path, "training of mnist-cnn"), busy, only_process(path, "training of mnist-cnn"):
        pytest.fail("both have it")
    with only_process(path, "training of mnist-cnn"):
        pass


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS])
def test_a_file_system_without_locks_stops_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    done = []
    (tmp_path / "lock").write_text("123\nanother-host\n")  # as a killed process on another machine may leave one
    with only_process(tmp_path / "lock", "training"):
        done.append(number)
    assert done == [number]


def test_another_error_is_not_taken_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(OSError, match="Input/output"), only_process(tmp_path / "lock", "training"):
        pytest.fail("a disk that fails is no lock")
