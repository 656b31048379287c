import errno
import os
import shutil
import tempfile
from pathlib import Path
from unittest.mock import Mock

import pytest

from tests.support.faulty_server import status, whole
from tests.support.source_builders import BODY, KEY, NAME, SUBSET, make_dataset, md5
from tsslbp.data.kinds import raw_files
from tsslbp.data.raw_files import SourceError, combined_checksum
from tsslbp.settings import SettingsError
from tsslbp.storage.files import WriteError

SHARED_MEMORY = Path("/dev/shm")


def test_a_right_file_is_left_alone(place, server):
    place.put(place.target, BODY)
    before = place.target.stat()
    assert place.fetch(server.at("/f", whole(BODY))).md5 == md5(BODY)
    assert place.target.stat().st_mtime_ns == before.st_mtime_ns
    assert server.requests == []


def test_the_mirror_comes_before_the_network(place, server):
    place.put(place.mirror / KEY / NAME, BODY)
    assert place.fetch(server.at("/f", whole(BODY)), mirror=True).note is None
    assert place.target.read_bytes() == BODY
    assert server.requests == []
    assert not place.incoming.exists()


@pytest.mark.parametrize("where", ["raw", "mirror", "network"])
def test_a_known_subset_is_accepted_with_its_note(place, server, where):
    place.put({"raw": place.target, "mirror": place.mirror / KEY / NAME, "network": place.raw / "other"}[where], SUBSET)
    assert place.fetch(server.at("/f", whole(SUBSET)), mirror=where == "mirror").note == "1,000 of 10,240 letters"
    assert place.target.read_bytes() == SUBSET


def test_a_corrupted_file_on_disk_is_set_aside_and_replaced(place, server):
    place.put(place.target, BODY[:-1])
    place.fetch(server.at("/f", whole(BODY)))
    assert place.target.read_bytes() == BODY
    assert place.refused.read_bytes() == BODY[:-1]


def test_a_wrong_mirror_is_refused_but_not_touched(place, server):
    place.put(place.mirror / KEY / NAME, b"wrong")
    place.fetch(server.at("/f", whole(BODY)), mirror=True)
    assert place.target.read_bytes() == BODY
    assert (place.mirror / KEY / NAME).read_bytes() == b"wrong"
    assert not place.refused.exists()


def test_a_mirror_that_cannot_be_read_is_named_and_the_next_source_tried(place, server, monkeypatch):
    mirrored = place.mirror / KEY / NAME
    place.put(mirrored, BODY)
    opened = Path.open

    def damaged(path, *arguments, **options):
        if path == mirrored:
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))
        return opened(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", damaged)
    with pytest.raises(SourceError, match=rf"mirror/{KEY}/{NAME}: cannot be read \(Input/output error\)"):
        place.fetch(server.at("/nothing", status(404)), mirror=True)
    place.fetch(server.at("/f", whole(BODY)), mirror=True)
    assert place.target.read_bytes() == BODY


def test_what_was_refused_is_kept_aside(place, server):
    with pytest.raises(SourceError, match=r"set aside as .*\.refused"):
        place.fetch(server.at("/f", whole(b"other bytes")))
    assert place.refused.read_bytes() == b"other bytes"
    assert not place.partial.exists()


@pytest.mark.parametrize("data", [b"packed again", b"<html>Log in</html>"])
def test_a_wrong_checksum_comes_with_what_to_do_about_a_file_that_one_trusts(place, data):
    place.put(place.target, data)
    with pytest.raises(SourceError) as error:
        place.fetch()
    advice = "is accepted once its MD5 is listed under `subsets` in datasets.letters.files"
    assert (advice in str(error.value).splitlines()[-1]) == (data == b"packed again")


def test_an_empty_mirror_is_named(place):
    with pytest.raises(SourceError, match=rf"mirror/{KEY}/{NAME}: missing"):
        place.fetch(mirror=True)


def test_a_full_disk_is_named(place, server, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"No space left on device: '.*letters\.bin'"):
        place.fetch(server.at("/f", whole(BODY)))


def test_a_full_disk_is_named_where_the_mirror_is_copied(place, monkeypatch):
    place.put(place.mirror / KEY / NAME, BODY)
    monkeypatch.setattr(shutil, "copyfileobj", Mock(side_effect=OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))))
    with pytest.raises(WriteError, match=r"No space left on device: '.*raw/letters\.bin'"):
        place.fetch(mirror=True)


@pytest.mark.skipif(
    not SHARED_MEMORY.is_dir() or SHARED_MEMORY.stat().st_dev == Path(tempfile.gettempdir()).stat().st_dev,
    reason="needs a second file system",
)
def test_raw_files_on_another_disk_than_partial_ones_are_refused_before_the_first_byte(place, server):
    with tempfile.TemporaryDirectory(dir=SHARED_MEMORY) as elsewhere:
        place.raw.symlink_to(elsewhere)
        with pytest.raises(SourceError, match=r"lies on another disk than .* itself a link"):
            place.fetch(server.at("/f", whole(BODY)))
    assert server.requests == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_named(place, server):
    place.raw.mkdir()
    place.raw.chmod(0o500)
    with pytest.raises(OSError, match="raw"):
        place.fetch(server.at("/f", whole(BODY)))


def make_cifar(place, data, **changes):
    name = "cifar-10-python.tar.gz"
    place.put(place.raw / name, data)
    return make_dataset(name=name).model_copy(update=changes)


def test_raw_files_accepts_what_fetch_accepts(place):
    assert raw_files(KEY, make_cifar(place, BODY), place.raw)[0].note is None
    assert raw_files(KEY, make_cifar(place, SUBSET), place.raw)[0].note == "1,000 of 10,240 letters"


def test_raw_files_names_what_is_wrong(place):
    with pytest.raises(
        SourceError, match=r"tar\.gz: checksum .*; run the download stage of letters again\. .*`subsets` in datasets\.letters\.files"
    ):
        raw_files(KEY, make_cifar(place, b"wrong"), place.raw)
    with pytest.raises(SourceError, match=r"elsewhere/cifar-10-python\.tar\.gz: missing; run the download stage"):
        raw_files(KEY, make_cifar(place, BODY), place.raw / "elsewhere")
    with pytest.raises(SettingsError, match=r"datasets\.letters\.files: letters\.bin needs a role; kind cifar has: archive"):
        raw_files(KEY, make_cifar(place, BODY, files=make_dataset().files), place.raw)


def test_the_combined_checksum_depends_on_every_file_and_their_order(place):
    one, other = (raw_files(KEY, make_cifar(place, data), place.raw)[0] for data in (BODY, SUBSET))
    assert len({combined_checksum(files) for files in ([one], [other], [one, other], [other, one])}) == 4
