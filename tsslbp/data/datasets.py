"""Datasets for a training loop of your own: `torch.utils.data.Dataset` by torchvision's conventions.

`NMNIST` reads the published archives; `ProcessedImages` and `ProcessedEvents` read what `preprocess` wrote. All of them work in
a `DataLoader` with workers, forked or spawned: files are opened anew in each process, and none is pickled.

A `DataLoader` puts the batch first, (B, T, C, H, W); this package's networks take time first: `x.transpose(0, 1)`.
"""

import zipfile
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from tsslbp.arguments import MOST_STEPS, shown, whole
from tsslbp.data.archives import open_zip
from tsslbp.data.event_checks import check_bins, check_time
from tsslbp.data.events import SHAPE, Events, bin_events, select_time, stabilize
from tsslbp.data.images import Split
from tsslbp.data.processed import Recordings, check_arrays, load_record, open_recordings, read_images
from tsslbp.data.readers import EVENT_FILES, list_members, read_recording
from tsslbp.data.samples import Samples, Transform

Arrays = TypeVar("Arrays", Split, Recordings)

CLASSES = ("0 - zero", "1 - one", "2 - two", "3 - three", "4 - four", "5 - five", "6 - six", "7 - seven", "8 - eight", "9 - nine")


class NMNIST(Samples[zipfile.ZipFile]):
    """N-MNIST from its published archives, in the order of the recordings' numbers.

    A sample is `(events, label)`: with `time_steps=None` a structured array with the fields x, y, p and t (microseconds), see
    `tsslbp.data.events.EVENT`; otherwise frames, a uint8 tensor (time_steps, 2, 34, 34) of zeros and ones, whose last step is
    always empty, see `tsslbp.data.events.bin_events`. Arrays of events differ in length, and PyTorch makes no tensor of
    them: a `DataLoader` of them needs a `collate_fn`, such as `list`, which keeps the samples as they are.

    Args:
        root: the folder of Train.zip and Test.zip, such as `data/raw/nmnist` after the download stage.
        train: training recordings, otherwise test recordings.
        time_steps: number of steps of the frames; None for events.
        transform: applied to each sample.
        target_transform: applied to each label.
        stabilize: take the camera's movement out of the coordinates.
        window_us: length of a step in microseconds.
        first_us: start of the window of time that is kept; see `tsslbp.data.events.select_time`.
        last_us: its end, None for that of the recording; the first saccade is `last_us=105_000`.

    Attributes:
        targets: the label of each sample.
        classes: the name of each label.

    Raises:
        FileNotFoundError: there is no such archive.
        TypeError: a number is not a whole one, or stabilize is not a truth value.
        ValueError: a number is out of range, no time is left to keep, or the archive is damaged or does not hold N-MNIST's recordings.

    >>> import tempfile, zipfile
    >>> root = tempfile.mkdtemp()
    >>> with zipfile.ZipFile(f"{root}/Train.zip", "w") as archive:
    ...     archive.writestr("Train/7/00001.bin", bytes([20, 10, 0x80, 0x03, 0xE8]))
    >>> events, label = NMNIST(root, stabilize=False)[0]
    >>> events["x"].tolist(), events["t"].tolist(), label
    ([20], [1000], 7)
    >>> frames, label = NMNIST(root, time_steps=30)[0]
    >>> frames.shape, frames.nonzero().tolist()
    (torch.Size([30, 2, 34, 34]), [[0, 1, 10, 20]])
    """

    def __init__(
        self,
        root: str | Path,
        train: bool = True,
        time_steps: int | None = None,
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        *,
        stabilize: bool = True,
        window_us: int = 3000,
        first_us: int = 0,
        last_us: int | None = None,
    ) -> None:
        check_bins(MOST_STEPS if time_steps is None else time_steps, window_us, SHAPE)
        check_time(first_us, last_us)
        if not isinstance(stabilize, (bool, np.bool_)):
            raise TypeError(f"stabilize {shown(stabilize)}: expected True or False")
        self._path = Path(root) / EVENT_FILES[0 if train else 1]
        if not self._path.is_file():
            raise FileNotFoundError(f"{self._path}: missing; root is the folder of {' and '.join(EVENT_FILES)}, got {root}")
        with open_zip(self._path) as archive:
            members = list_members(self._path, archive, classes=10)
        super().__init__(root, train, [member.label for member in members], list(CLASSES), transform, target_transform)
        self.time_steps, self.window_us = time_steps, window_us
        self._names = [member.name for member in members]
        self._kept = (stabilize, first_us, last_us)

    def _open(self) -> zipfile.ZipFile:
        return open_zip(self._path)

    def _sample(self, source: zipfile.ZipFile, index: int) -> Events | Tensor:
        stabilizes, first_us, last_us = self._kept
        events = read_recording(self._path, source, self._names[index])
        return self._frames(select_time(stabilize(events) if stabilizes else events, first_us, last_us))

    def _frames(self, events: Events) -> Events | Tensor:
        if self.time_steps is None:
            return events
        frames = torch.zeros(self.time_steps, *SHAPE, dtype=torch.uint8)
        frames[tuple(torch.from_numpy(bin_events(events, self.time_steps, self.window_us).astype(np.int64)).T)] = 1
        return frames


class _Processed(Samples[Arrays]):
    """A split of a folder that `preprocess` wrote."""

    def __init__(
        self, root: str | Path, train: bool = True, transform: Transform | None = None, target_transform: Transform | None = None
    ) -> None:
        record = load_record(Path(root))
        if not record.shape:
            raise ValueError(f"{Path(root) / 'data.json'}: written by an older version; run the preprocess stage of {record.dataset} again")
        self._folder = Path(root) / ("train" if train else "test")
        self._count, self._shape = record.train_samples if train else record.test_samples, record.shape
        classes = [str(label) for label in range(record.classes)]
        check_arrays(Path(root), record)
        super().__init__(root, train, self._open().labels.tolist(), classes, transform, target_transform)


class ProcessedImages(_Processed[Split]):
    """Still images from a processed folder, such as `data/processed/mnist`.

    A sample is `(image, label)`, the image a uint8 tensor (channels, height, width) of values from 0 to 255.

    Args:
        root: the processed folder, which holds data.json.
        train: training images, otherwise test images.
        transform: applied to each image.
        target_transform: applied to each label.

    Attributes:
        targets: the label of each sample.
        classes: the name of each label.

    Raises:
        ValueError: the folder is missing or damaged.

    >>> import json, pathlib, tempfile
    >>> root = pathlib.Path(tempfile.mkdtemp())
    >>> record = {"dataset": "d", "title": "D", "checksum": "", "train_samples": 2, "test_samples": 0}
    >>> _ = (root / "data.json").write_text(json.dumps(record | {"shape": [1, 4, 4], "classes": 10}))
    >>> (root / "train").mkdir()
    >>> np.save(root / "train/images.npy", np.full((2, 1, 4, 4), 255, np.uint8))
    >>> np.save(root / "train/labels.npy", np.array([3, 1], np.uint8))
    >>> image, label = ProcessedImages(root, transform=lambda image: image / 255)[0]
    >>> image.shape, image.max(), label
    (torch.Size([1, 4, 4]), tensor(1.), 3)
    """

    def _open(self) -> Split:
        return read_images(self._folder, self._count, self._shape)

    def _sample(self, source: Split, index: int) -> Tensor:
        return torch.from_numpy(source.images[index].copy())


class ProcessedEvents(_Processed[Recordings]):
    """Frames of events from a processed folder, such as `data/processed/nmnist`.

    A sample is `(frames, label)`, the frames a uint8 tensor (time_steps, channels, height, width) of zeros and ones, whose last
    step is always empty, see `tsslbp.data.events.bin_events`.

    Args:
        root: the processed folder, which holds data.json.
        train: training recordings, otherwise test recordings.
        time_steps: number of steps; None for as many as were kept.
        transform: applied to the frames.
        target_transform: applied to each label.

    Attributes:
        targets: the label of each sample.
        classes: the name of each label.

    Raises:
        TypeError: time_steps is not a whole number.
        ValueError: the folder is missing or damaged, or fewer steps were kept.
    """

    def __init__(
        self,
        root: str | Path,
        train: bool = True,
        time_steps: int | None = None,
        transform: Transform | None = None,
        target_transform: Transform | None = None,
    ) -> None:
        super().__init__(root, train, transform, target_transform)
        kept = self._open().steps.shape[1] - 1
        try:
            self.time_steps = kept if time_steps is None else whole("time_steps", time_steps, 1, kept)
        except ValueError:
            raise ValueError(f"time_steps: got {time_steps}; allowed: 1 to {kept}, the steps that {root} keeps") from None

    def _open(self) -> Recordings:
        return open_recordings(self._folder, self._count, self._shape)

    def _sample(self, source: Recordings, index: int) -> Tensor:
        return torch.from_numpy(source.frames(index, self.time_steps))
