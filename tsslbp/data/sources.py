"""The raw files of a dataset: found, fetched and verified against the checksums in params.yaml.

A file counts as had only under its own name in the raw folder, and it gets that name only once its checksum is right. What
is on its way (`.name.partial`) or was refused (`name.refused`) lies in another folder.
"""

import hashlib
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tsslbp.data.transfer import Downloader, Patience, TransferError
from tsslbp.progress import Progress, Silent
from tsslbp.settings import Dataset, SourceFile
from tsslbp.storage.files import checksum
from tsslbp.storage.folders import write_errors_named

IMAGE_FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
EVENT_FILES = ("Train.zip", "Test.zip")
RAW_FILES: dict[str, tuple[str, ...]] = {
    "idx": tuple(f"{name}.gz" for name in IMAGE_FILES),
    "digits": IMAGE_FILES,
    "cifar": ("cifar-10-python.tar.gz",),
    "events": EVENT_FILES,
    "simulated-events": EVENT_FILES,
}
"""The raw files of each kind of dataset, in the order in which they are read and their checksums combined."""
MISSING = "missing"


class SourceError(ValueError):
    """A raw file that cannot be had, or is not what it should be; the message lists what was tried."""


@dataclass(frozen=True)
class RawFile:
    """A verified raw file; `note` says what is missing where it is a known subset of the official file."""

    path: Path
    md5: str
    note: str | None = None


def fetch(
    key: str,
    dataset: Dataset,
    folder: Path,
    incoming: Path,
    mirror: Path | None = None,
    progress: Progress | None = None,
    patience: Patience | None = None,
) -> tuple[RawFile, ...]:
    """Bring every file of a dataset into `folder`: from there itself, from the mirror, or from its URLs in turn.

    Args:
        key: the dataset's name; files of the mirror lie in `<mirror>/<key>/`.
        dataset: lists the files.
        folder: where verified files go.
        incoming: where partial and refused files go; on the same file system as `folder`.
        mirror: only read, never written.
        progress: told of every file and every refusal.
        patience: how long to wait for servers.

    Raises:
        SourceError: a file could be had from nowhere; the message gives the reason for each place.
        OSError: a folder cannot be written.
    """
    progress = progress or Silent()
    downloader = Downloader(progress, patience or Patience())
    folder.mkdir(parents=True, exist_ok=True)
    incoming.mkdir(parents=True, exist_ok=True)
    files = tuple(_Search(key, source, folder, incoming, mirror, progress, downloader).run() for source in dataset.files)
    with suppress(OSError):  # it still holds refused files
        incoming.rmdir()
    return files


def verify(key: str, dataset: Dataset, folder: Path) -> tuple[RawFile, ...]:
    """The raw files of a dataset in the order of `RAW_FILES`; generated ones, which no manifest lists, as they are.

    Raises:
        SourceError: a file is missing, wrong or not listed; the message names it.
    """
    listed = {source.name: source for source in dataset.files}
    files = []
    for name in RAW_FILES[dataset.kind]:
        path = folder / name
        if not path.is_file():
            raise SourceError(f"{path}: missing; run the download stage of {key}")
        md5 = checksum(path)
        if dataset.files and name not in listed:
            raise SourceError(f"datasets.{key}.files: {name} is not listed; a dataset of kind {dataset.kind} needs it")
        if dataset.files and md5 not in _accepted(listed[name]):
            raise SourceError(f"{path}: checksum {md5}, expected {listed[name].md5}; run the download stage of {key} again")
        files.append(RawFile(path, md5, _accepted(listed[name])[md5] if dataset.files else None))
    return tuple(files)


def combined_checksum(files: Sequence[RawFile]) -> str:
    """One name for all raw files: the SHA-256 over their checksums in order."""
    return hashlib.sha256("".join(file.md5 for file in files).encode()).hexdigest()


def _accepted(source: SourceFile) -> dict[str, str | None]:
    """Every checksum that is right, with the note that goes with it."""
    return {subset.md5: subset.note for subset in source.subsets} | {source.md5: None}


@dataclass(frozen=True)
class _Search:
    """The search for one file."""

    key: str
    source: SourceFile
    folder: Path
    incoming: Path
    mirror: Path | None
    progress: Progress
    downloader: Downloader

    @property
    def target(self) -> Path:
        return self.folder / self.source.name

    @property
    def partial(self) -> Path:
        return self.incoming / f".{self.source.name}.partial"

    def run(self) -> RawFile:
        """Try every place in turn."""
        places: list[tuple[str, Callable[[], str]]] = [(str(self.target), self._already_there)]
        if self.mirror is not None:
            mirrored = self.mirror / self.key / self.source.name
            places.append((str(mirrored), lambda: self._copy(mirrored)))
        places += [(url, partial(self._download, url)) for url in self.source.urls]
        reasons = []
        for place, attempt in places:
            try:
                with write_errors_named(self.target):
                    return self._found(place, attempt())
            except TransferError as reason:
                reasons.append(f"{place}: {reason}")
                if str(reason) != MISSING:
                    self.progress.say(reasons[-1])
        raise SourceError(self._explain(reasons))

    def _found(self, place: str, md5: str) -> RawFile:
        note = _accepted(self.source)[md5]
        origin = "already there" if place == str(self.target) else f"from {place}"
        self.progress.say(f"{self.target}: {origin}, checksum right" + (f"; a subset: {note}" if note else ""))
        return RawFile(self.target, md5, note)

    def _already_there(self) -> str:
        if not self.target.exists():
            raise TransferError(MISSING)
        return self._checked_or_set_aside(self.target)

    def _copy(self, mirrored: Path) -> str:
        if not mirrored.is_file():
            raise TransferError(MISSING)
        self._checked(mirrored)
        shutil.copyfile(mirrored, self.partial)
        return self._accept()

    def _download(self, url: str) -> str:
        # A download that was killed between its last byte and its new name is complete already.
        if not (self.partial.exists() and checksum(self.partial) in _accepted(self.source)):
            resumed = self.downloader.download(url, self.partial)
            if resumed and checksum(self.partial) not in _accepted(self.source):
                # The old part may have been the wrong one: the server gets a second chance to send it all.
                self.partial.unlink()
                self.downloader.download(url, self.partial)
        return self._accept()

    def _accept(self) -> str:
        """Give the partial file its name if it is right, set it aside otherwise."""
        md5 = self._checked_or_set_aside(self.partial)
        self.partial.replace(self.target)
        return md5

    def _checked(self, path: Path) -> str:
        md5 = checksum(path)
        if md5 in _accepted(self.source):
            return md5
        with path.open("rb") as file:
            start = file.read(64).lstrip().lower()
        page = "looks like an HTML page; " if start.startswith((b"<!doctype html", b"<html")) else ""
        raise TransferError(f"{page}checksum {md5}, expected {self.source.md5}")

    def _checked_or_set_aside(self, path: Path) -> str:
        try:
            return self._checked(path)
        except TransferError as wrong:
            aside = path.replace(self.incoming / f"{self.source.name}.refused")
            raise TransferError(f"{wrong}; set aside as {aside}") from None

    def _explain(self, reasons: Sequence[str]) -> str:
        name, where = self.source.name, "it is not set now" if self.mirror is None else f"it is {self.mirror} now"
        tried = "\n".join(f"  {reason}" for reason in reasons)
        return (
            f"{self.key}: {name} could not be had from anywhere:\n{tried}\n"
            f"Put the file there by hand, or set TSSLBP_MIRROR to a folder that holds {self.key}/{name} ({where})."
        )
