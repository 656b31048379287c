"""Read archives after a check of every entry; nothing is ever unpacked to the disk.

An archive is refused as a whole when one entry cannot belong to a dataset: a path that leads out of the archive, a link, a
device, more data than declared, or a few bytes that claim to be gigabytes. What packing programs add or change without harm
is accepted: the files that a Mac puts beside the others, backslashes in place of slashes, one more folder around everything.
"""

import gzip
import io
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Collection
from dataclasses import dataclass
from ntpath import splitdrive  # pathlib's own idea of a drive differs between versions of Python
from pathlib import Path, PurePosixPath
from posixpath import normpath


@dataclass(frozen=True)
class Limits:
    """What an archive may hold.

    Attributes:
        total: bytes of all entries, unpacked; N-MNIST's Train.zip, the largest archive, holds 1.3 GB.
        entry: bytes of one entry; CIFAR-10's batches have 31 MB, MNIST's training images 47 MB.
        ratio: unpacked size of one entry divided by its packed size; events reach 1.3, images 10, and deflate allows 1,032.
    """

    total: int = 1 << 32
    entry: int = 1 << 28
    ratio: int = 100


class ArchiveError(ValueError):
    """An archive that is damaged, or holds what a dataset cannot hold; the message names archive and entry."""


_DAMAGED = (
    *(zipfile.BadZipFile, tarfile.TarError, gzip.BadGzipFile, zlib.error, struct.error, EOFError, NotImplementedError),
    *(ValueError, LookupError, OverflowError, RecursionError),
)
"""What the readers of the standard library raise for a damaged file: their own errors, and those of what they call."""


def entry_path(name: str) -> str:
    """Return the path of an entry with slashes; some programs on Windows write backslashes.

    >>> entry_path("Train\\\\0\\\\00001.bin")
    'Train/0/00001.bin'
    """
    return name.replace("\\", "/")


def is_metadata(name: str) -> bool:
    """Tell whether an entry is what a Mac packs beside each file: `__MACOSX/...` or `._...`.

    >>> is_metadata("__MACOSX/Train/0/._00001.bin"), is_metadata("Train/0/00001.bin")
    (True, False)
    """
    parts = PurePosixPath(entry_path(name)).parts
    return "__MACOSX" in parts or bool(parts and parts[-1].startswith("._"))


def check_name(archive: Path, name: str) -> None:
    """Refuse an entry whose path leads out of the archive or upwards in it, and one whose name cannot be that of a file.

    Raises:
        ArchiveError: names archive and entry.
    """
    path = entry_path(name)
    if path.startswith("/") or splitdrive(path)[0] or PurePosixPath(normpath(path)).parts[:1] == ("..",):
        raise ArchiveError(f"{archive}: entry {name!r} leads out of the archive; refused")
    if not path or "\0" in path:
        raise ArchiveError(f"{archive}: entry {name!r} has {'a zero byte in its name' if path else 'no name'}; refused")
    if ".." in PurePosixPath(path).parts:
        raise ArchiveError(f"{archive}: entry {name!r} has '..' in its path; refused")


def open_zip(path: Path, limits: Limits | None = None) -> zipfile.ZipFile:
    """Open a zip archive after a check of every entry that it lists; close it, or use it in a `with` block.

    Raises:
        ArchiveError: the archive is damaged, or an entry is refused.
        OSError: the file cannot be read.
    """
    try:
        archive = zipfile.ZipFile(path)
    except _DAMAGED as error:
        raise ArchiveError(f"{path}: not a readable zip archive ({error})") from None
    try:
        _check_zip(path, archive, limits or Limits())
    except BaseException:
        archive.close()
        raise
    return archive


def _check_zip(path: Path, archive: zipfile.ZipFile, limits: Limits) -> None:
    seen: set[str] = set()
    for entry in archive.infolist():
        check_name(path, entry.filename)
        if entry_path(entry.filename) in seen:
            raise ArchiveError(f"{path}: entry {entry.filename!r} appears twice")
        seen.add(entry_path(entry.filename))
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise ArchiveError(f"{path}: entry {entry.filename!r} is a link or a device; refused")
        if entry.flag_bits & 0x1:
            raise ArchiveError(f"{path}: entry {entry.filename!r} is encrypted")
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            # The other methods unpack without a limit: 4 KB of bzip2 can become gigabytes, whatever the entry declares.
            raise ArchiveError(f"{path}: entry {entry.filename!r} is packed by method {entry.compress_type}, not by deflate; refused")
        if entry.file_size > limits.entry or entry.file_size > limits.ratio * max(entry.compress_size, 1):
            raise ArchiveError(f"{path}: entry {entry.filename!r} claims {entry.file_size:,} bytes in {entry.compress_size:,}; refused")
    if sum(entry.file_size for entry in archive.infolist()) > limits.total:
        raise ArchiveError(f"{path}: the entries claim more than {limits.total:,} bytes together; refused")
    # Entries that share their packed bytes are how a small archive claims a lot without a suspicious ratio.
    if sum(entry.compress_size for entry in archive.infolist()) > path.stat().st_size:
        raise ArchiveError(f"{path}: the entries claim more packed bytes than the file has; refused")


def read_entry(archive: zipfile.ZipFile, name: str) -> bytes:
    """Read one entry of a zip archive into memory.

    Raises:
        ArchiveError: the entry is damaged, or not as long as declared.
    """
    entry = archive.getinfo(name)
    try:
        with archive.open(entry) as file:
            # One byte more than declared: zipfile checks the checksum only at the end of the data.
            data = file.read(entry.file_size + 1)
    except (*_DAMAGED, OSError, RuntimeError) as error:
        raise ArchiveError(f"{archive.filename}: entry {name!r} is damaged ({error})") from None
    if len(data) != entry.file_size:
        raise ArchiveError(f"{archive.filename}: entry {name!r} has {len(data)} bytes, but declares {entry.file_size}")
    return data


class _Capped(io.RawIOBase):
    """A stream that fails after `limit` bytes: how long a packed file is becomes known only at its end."""

    def __init__(self, stream: gzip.GzipFile, path: Path, limit: int) -> None:
        self._stream, self._path, self._limit, self._left = stream, path, limit, limit

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(min(size, self._left + 1) if size >= 0 else self._left + 1)
        self._left -= len(data)
        if self._left < 0:
            raise ArchiveError(f"{self._path}: unpacks to more than {self._limit:,} bytes; refused")
        return data


def read_gzip(path: Path, limits: Limits | None = None) -> bytes:
    """Unpack a gzip file into memory.

    Raises:
        ArchiveError: the file is damaged, or unpacks to more than one entry may hold.
    """
    try:
        with gzip.open(path, "rb") as stream:
            return _Capped(stream, path, (limits or Limits()).entry).read()
    except ArchiveError:
        raise
    except _DAMAGED as error:
        raise ArchiveError(f"{path}: damaged gzip file ({error})") from None


def read_tar(path: Path, names: Collection[str], limits: Limits | None = None) -> dict[str, bytes]:
    """Read the named entries of a .tar.gz archive into memory, after a check of each entry on the way.

    Args:
        path: the archive.
        names: paths within the archive; each may lie in further folders.
        limits: what the archive may hold.

    Returns:
        The content of each entry by its name in `names`.

    Raises:
        ArchiveError: the archive is damaged, an entry is refused, or a name is missing or appears twice.
    """
    limits = limits or Limits()
    found: dict[str, bytes] = {}
    try:
        with gzip.open(path, "rb") as packed:
            # The cap is on the stream, because a header can be a bomb as well.
            stream = _Capped(packed, path, 2 * limits.entry)
            with tarfile.open(fileobj=stream, mode="r|") as archive:
                for entry in archive:
                    _check_tar_entry(path, entry, limits)
                    name = _wanted(entry.name, names)
                    if name in found:
                        raise ArchiveError(f"{path}: entry {name!r} appears twice")
                    if name is not None and (file := archive.extractfile(entry)) is not None:
                        found[name] = file.read()
            stream.read()  # gzip's own checksum comes last
    except ArchiveError:
        raise
    except _DAMAGED as error:
        raise ArchiveError(f"{path}: damaged archive ({error})") from None
    if missing := sorted(set(names) - found.keys()):
        raise ArchiveError(f"{path}: entry {missing[0]!r} is missing")
    return found


def _wanted(entry: str, names: Collection[str]) -> str | None:
    """Return the one of `names` that an entry is, in whatever folder it lies; None for any other entry."""
    if is_metadata(entry):
        return None
    path = f"/{entry_path(entry)}"
    return next((name for name in names if path.endswith(f"/{name}")), None)


def _check_tar_entry(path: Path, entry: tarfile.TarInfo, limits: Limits) -> None:
    check_name(path, entry.name)
    if entry.type not in (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.DIRTYPE) or entry.issparse():
        raise ArchiveError(f"{path}: entry {entry.name!r} is a link, a device or sparse; refused")
    if entry.size > limits.entry:
        raise ArchiveError(f"{path}: entry {entry.name!r} claims {entry.size:,} bytes; refused")
