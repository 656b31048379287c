"""Files are written whole or not at all."""

import errno
import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from tsslbp.storage.files import WriteError, checksum, whole_file, write_text


def test_a_new_file_is_there_with_its_folders(tmp_path: Path) -> None:
    write_text(tmp_path / "a" / "b" / "new.txt", "grüße\n")
    assert (tmp_path / "a" / "b" / "new.txt").read_bytes() == "grüße\n".encode()
    assert [path.name for path in (tmp_path / "a" / "b").iterdir()] == ["new.txt"]


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_the_umask_says_who_may_read_a_file_also_while_it_is_partial(tmp_path: Path, umask: int, mode: int) -> None:
    before = os.umask(umask)
    try:
        with whole_file(tmp_path / "new.txt") as partial:
            assert partial.stat().st_mode & 0o777 == mode
            partial.write_text("")
    finally:
        os.umask(before)
    assert (tmp_path / "new.txt").stat().st_mode & 0o777 == mode


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_an_interrupted_write_leaves_the_old_file(tmp_path: Path, error: type[BaseException]) -> None:
    write_text(tmp_path / "file", "old")
    with pytest.raises(error), whole_file(tmp_path / "file") as partial:
        partial.write_text("half of the n")
        raise error
    assert (tmp_path / "file").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_disk_that_turns_read_only_is_named_with_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), ".file.0123.partial")

    monkeypatch.setattr(Path, "unlink", refuse)
    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(WriteError, match=r"Read-only file system: '.*/file'"):
        write_text(tmp_path / "file", "new")


def test_until_the_end_the_old_file_is_seen(tmp_path: Path) -> None:
    write_text(tmp_path / "file", "old")
    with whole_file(tmp_path / "file") as partial:
        partial.write_text("new")
        assert (tmp_path / "file").read_text() == "old"
    assert (tmp_path / "file").read_text() == "new"


def test_a_killed_write_leaves_the_old_file_and_a_name_that_is_no_result(tmp_path: Path) -> None:
    write_text(tmp_path / "file.npy", "old")
    code = (
        "import os, signal, sys, pathlib\nfrom tsslbp.storage.files import whole_file\n"
        "with whole_file(pathlib.Path(sys.argv[1])) as partial:\n"
        "    partial.write_text('half')\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    killed = subprocess.run([sys.executable, "-c", code, tmp_path / "file.npy"], cwd=ROOT)
    assert killed.returncode == -signal.SIGKILL
    assert (tmp_path / "file.npy").read_text() == "old"
    (left,) = (path.name for path in tmp_path.iterdir() if path.name != "file.npy")
    assert left.startswith(".")
    assert left.endswith(".partial")


def test_writers_of_one_file_do_not_mix(tmp_path: Path) -> None:
    with whole_file(tmp_path / "file") as first, whole_file(tmp_path / "file") as second:
        assert first != second
        first.write_text("first")
        second.write_text("second")
    assert (tmp_path / "file").read_text() == "first"


@pytest.mark.parametrize("size", [0, 1, 1 << 20, (1 << 20) + 1])
@pytest.mark.parametrize("algorithm", ["md5", "sha256"])
def test_a_checksum_is_that_of_all_bytes(tmp_path: Path, size: int, algorithm: str) -> None:
    content = os.urandom(size)
    (tmp_path / "file").write_bytes(content)
    assert checksum(tmp_path / "file", algorithm) == hashlib.new(algorithm, content).hexdigest()
