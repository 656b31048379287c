"""Arrays -> batches for training and testing.

What an epoch holds follows from (seed, epoch) alone: the order of the samples, and how each sample is moved (augmentation.py),
whichever batch it falls into.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tsslbp.data.images import Split
from tsslbp.data.kinds import load_split
from tsslbp.data.processed import Recordings, load_record
from tsslbp.method.augmentation import draw_moves, gather_images, no_moves
from tsslbp.method.seeding import ORDER, sample_generator
from tsslbp.settings import Augmentation, Dataset, Model
from tsslbp.storage.records import DataRecord
from tsslbp.system import compiled

Batch = tuple[Tensor, Tensor]
"""Samples x, in the form that `SpikingNetwork.forward` takes, and their labels, int64 (B,)."""

HELD_OUT_SHARE = 12
"""One training sample in so many is held out where the epoch is chosen on held-out samples: 5,000 of 60,000."""
HELD_OUT_SEED = 2020
"""Which samples are held out is part of the variant, not of a seed: all seeds choose on the same ones."""


class Batches(ABC):
    """Some samples in batches of equal size; the last batch is smaller where they do not come out even.

    Args:
        labels: of all samples.
        batch_size: samples per batch.
        members: indices of the samples that belong to it; None: all.

    Attributes:
        samples: how many there are.
    """

    def __init__(self, labels: NDArray[np.uint8], batch_size: int, members: NDArray[np.int64] | None = None) -> None:
        self._members = np.arange(len(labels)) if members is None else members
        self.samples = len(self._members)
        self._labels = labels.astype(np.int64)
        self._batch_size = batch_size

    def __len__(self) -> int:
        return -(-self.samples // self._batch_size)

    def in_order(self) -> Iterator[Batch]:
        """All samples as they are, in their own order."""
        return self._batches(np.arange(self.samples), no_moves(self.samples))

    def shuffled(self, seed: int, epoch: int) -> Iterator[Batch]:
        """All samples in the random order of this seed and epoch, moved where there is an augmentation."""
        return self._batches(sample_generator(seed, epoch, ORDER).permutation(self.samples), self._moves(seed, epoch))

    def _batches(self, order: NDArray[np.int64], moves: NDArray[np.float64]) -> Iterator[Batch]:
        for start in range(0, self.samples, self._batch_size):
            part = order[start : start + self._batch_size]
            chosen = self._members[part]
            yield self._samples(chosen, moves[part]), torch.from_numpy(self._labels[chosen])

    def _moves(self, seed: int, epoch: int) -> NDArray[np.float64]:
        """How each sample is moved in an epoch, see `augmentation.draw_moves`."""
        return no_moves(self.samples)

    @abstractmethod
    def _samples(self, chosen: NDArray[np.int64], moves: NDArray[np.float64]) -> Tensor:
        """The samples of these indices."""


class ImageBatches(Batches):
    """Still images: x is float32 (B, C, H, W), scaled to [0, 1] and normalized by channel.

    Args:
        split: the samples, kept in memory.
        mean: of each channel, on the scale from 0 to 1.
        std: of each channel.
        batch_size: samples per batch.
        augmentation: how `shuffled` moves them.
        members: indices of the samples that belong to it; None: all.
    """

    def __init__(
        self,
        split: Split,
        mean: Sequence[float],
        std: Sequence[float],
        batch_size: int,
        augmentation: Augmentation | None = None,
        members: NDArray[np.int64] | None = None,
    ) -> None:
        super().__init__(split.labels, batch_size, members)
        self._images = split.images
        self._augmentation = augmentation or Augmentation()
        # In the order and precision in which torchvision's ToTensor and Normalize compute it, so that every bit agrees.
        scaled = np.arange(256, dtype=np.float32) / np.float32(255)
        self._values = (scaled - np.array(mean, np.float32)[:, None]) / np.array(std, np.float32)[:, None]

    def _moves(self, seed: int, epoch: int) -> NDArray[np.float64]:
        return draw_moves(self._augmentation, self.samples, seed, epoch)

    def _samples(self, chosen: NDArray[np.int64], moves: NDArray[np.float64]) -> Tensor:
        x = torch.empty((len(chosen), *self._images.shape[1:]))
        gather_images(self._images, chosen, moves, self._values, x.numpy())
        return x


class EventBatches(Batches):
    """Recordings: x is uint8 (T, B, C, H, W), 0 or 1, with channels last in memory; of two channels the second is ON.

    Args:
        recordings: the samples, in at least `time_steps` steps.
        time_steps: T; the last step is always empty, see `events.bin_events`.
        batch_size: samples per batch.
        members: indices of the samples that belong to it; None: all.
    """

    def __init__(self, recordings: Recordings, time_steps: int, batch_size: int, members: NDArray[np.int64] | None = None) -> None:
        super().__init__(recordings.labels, batch_size, members)
        self._recordings = recordings
        self._time_steps = time_steps

    def _samples(self, chosen: NDArray[np.int64], moves: NDArray[np.float64]) -> Tensor:
        stored = self._recordings
        channels, height, width = stored.shape
        frames = torch.zeros((self._time_steps, len(chosen), height, width, channels), dtype=torch.uint8)
        flat = frames.view(self._time_steps, len(chosen), -1).numpy()
        _scatter_events(stored.cells, stored.offsets, stored.steps, chosen, flat, height * width)
        return frames.permute(0, 1, 4, 2, 3)


@compiled(cache=True)
def _scatter_events(cells: Any, offsets: Any, steps: Any, chosen: Any, frames: Any, pixels: int) -> None:
    """Set the bins of the chosen recordings in frames (T, B, pixels * channels) of zeros, channels last.

    One thread: 50 recordings of 100 steps take 1.3 ms, and waking a second thread saves a third of it at best, but costs a
    time slice (15 ms were measured) when another process has its core.
    """
    channels = frames.shape[2] // pixels
    for sample in range(len(chosen)):
        recording = chosen[sample]
        first = offsets[recording]
        for step in range(len(frames) - 1):
            for index in range(first + np.int64(steps[recording, step]), first + np.int64(steps[recording, step + 1])):
                channel, pixel = divmod(np.int64(cells[index]), pixels)
                frames[step, sample, channels * pixel + channel] = 1


@dataclass(frozen=True)
class Splits:
    """What a run trains and tests on; `held_out` chooses the epoch where the model's `selection` says so, and is not trained on."""

    train: Batches
    test: Batches
    held_out: Batches | None = None


def load_splits(folder: Path, dataset: Dataset, model: Model) -> tuple[Splits, DataRecord]:
    """The samples of a model, from a folder that `preprocess` wrote, and what data they are.

    Args:
        folder: the processed folder of the dataset.
        dataset: how the samples are shaped and scaled.
        model: its batch size, augmentation and selection, and its steps where samples are recordings.

    Raises:
        ValueError: the folder is missing, damaged, or of other settings; the message says which file, and what to do.
    """
    try:
        record = load_record(folder, dataset)
        sizes = {"train": record.train_samples, "test": record.test_samples}
        stored = {name: load_split(folder / name, dataset, samples) for name, samples in sizes.items()}
    except ValueError as error:
        raise ValueError(f"{error}\n{folder}: run the preprocess stage of {model.dataset} again") from None

    def batches(name: str, members: NDArray[np.int64] | None = None, augmentation: Augmentation | None = None) -> Batches:
        samples = stored[name]
        if isinstance(samples, Recordings):
            return EventBatches(samples, model.time_steps, model.batch_size, members)
        return ImageBatches(samples, dataset.mean, dataset.std, model.batch_size, augmentation, members)

    if model.selection == "test":
        return Splits(batches("train", augmentation=model.augmentation), batches("test")), record
    trained, held_out = held_out_split(record.train_samples)
    return Splits(batches("train", trained, model.augmentation), batches("test"), batches("train", held_out)), record


def held_out_split(samples: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices of the samples to train on and of those held out, sorted; the same for every seed.

    Raises:
        ValueError: there are too few to hold one out.
    """
    if samples < HELD_OUT_SHARE:
        raise ValueError(f"selection: held-out: {samples} training samples; at least {HELD_OUT_SHARE} are needed")
    order = np.random.default_rng(HELD_OUT_SEED).permutation(samples)
    count = samples // HELD_OUT_SHARE
    return np.sort(order[count:]), np.sort(order[:count])
