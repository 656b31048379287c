import gzip
import io
import stat
import struct
import tarfile
import zipfile

import pytest

from tsslbp.data.archives import ArchiveError, Limits, open_zip, read_entry, read_gzip, read_tar

BAD_NAMES = ["../x", "a/../../x", "/etc/passwd", "C:/x", "C:x", "::", "1:x", "C:\\x", "a\\..\\..\\x", "\\\\server\\x", "//server/x", ".."]


def make_zip(path, entries, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for entry, data in entries:
            archive.writestr(entry, data)
    return path


def read_all(path, limits=None):
    with open_zip(path, limits) as archive:
        return {name: read_entry(archive, name) for name in archive.namelist()}


def zip_entry(name, mode):
    entry = zipfile.ZipInfo(name)
    entry.external_attr = mode << 16
    return entry


def test_a_good_zip_is_read(tmp_path):
    path = make_zip(tmp_path / "a.zip", [("Train/", b""), ("Train/0/1.bin", b"12345"), ("empty", b"")])
    assert read_all(path) == {"Train/": b"", "Train/0/1.bin": b"12345", "empty": b""}


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_zip_entry_that_leads_out_is_refused(tmp_path, name):
    path = make_zip(tmp_path / "a.zip", [("good", b"1"), (name, b"2")])
    with pytest.raises(ArchiveError, match=r"a\.zip: entry .* leads out"):
        read_all(path)


@pytest.mark.parametrize("name", ["a/../x", "a\\..\\x"])
def test_a_zip_entry_that_leads_upwards_is_refused_for_what_it_is(tmp_path, name):
    with pytest.raises(ArchiveError, match=r"a\.zip: entry .* has '\.\.' in its path"):
        read_all(make_zip(tmp_path / "a.zip", [(name, b"2")]))


def test_a_zip_packed_on_windows_is_read(tmp_path):
    names = ["Train\\", "Train\\0\\1.bin"]
    path = make_zip(tmp_path / "a.zip", [(zipfile.ZipInfo(name), b"12") for name in names])
    assert list(read_all(path)) == names
    with pytest.raises(ArchiveError, match=r"entry 'a\\\\b' appears twice"):
        read_all(make_zip(path, [("a/b", b"1"), ("a\\b", b"2")]))


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK])
def test_a_zip_entry_that_is_no_file_is_refused(tmp_path, kind):
    path = make_zip(tmp_path / "a.zip", [(zip_entry("link", kind | 0o777), b"/etc/passwd")])
    with pytest.raises(ArchiveError, match=r"a\.zip: entry 'link' is a link or a device"):
        read_all(path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_zip_entry_that_stands_there_twice_is_refused(tmp_path):
    with pytest.raises(ArchiveError, match="entry 'x' appears twice"):
        read_all(make_zip(tmp_path / "a.zip", [("x", b"1"), ("x", b"2")]))


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (Limits(ratio=100), "entry 'zeros' claims 1,000,000 bytes in"),
        (Limits(ratio=10_000, entry=999_999), "entry 'zeros' claims 1,000,000 bytes in"),
        (Limits(ratio=10_000, total=1_000_000), "more than 1,000,000 bytes together"),
    ],
)
def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path, limits, message):
    path = make_zip(tmp_path / "a.zip", [("zeros", bytes(1_000_000)), ("one", b"1")])
    with pytest.raises(ArchiveError, match=message):
        read_all(path, limits)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_entry_of_a_method_that_unpacks_without_limit_is_refused(tmp_path, method):
    with pytest.raises(ArchiveError, match=f"entry 'x' is packed by method {method}, not by deflate; refused"):
        read_all(make_zip(tmp_path / "a.zip", [("x", b"1" * 50)], method))


def patch_sizes(path, packed=None, unpacked=None, number=0):
    """Overwrite what the central directory says of one entry's sizes."""
    data = bytearray(path.read_bytes())
    start = -1
    for _ in range(number + 1):
        start = data.index(b"PK\1\2", start + 1)
    for offset, value in ((20, packed), (24, unpacked)):
        if value is not None:
            struct.pack_into("<I", data, start + offset, value)
    path.write_bytes(data)


@pytest.mark.parametrize("declared", [10, 999, 1001, 5000])
@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])
def test_an_entry_that_is_not_as_long_as_declared_is_refused(tmp_path, declared, compression):
    path = make_zip(tmp_path / "a.zip", [("x", bytes(range(250)) * 4)], compression)
    patch_sizes(path, unpacked=declared)
    with pytest.raises(ArchiveError, match=r"a\.zip: entry 'x'"):
        read_all(path)


def test_entries_that_share_their_bytes_are_refused(tmp_path):
    path = make_zip(tmp_path / "a.zip", [("x", bytes(range(250)) * 4), ("y", b"")], zipfile.ZIP_STORED)
    patch_sizes(path, packed=1000, unpacked=1000, number=1)
    with pytest.raises(ArchiveError, match="more packed bytes than the file has"):
        read_all(path)


def test_an_encrypted_entry_is_named(tmp_path):
    path = make_zip(tmp_path / "a.zip", [("x", b"123")])
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\1\2") + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(ArchiveError, match="entry 'x' is encrypted"):
        read_all(path)


def test_every_damaged_byte_of_a_zip_is_an_error_or_harmless(tmp_path):
    """But for the two of the length of the first entry's comment, which then covers the second entry: samples are counted later."""
    original = {"Train/0/1.bin": bytes(range(200)), "b": b"second"}
    whole = make_zip(tmp_path / "a.zip", original.items()).read_bytes()
    comment = whole.index(b"PK\1\2") + 32
    for position in range(len(whole)):
        path = tmp_path / "damaged.zip"
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 0x55]) + whole[position + 1 :])
        try:
            contents = read_all(path)
        except ArchiveError as error:
            assert "damaged.zip" in str(error)
        else:
            assert contents == original or (position in (comment, comment + 1) and contents == {"Train/0/1.bin": bytes(range(200))})


@pytest.mark.parametrize("keep", [0, 3, 100, -1])
def test_a_truncated_zip_is_named(tmp_path, keep):
    path = make_zip(tmp_path / "a.zip", [("x", bytes(range(250)))])
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ArchiveError, match=r"a\.zip: not a readable zip archive"):
        read_all(path)


def make_tar(path, entries):
    with tarfile.open(path, "w:gz") as archive:
        for entry, data in entries:
            info = tarfile.TarInfo(entry) if isinstance(entry, str) else entry
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def tar_entry(name, kind, target=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def test_a_good_tar_is_read(tmp_path):
    path = make_tar(tmp_path / "a.tar.gz", [(tar_entry("d", tarfile.DIRTYPE), b""), ("d/x", b"1"), ("d/y", b"2")])
    assert read_tar(path, ["d/y", "d/x"]) == {"d/x": b"1", "d/y": b"2"}


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_tar_entry_that_leads_out_is_refused(tmp_path, name):
    with pytest.raises(ArchiveError, match=r"a\.tar\.gz: entry .* leads out"):
        read_tar(make_tar(tmp_path / "a.tar.gz", [("x", b"1"), (name, b"2")]), ["x"])


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, tarfile.GNUTYPE_SPARSE]
)
def test_a_tar_entry_that_is_no_file_is_refused(tmp_path, kind):
    path = make_tar(tmp_path / "a.tar.gz", [(tar_entry("x", kind, "/etc/passwd"), b"")])
    with pytest.raises(ArchiveError, match=r"a\.tar\.gz: (entry 'x' is a link|damaged)"):
        read_tar(path, ["x"])


def test_a_tar_entry_with_holes_is_refused(tmp_path):
    entry = tarfile.TarInfo("x")
    entry.pax_headers = {"GNU.sparse.map": "0,1", "GNU.sparse.size": "100"}
    with pytest.raises(ArchiveError, match=r"a\.tar\.gz: entry 'x' is a link, a device or sparse"):
        read_tar(make_tar(tmp_path / "a.tar.gz", [(entry, b"1")]), ["x"])


def test_what_a_tar_lacks_or_has_twice_is_named(tmp_path):
    path = make_tar(tmp_path / "a.tar.gz", [("x", b"1"), ("x", b"2")])
    with pytest.raises(ArchiveError, match="entry 'x' appears twice"):
        read_tar(path, ["x"])
    with pytest.raises(ArchiveError, match="entry 'y' is missing"):
        read_tar(make_tar(tmp_path / "b.tar.gz", [("x", b"1")]), ["x", "y"])


@pytest.mark.parametrize("folder", ["./", "cifar/", "./a/b/", "a\\"])
def test_a_tar_packed_again_on_a_mac_is_read(tmp_path, folder):
    entries = [(f"{folder}._d", b"Mac OS X"), (f"{folder}d/x", b"1"), (f"{folder}d/._x", b"Mac OS X"), (f"{folder}__MACOSX/d/x", b"2")]
    path = make_tar(tmp_path / "a.tar.gz", entries)
    assert read_tar(path, ["d/x"]) == {"d/x": b"1"}
    with pytest.raises(ArchiveError, match="entry 'd/x' appears twice"):
        read_tar(make_tar(path, [(f"{folder}d/x", b"1"), ("other/d/x", b"1")]), ["d/x"])


def test_a_tar_bomb_is_refused(tmp_path):
    with pytest.raises(ArchiveError, match="entry 'zeros' claims 1,000,000 bytes"):
        read_tar(make_tar(tmp_path / "a.tar.gz", [("zeros", bytes(1_000_000))]), [], Limits(entry=999_999))
    many = make_tar(tmp_path / "b.tar.gz", [(f"zeros{index}", bytes(900_000)) for index in range(3)])
    with pytest.raises(ArchiveError, match="unpacks to more than 2,000,000 bytes"):
        read_tar(many, [], Limits(entry=1_000_000))


def test_a_header_that_is_a_bomb_is_refused(tmp_path):
    header = tar_entry("x", tarfile.XHDTYPE)
    header.size = 1 << 32
    path = tmp_path / "a.tar.gz"
    path.write_bytes(gzip.compress(header.tobuf() + bytes(3_000_000)))
    with pytest.raises(ArchiveError, match=r"a\.tar\.gz"):
        read_tar(path, [], Limits(entry=1_000_000))


@pytest.mark.parametrize("keep", [0, 5, 60, -9])
def test_a_truncated_tar_or_gzip_is_named(tmp_path, keep):
    path = make_tar(tmp_path / "a.tar.gz", [("x", bytes(range(250)))])
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ArchiveError, match=r"a\.tar\.gz: damaged archive"):
        read_tar(path, ["x"])
    if keep:
        with pytest.raises(ArchiveError, match=r"a\.tar\.gz: damaged gzip"):
            read_gzip(path)


def test_gzip_is_unpacked_up_to_the_limit(tmp_path):
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(bytes(1000)))
    assert read_gzip(path, Limits(entry=1000)) == bytes(1000)
    with pytest.raises(ArchiveError, match=r"a\.gz: unpacks to more than 999 bytes"):
        read_gzip(path, Limits(entry=999))
