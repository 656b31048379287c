"""Archives, checked before anything is read from them; nothing is ever unpacked to the disk.

An archive is refused as a whole when one entry could not be what a dataset holds: a path that leads out of the archive, a
link, a device, more data than declared, or a few bytes that claim to be gigabytes.
"""

import gzip
import io
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath


@dataclass(frozen=True)
class Limits:
    """What an archive may hold.

    Attributes:
        total: bytes of all entries, unpacked. N-MNIST's Train.zip, the largest of all, holds 1.3 GB.
        entry: bytes of one entry. CIFAR-10's batches have 31 MB, MNIST's training images 47 MB.
        ratio: unpacked to packed size of one entry. Event records reach 1.3, images 10; deflate at its most 1,032.
    """

    total: int = 1 << 32
    entry: int = 1 << 28
    ratio: int = 100


class ArchiveError(ValueError):
    """An archive that is damaged or holds what no dataset holds; the message names archive and entry."""


_DAMAGED = (
    *(zipfile.BadZipFile, tarfile.TarError, gzip.BadGzipFile, zlib.error, struct.error, EOFError, NotImplementedError),
    *(ValueError, LookupError, OverflowError, RecursionError),
)
"""What the readers of the standard library let out when a file is damaged: their own errors, and those of what they call."""


def check_name(archive: Path, name: str) -> None:
    """Refuse an entry whose path is absolute, leads upwards, or is written for another system.

    Raises:
        ArchiveError: names archive and entry.
    """
    windows = PureWindowsPath(name)
    if not name or name.startswith("/") or windows.drive or "\\" in name or "\0" in name or ".." in PurePosixPath(name).parts:
        raise ArchiveError(f"{archive}: entry {name!r} leads out of the archive; refused")


@contextmanager
def open_zip(path: Path, limits: Limits | None = None) -> Iterator[zipfile.ZipFile]:
    """Open a zip archive, after a check of every entry that it lists.

    Raises:
        ArchiveError: the archive is damaged, or an entry is refused.
    """
    try:
        archive = zipfile.ZipFile(path)
    except _DAMAGED as error:
        raise ArchiveError(f"{path}: no readable zip archive ({error})") from None
    with archive:
        _check_zip(path, archive, limits or Limits())
        yield archive


def _check_zip(path: Path, archive: zipfile.ZipFile, limits: Limits) -> None:
    seen: set[str] = set()
    for entry in archive.infolist():
        check_name(path, entry.filename)
        if entry.filename in seen:
            raise ArchiveError(f"{path}: entry {entry.filename!r} stands there twice")
        seen.add(entry.filename)
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise ArchiveError(f"{path}: entry {entry.filename!r} is a link or a device; refused")
        if entry.flag_bits & 0x1:
            raise ArchiveError(f"{path}: entry {entry.filename!r} is encrypted")
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            # The others are unpacked without a limit: 4 KB of bzip2 can be gigabytes, whatever the entry declares.
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
            # One byte more than declared: the check of the checksum happens at the end of the data only.
            data = file.read(entry.file_size + 1)
    except (*_DAMAGED, OSError, RuntimeError) as error:
        raise ArchiveError(f"{archive.filename}: entry {name!r} is damaged ({error})") from None
    if len(data) != entry.file_size:
        raise ArchiveError(f"{archive.filename}: entry {name!r} has {len(data)} bytes, but declares {entry.file_size}")
    return data


class _Capped(io.RawIOBase):
    """A stream that fails after `limit` bytes: what a packed file unpacks to is known only afterwards."""

    def __init__(self, stream: gzip.GzipFile, path: Path, limit: int) -> None:
        self._stream, self._path, self._left = stream, path, limit

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(min(size, self._left + 1) if size >= 0 else self._left + 1)
        self._left -= len(data)
        if self._left < 0:
            raise ArchiveError(f"{self._path}: unpacks to more than allowed; refused")
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

    Raises:
        ArchiveError: the archive is damaged, an entry is refused, or a name is missing or stands there twice.
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
                    if entry.name in found:
                        raise ArchiveError(f"{path}: entry {entry.name!r} stands there twice")
                    if entry.name in names and (file := archive.extractfile(entry)) is not None:
                        found[entry.name] = file.read()
            stream.read()  # gzip's own checksum comes last
    except ArchiveError:
        raise
    except _DAMAGED as error:
        raise ArchiveError(f"{path}: damaged archive ({error})") from None
    if missing := sorted(set(names) - found.keys()):
        raise ArchiveError(f"{path}: entry {missing[0]!r} is missing")
    return found


def _check_tar_entry(path: Path, entry: tarfile.TarInfo, limits: Limits) -> None:
    check_name(path, entry.name)
    if entry.type not in (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.DIRTYPE) or entry.issparse():
        raise ArchiveError(f"{path}: entry {entry.name!r} is a link, a device or sparse; refused")
    if entry.size > limits.entry:
        raise ArchiveError(f"{path}: entry {entry.name!r} claims {entry.size:,} bytes; refused")
