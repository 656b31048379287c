"""What each kind of dataset is: its files, how they are fetched or made, how they become arrays, how arrays are read back.

One entry per kind in `KINDS`, at the end; nothing else looks at `dataset.kind`. A kind of still images has a function that reads
its raw files, a kind of recordings has a `Reader`. Images with files of other names, and cameras of other sizes, need no entry:
their settings say so.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tsslbp.data.images import IMAGE_FILES, Split, check_split, read_cifar, read_idx_splits
from tsslbp.data.processed import Recordings, load_images, load_recordings
from tsslbp.data.raw_files import RawFile, verify
from tsslbp.data.readers import EVENT_FILES, NMNIST, Reader
from tsslbp.data.recordings import Converted, convert
from tsslbp.progress import Progress
from tsslbp.settings import Dataset, SettingsError

SPLITS = ("train", "test")
IMAGE_ROLES = ("train-images", "train-labels", "test-images", "test-labels")


@dataclass(frozen=True)
class Order:
    """The raw files of one dataset, to be brought into `folder`.

    Attributes:
        key: the dataset's name.
        dataset: its settings.
        folder: where the files go, each under its name once it is complete.
        incoming: where files lie that are on their way.
        mirror: a folder to look into before the network, if any.
        workers: how many processes or threads to use.
        progress: told what goes on.
    """

    key: str
    dataset: Dataset
    folder: Path
    incoming: Path
    mirror: Path | None
    workers: int
    progress: Progress


@dataclass(frozen=True)
class Kind(ABC):
    """A kind of dataset.

    Attributes:
        files: role -> usual name of every raw file, in the order in which files are read and their checksums combined.
        obtain: brings the raw files into their folder.
        channels: number of channels that the files hold; None where any number is possible.
    """

    files: Mapping[str, str]
    obtain: Callable[[Order], None]
    channels: int | None

    is_events = False

    @abstractmethod
    def convert(self, files: Sequence[RawFile], folder: Path, dataset: Dataset, workers: int, progress: Progress) -> list[Converted]:
        """Convert raw files into the arrays of `SPLITS`, each in its own folder in `folder`; returns what each split holds."""

    @abstractmethod
    def load(self, folder: Path, dataset: Dataset, samples: int) -> Split | Recordings:
        """Read the arrays of one split back."""


@dataclass(frozen=True)
class ImageKind(Kind):
    """Still images; `read` turns the raw files, in the order of `files`, into training and test images."""

    read: Callable[[Sequence[Path]], tuple[Split, Split]]

    def convert(self, files: Sequence[RawFile], folder: Path, dataset: Dataset, workers: int, progress: Progress) -> list[Converted]:
        """Read the files, check the images against the settings, and save them."""
        splits = self.read([file.path for file in files])
        for name, split in zip(SPLITS, splits, strict=True):
            check_split(f"{files[0].path.parent}: {name}", split, dataset.shape, dataset.classes)
            np.save(folder / name / "images.npy", split.images)
            np.save(folder / name / "labels.npy", split.labels)
        return [Converted(len(split.labels)) for split in splits]

    def load(self, folder: Path, dataset: Dataset, samples: int) -> Split:
        """Read images into memory."""
        return load_images(folder, dataset, samples)


@dataclass(frozen=True)
class EventKind(Kind):
    """Recordings of events, one raw file per split, read by `reader`."""

    reader: Reader

    is_events = True

    def convert(self, files: Sequence[RawFile], folder: Path, dataset: Dataset, workers: int, progress: Progress) -> list[Converted]:
        """Bin the recordings, several at a time."""
        return [
            convert(file.path, folder / split, dataset, workers, progress, self.reader) for split, file in zip(SPLITS, files, strict=True)
        ]

    def load(self, folder: Path, dataset: Dataset, samples: int) -> Recordings:
        """Open recordings; their cells stay on disk."""
        return load_recordings(folder, dataset, samples)


def kind_of(key: str, dataset: Dataset) -> Kind:
    """Return the kind of a dataset.

    Raises:
        SettingsError: there is no such kind; the message lists those there are.
    """
    if dataset.kind not in KINDS:
        raise SettingsError(f"datasets.{key}.kind: got {dataset.kind!r}; allowed: {', '.join(sorted(KINDS))}")
    return KINDS[dataset.kind]


def check_datasets(datasets: Mapping[str, Dataset]) -> list[str]:
    """Return what is wrong with the settings of datasets in the light of their kinds, a line each."""
    problems = []
    for key, dataset in datasets.items():
        try:
            kind = kind_of(key, dataset)
            _check_samples(key, dataset, kind)
            file_names(key, dataset)
        except SettingsError as problem:
            problems.append(str(problem))
    return problems


def _check_samples(key: str, dataset: Dataset, kind: Kind) -> None:
    if kind.is_events and not dataset.is_events:
        raise SettingsError(f"datasets.{key}: kind {dataset.kind} holds recordings; give time_steps, window_us and stabilize")
    if dataset.is_events and not kind.is_events:
        raise SettingsError(f"datasets.{key}: kind {dataset.kind} holds still images; give mean and std, no time_steps or window_us")
    if kind.channels not in (None, dataset.shape[0]):
        raise SettingsError(f"datasets.{key}.shape: got {dataset.shape[0]} channels; files of kind {dataset.kind} hold {kind.channels}")


def file_names(key: str, dataset: Dataset) -> list[str]:
    """Return the names of a dataset's raw files in the order of their roles.

    A file has the role that the settings give it, or else the one whose usual name it bears.

    Raises:
        SettingsError: the settings list files, but not exactly one for each role.
    """
    kind = kind_of(key, dataset)
    if not dataset.files and kind.obtain is not fetch:
        return list(kind.files.values())
    roles = {name: role for role, name in kind.files.items()}
    named: dict[str, str] = {}
    for source in dataset.files:
        role = source.role or roles.get(source.name)
        if role is None or role not in kind.files:
            raise SettingsError(f"datasets.{key}.files: {source.name} needs a role; kind {dataset.kind} has: {', '.join(kind.files)}")
        if role in named:
            raise SettingsError(f"datasets.{key}.files: {named[role]} and {source.name} both have the role {role}; give each its own")
        named[role] = source.name
    for role, name in kind.files.items():
        if role not in named:
            raise SettingsError(f"datasets.{key}.files: {role} is not listed; name its file {name}, or give it `role: {role}`")
    return [named[role] for role in kind.files]


def raw_files(key: str, dataset: Dataset, folder: Path) -> tuple[RawFile, ...]:
    """Return the raw files of a dataset, verified, in the order of their roles.

    Raises:
        SourceError: a file is missing or wrong; the message names it.
        SettingsError: see `file_names`.
    """
    return tuple(verify(key, file_names(key, dataset), dataset.files, folder))


def load_split(folder: Path, dataset: Dataset, samples: int) -> Split | Recordings:
    """Read one split of a processed dataset.

    Args:
        folder: `<processed folder>/train` or `<processed folder>/test`.
        dataset: its settings.
        samples: how many there are, which `data.json` says.

    Returns:
        A `Split` of still images in memory, or `Recordings` with their frames' shape.

    Raises:
        ValueError: an array is missing, damaged, or not what the settings and `data.json` say.
    """
    return kind_of(folder.parent.name, dataset).load(folder, dataset, samples)


def fetch(order: Order) -> None:
    """Fetch and verify the files that the settings list."""
    from tsslbp.data import sources  # here and below: what only one kind needs is imported when it is used

    sources.fetch(order.key, order.dataset, order.folder, order.incoming, order.mirror, order.progress)


def _digits(order: Order) -> None:
    from tsslbp.data.digits import write_digits

    write_digits(order.folder)


def _simulated(order: Order) -> None:
    from tsslbp.data.simulation import write_recordings

    write_recordings(order.folder, order.workers, order.progress)


_ARCHIVES = dict(zip(SPLITS, EVENT_FILES, strict=True))
_UNPACKED = dict(zip(IMAGE_ROLES, IMAGE_FILES, strict=True))
_PACKED = {role: f"{name}.gz" for role, name in _UNPACKED.items()}

KINDS: dict[str, Kind] = {
    "idx": ImageKind(_PACKED, fetch, channels=1, read=read_idx_splits),
    "digits": ImageKind(_UNPACKED, _digits, channels=1, read=read_idx_splits),
    "cifar": ImageKind({"archive": "cifar-10-python.tar.gz"}, fetch, channels=3, read=lambda paths: read_cifar(paths[0])),
    "events": EventKind(_ARCHIVES, fetch, channels=2, reader=NMNIST),
    "simulated-events": EventKind(_ARCHIVES, _simulated, channels=2, reader=NMNIST),
}
"""The kinds by the name that settings give them."""
