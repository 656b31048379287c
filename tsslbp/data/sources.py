"""Fetch the raw files of a dataset, from a mirror or its URLs, and verify them against the checksums in params.yaml.

A file gets its own name in the raw folder only once its checksum is right. What is on its way (`.name.partial`) or was
refused (`name.refused`) lies in another folder.
"""

import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tsslbp.data.raw_files import RawFile, SourceError, accepted, repacked_advice
from tsslbp.data.transfer import Downloader, RetryPolicy, TransferError
from tsslbp.progress import Progress, Silent
from tsslbp.settings import Dataset, SourceFile
from tsslbp.storage.files import checksum
from tsslbp.storage.folders import write_errors_named

MISSING = "missing"


def fetch(
    key: str,
    dataset: Dataset,
    folder: Path,
    incoming: Path,
    mirror: Path | None = None,
    progress: Progress | None = None,
    policy: RetryPolicy | None = None,
) -> tuple[RawFile, ...]:
    """Bring every file of a dataset into `folder`: from there itself, from the mirror, or from its URLs in turn.

    Args:
        key: the dataset's name; files of the mirror lie in `<mirror>/<key>/`.
        dataset: its settings, which list the files.
        folder: where verified files go.
        incoming: where partial and refused files go; on the same file system as `folder`.
        mirror: a folder that is read and never written.
        progress: told of every file and every refusal.
        policy: how often to ask servers, and how long to wait for them.

    Returns:
        The files, in the order of the settings.

    Raises:
        SourceError: no place has a right file; the message gives the reason for each. Or `incoming` is on another disk.
        OSError: a folder cannot be written.
    """
    progress = progress or Silent()
    downloader = Downloader(progress, policy or RetryPolicy())
    folder.mkdir(parents=True, exist_ok=True)
    incoming.mkdir(parents=True, exist_ok=True)
    if folder.stat().st_dev != incoming.stat().st_dev:
        raise SourceError(
            f"{folder}: lies on another disk than {incoming}, from where finished files move into it; to have the data elsewhere "
            f"make {incoming.parent.parent} itself a link"
        )
    files = tuple(_Search(key, source, folder, incoming, mirror, progress, downloader).run() for source in dataset.files)
    with suppress(OSError):  # it still holds refused files
        incoming.rmdir()
    return files


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
        note = accepted(self.source)[md5]
        origin = "already there" if place == str(self.target) else f"from {place}"
        self.progress.say(f"{self.target}: {origin}, checksum right" + (f"; a subset: {note}" if note else ""))
        return RawFile(self.target, md5, note)

    def _already_there(self) -> str:
        if not self.target.exists():
            raise TransferError(MISSING)
        return self._checked_or_set_aside(self.target)

    def _copy(self, mirrored: Path) -> str:
        try:
            if not mirrored.is_file():
                raise TransferError(MISSING)
            self._checked(mirrored)
        except OSError as error:  # what cannot be written, on the other hand, no other source mends
            raise TransferError(f"cannot be read ({error.strerror})") from None
        with mirrored.open("rb") as source, self.partial.open("wb") as partial:
            shutil.copyfileobj(source, partial)  # whose errors, unlike those of copyfile, do not name the source
        return self._accept()

    def _download(self, url: str) -> str:
        # A download that was killed between its last byte and its new name is complete already.
        if not (self.partial.exists() and checksum(self.partial) in accepted(self.source)):
            resumed = self.downloader.download(url, self.partial)
            if resumed and checksum(self.partial) not in accepted(self.source):
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
        if md5 in accepted(self.source):
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
        repacked = f" {repacked_advice(self.key)}" if any(": checksum" in reason for reason in reasons) else ""
        return (
            f"{self.key}: {name} could not be had from anywhere:\n{tried}\n"
            f"Put the file there by hand, or set TSSLBP_MIRROR to a folder that holds {self.key}/{name} ({where}).{repacked}"
        )
