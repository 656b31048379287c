"""The raw files of a dataset: which there must be, and whether they are the right ones."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tsslbp.settings import SourceFile
from tsslbp.storage.files import checksum


class SourceError(ValueError):
    """A raw file that cannot be had, or is not what it should be; the message lists what was tried."""


@dataclass(frozen=True)
class RawFile:
    """A verified raw file; `note` says what is missing where it is a known subset of the official file."""

    path: Path
    md5: str
    note: str | None = None


def accepted(source: SourceFile) -> dict[str, str | None]:
    """Return every checksum that is right, with the note that goes with it."""
    return {subset.md5: subset.note for subset in source.subsets} | {source.md5: None}


def repacked_advice(key: str) -> str:
    """Return what to do about a file that is right but for its checksum, such as an archive that was packed again."""
    return f"A file that you trust, such as an archive packed again, is accepted once its MD5 is listed under `subsets` in datasets.{key}.files."


def verify(key: str, names: Sequence[str], listed: Sequence[SourceFile], folder: Path) -> Iterator[RawFile]:
    """Yield the raw files in the order of `names`; a file that no manifest lists, because it was generated, as it is.

    Args:
        key: the dataset's name.
        names: the files that must be there.
        listed: the files that the settings list, with their checksums.
        folder: the folder of the raw files.

    Raises:
        SourceError: a file is missing or wrong; the message names it.
    """
    sources = {source.name: source for source in listed}
    for name in names:
        path = folder / name
        if not path.is_file():
            raise SourceError(f"{path}: missing; run the download stage of {key}")
        md5 = checksum(path)
        if name not in sources:
            yield RawFile(path, md5)
        elif md5 in accepted(sources[name]):
            yield RawFile(path, md5, accepted(sources[name])[md5])
        else:
            raise SourceError(
                f"{path}: checksum {md5}, expected {sources[name].md5}; run the download stage of {key} again. {repacked_advice(key)}"
            )


def combined_checksum(files: Sequence[RawFile]) -> str:
    """Return one name for all raw files: the SHA-256 over their checksums in order."""
    return hashlib.sha256("".join(file.md5 for file in files).encode()).hexdigest()
