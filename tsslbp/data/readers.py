"""List and read the recordings of a raw file, whatever its format: a new one needs a function like `decode_nmnist`."""

import re
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tsslbp.data.archives import entry_path, is_metadata, open_zip, read_entry
from tsslbp.data.events import Events, Shape, read_events

EVENT_FILES = ("Train.zip", "Test.zip")
"""N-MNIST's own names for its two files."""


@dataclass(frozen=True)
class Member:
    """A recording in a raw file."""

    name: str
    label: int
    number: int


@dataclass(frozen=True)
class Reader:
    """How the recordings of a raw file are listed and read; both functions run in worker processes, too.

    Attributes:
        members: (file, classes) -> its recordings, in the order of the samples.
        read: (file, names, shape of a frame) -> the events of these recordings, one after another.
    """

    members: Callable[[Path, int], list[Member]]
    read: Callable[[Path, Sequence[str], Shape], Iterator[Events]]


def zipped(decode: Callable[[bytes, Shape], Events], suffix: str = ".bin") -> Reader:
    """Return the reader of a zip archive with an entry `<label>/<number><suffix>` for each recording.

    Args:
        decode: a recording's bytes and the shape of a frame -> its events; a function of a module, as it is sent to workers.
            A ValueError out of it is told with the name of the archive and the entry.
        suffix: how the name of a recording ends, in small or capital letters.
    """
    return Reader(partial(_zip_members, suffix), partial(_read_zip, decode))


def decode_nmnist(data: bytes, shape: Shape) -> Events:
    """Decode a recording in N-MNIST's format from a sensor of this shape."""
    return read_events(data, sensor=shape[1:])


def _zip_members(suffix: str, path: Path, classes: int) -> list[Member]:
    with open_zip(path) as archive:
        return list_members(path, archive, classes, suffix)


def _read_zip(decode: Callable[[bytes, Shape], Events], path: Path, names: Sequence[str], shape: Shape) -> Iterator[Events]:
    with open_zip(path) as archive:
        for name in names:
            yield read_recording(path, archive, name, lambda data: decode(data, shape))


def read_recording(path: Path, archive: zipfile.ZipFile, name: str, decode: Callable[[bytes], Events] = read_events) -> Events:
    """Read one recording of an open archive.

    Raises:
        ValueError: the entry is damaged; the message names archive and entry.
    """
    data = read_entry(archive, name)
    try:
        return decode(data)
    except ValueError as error:
        raise ValueError(f"{path}: entry {name!r}: {error}") from None


def list_members(path: Path, archive: zipfile.ZipFile, classes: int, suffix: str = ".bin") -> list[Member]:
    """List the recordings of an archive by number, so that sample i is the same everywhere.

    Their names are `<label>/<number>.bin`, all within the same further folders, if any.

    Raises:
        ValueError: a recording has another name, its label is not a class, or there are none.
    """
    pattern = re.compile(rf"(?:(.*)/)?([0-9]{{1,9}})/([0-9]{{1,9}}){re.escape(suffix)}", re.IGNORECASE | re.DOTALL)
    members: list[Member] = []
    places: dict[str | None, str] = {}
    for name in archive.namelist():
        if is_metadata(name) or not name.lower().endswith(suffix.lower()):
            continue
        match = pattern.fullmatch(entry_path(name))
        if match is None or int(match[2]) >= classes:
            raise ValueError(f"{path}: entry {name!r}; a recording is named <label>/<number>{suffix} with a label from 0 to {classes - 1}")
        places.setdefault(match[1], name)
        members.append(Member(name, int(match[2]), int(match[3])))
    if not members:
        raise ValueError(f"{path}: holds no recordings, <label>/<number>{suffix}")
    if len(places) > 1:
        first, second = list(places.values())[:2]
        raise ValueError(f"{path}: entries {first!r} and {second!r} lie in different folders; one archive holds one split")
    return sorted(members, key=lambda member: (member.number, member.label, member.name))


NMNIST = zipped(decode_nmnist)
"""The reader of N-MNIST's archives."""
