"""Arrays -> batches for training and testing.

What an epoch holds follows from (seed, epoch) alone: the order of the samples, and how each sample is cropped and flipped,
whichever batch it falls into.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor

from tsslbp.data.events import SENSOR
from tsslbp.data.images import Split
from tsslbp.data.stored import Recordings, load_images, load_record, load_recordings
from tsslbp.method.seeding import AUGMENTATION, ORDER, sample_generator
from tsslbp.settings import Dataset, Model
from tsslbp.storage.records import DataRecord

Batch = tuple[Tensor, Tensor]
"""Samples x, in the form that `SpikingNetwork.forward` takes, and their labels, int64 (B,)."""

CROP_PADDING = 4
PIXELS = SENSOR * SENSOR


class Batches(ABC):
    """The samples of one split in batches of equal size; the last one is smaller where they do not come out even.

    Attributes:
        samples: how many there are.
        labels: (samples,), int64.
    """

    def __init__(self, labels: NDArray[np.uint8], batch_size: int) -> None:
        self.samples = len(labels)
        self.labels = labels.astype(np.int64)
        self._batch_size = batch_size

    def __len__(self) -> int:
        return -(-self.samples // self._batch_size)

    def in_order(self) -> Iterator[Batch]:
        """All samples as they are, in their own order."""
        return self._batches(np.arange(self.samples), self._unmoved())

    def shuffled(self, seed: int, epoch: int) -> Iterator[Batch]:
        """All samples in the random order of this seed and epoch, augmented where the dataset says so."""
        return self._batches(sample_generator(seed, epoch, ORDER).permutation(self.samples), self._moves(seed, epoch))

    def _batches(self, order: NDArray[np.int64], moves: NDArray[np.int8]) -> Iterator[Batch]:
        for start in range(0, self.samples, self._batch_size):
            chosen = order[start : start + self._batch_size]
            yield self._samples(chosen, moves[chosen]), torch.from_numpy(self.labels[chosen])

    def _unmoved(self) -> NDArray[np.int8]:
        return np.zeros((self.samples, 3), np.int8)

    def _moves(self, seed: int, epoch: int) -> NDArray[np.int8]:
        """How each sample is moved, (samples, 3): rows down, columns to the right, whether mirrored."""
        return self._unmoved()

    @abstractmethod
    def _samples(self, chosen: NDArray[np.int64], moves: NDArray[np.int8]) -> Tensor:
        """The samples of these indices."""


class ImageBatches(Batches):
    """Still images: x is float32 (B, C, H, W), scaled to [0, 1] and normalised by channel.

    Args:
        split: the samples, kept in memory.
        mean: of each channel, on the scale from 0 to 1.
        std: of each channel.
        batch_size: samples a batch.
        crop_flip: whether `shuffled` cuts each image at random out of itself with 4 pixels of black around it, and mirrors
            every second one.
    """

    def __init__(self, split: Split, mean: Sequence[float], std: Sequence[float], batch_size: int, crop_flip: bool = False) -> None:
        super().__init__(split.labels, batch_size)
        self._images = split.images
        self._crop_flip = crop_flip
        # In the order and precision in which torchvision's ToTensor and Normalize compute it, so that every bit agrees.
        scaled = np.arange(256, dtype=np.float32) / np.float32(255)
        self._values = (scaled - np.array(mean, np.float32)[:, None]) / np.array(std, np.float32)[:, None]

    def _moves(self, seed: int, epoch: int) -> NDArray[np.int8]:
        if not self._crop_flip:
            return self._unmoved()
        generator = sample_generator(seed, epoch, AUGMENTATION)
        shifts = generator.integers(-CROP_PADDING, CROP_PADDING, (self.samples, 2), np.int8, endpoint=True)
        return np.hstack([shifts, generator.integers(0, 2, (self.samples, 1), np.int8)])

    def _samples(self, chosen: NDArray[np.int64], moves: NDArray[np.int8]) -> Tensor:
        x = torch.empty((len(chosen), *self._images.shape[1:]))
        _gather_images(self._images, chosen, moves, self._values, x.numpy())
        return x


class EventBatches(Batches):
    """Recordings: x is uint8 (T, B, 2, 34, 34), 0 or 1, with channels last in memory; polarity 1 is ON.

    Args:
        recordings: the samples, in at least `time_steps` steps.
        time_steps: T; the last step is always empty, see `events.bin_events`.
        batch_size: samples a batch.
    """

    def __init__(self, recordings: Recordings, time_steps: int, batch_size: int) -> None:
        super().__init__(recordings.labels, batch_size)
        self._recordings = recordings
        self._time_steps = time_steps

    def _samples(self, chosen: NDArray[np.int64], moves: NDArray[np.int8]) -> Tensor:
        frames = torch.zeros((self._time_steps, len(chosen), SENSOR, SENSOR, 2), dtype=torch.uint8)
        stored = self._recordings
        _scatter_events(stored.cells, stored.offsets, stored.steps, chosen, frames.view(self._time_steps, len(chosen), -1).numpy())
        return frames.permute(0, 1, 4, 2, 3)


@njit(cache=True, nogil=True)
def _gather_images(
    images: NDArray[np.uint8], chosen: NDArray[np.int64], moves: NDArray[np.int8], values: NDArray[np.float32], x: NDArray[np.float32]
) -> None:
    """One pass from stored bytes to normalised samples; what a move brings in from outside is black."""
    height, width = images.shape[2:]
    for sample in range(len(chosen)):
        image = images[chosen[sample]]
        down, right, mirrored = moves[sample]
        for channel in range(images.shape[1]):
            for row in range(height):
                source_row = row + down
                for column in range(width):
                    source_column = (width - 1 - column if mirrored else column) + right
                    inside = 0 <= source_row < height and 0 <= source_column < width
                    x[sample, channel, row, column] = values[channel, image[channel, source_row, source_column] if inside else 0]


@njit(cache=True, nogil=True)
def _scatter_events(
    cells: NDArray[np.uint16], offsets: NDArray[np.int64], steps: NDArray[np.uint32], chosen: NDArray[np.int64], frames: NDArray[np.uint8]
) -> None:
    """Set the bins of the chosen recordings in frames (T, B, 34 * 34 * 2) of zeros, channels last.

    One thread: 50 recordings of 100 steps take 1.3 ms, and waking a second thread saves a third of it at best, but costs a
    time slice (15 ms were measured) when another process has its core.
    """
    for sample in range(len(chosen)):
        recording = chosen[sample]
        first = offsets[recording]
        for step in range(len(frames) - 1):
            for index in range(first + np.int64(steps[recording, step]), first + np.int64(steps[recording, step + 1])):
                polarity, pixel = divmod(np.int64(cells[index]), PIXELS)
                frames[step, sample, 2 * pixel + polarity] = 1


def load_batches(folder: Path, dataset: Dataset, model: Model) -> tuple[Batches, Batches, DataRecord]:
    """The training and test samples of a model, from a folder that `preprocess` wrote.

    Args:
        folder: the processed folder of the dataset.
        dataset: how the samples are shaped and scaled.
        model: its batch size, and its steps where samples are recordings.

    Returns:
        Training batches, test batches, and what data they are.

    Raises:
        ValueError: the folder is missing, damaged, or of other settings; the message says which file, and what to do.
    """
    try:
        record = load_record(folder)
        splits = (("train", record.train_samples), ("test", record.test_samples))
        if dataset.is_events:
            train, test = (
                EventBatches(load_recordings(folder / name, dataset, samples), model.time_steps, model.batch_size)
                for name, samples in splits
            )
            return train, test, record
        train_images, test_images = (load_images(folder / name, dataset, samples) for name, samples in splits)
    except ValueError as error:
        raise ValueError(f"{error}\n{folder}: run the preprocess stage of {model.dataset} again") from None
    scale = (dataset.mean, dataset.std, model.batch_size)
    return ImageBatches(train_images, *scale, crop_flip=dataset.augmentation == "crop-flip"), ImageBatches(test_images, *scale), record
