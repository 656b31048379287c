import errno
from pathlib import Path

import pytest

from tsslbp.storage.folders import whole_folder, write_errors_named


def test_a_folder_appears_whole_or_not_at_all(tmp_path):
    path = tmp_path / "mnist"

    def write(value, fails=False):
        with whole_folder(path) as folder:
            (folder / "file").write_text(value)
            if fails:
                raise KeyboardInterrupt
            assert not path.exists() or (path / "file").read_text() != value

    with pytest.raises(KeyboardInterrupt):
        write("first", fails=True)
    assert list(tmp_path.iterdir()) == []
    write("second")
    with pytest.raises(KeyboardInterrupt):
        write("third", fails=True)
    assert (path / "file").read_text() == "second"
    write("fourth")
    assert (path / "file").read_text() == "fourth"
    assert list(tmp_path.iterdir()) == [path]


def test_leftovers_of_a_killed_run_are_removed_and_those_of_others_left(tmp_path):
    (tmp_path / ".mnist+abc.partial").mkdir()
    (tmp_path / ".mnist.b+abc.partial").mkdir()
    with whole_folder(tmp_path / "mnist"):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == [".mnist.b+abc.partial", "mnist"]


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), r"\[Errno 28\] No space left on device: 'place'"),
        (OSError("100 requested and 50 written"), r"place: cannot be written \(100 requested and 50 written\); is the disk full\?"),
        (PermissionError(errno.EACCES, "Permission denied", "other"), r"\[Errno 13\] Permission denied: 'other'"),
    ],
)
def test_a_write_error_names_a_place(error, message):
    with pytest.raises(OSError, match=f"^{message}$"), write_errors_named(Path("place")):
        raise error
