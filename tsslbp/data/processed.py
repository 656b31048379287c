"""Read back what `preprocess` wrote; every array is checked, so that whatever uses it can trust it."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from tsslbp.data.arrays import load_array
from tsslbp.data.events import Shape
from tsslbp.data.images import Split, check_split
from tsslbp.data.recordings import cell_type
from tsslbp.settings import Dataset, digest
from tsslbp.storage.files import checksum
from tsslbp.storage.records import DataRecord

PIECE = 1 << 24
"""Elements of a memory-mapped array that are looked at in one go."""


@dataclass(frozen=True)
class Recordings:
    """The sparse arrays of one split; recordings.py says what is in them. `cells` stays on disk until it is used.

    Attributes:
        cells: (cells,), uint16 or uint32.
        offsets: (n + 1,).
        steps: (n, time_steps + 1).
        labels: (n,).
        shape: channels, height and width of a frame.
    """

    cells: NDArray[Any]
    offsets: NDArray[np.int64]
    steps: NDArray[np.uint32]
    labels: NDArray[np.uint8]
    shape: Shape

    def frames(self, index: int, time_steps: int | None = None) -> NDArray[np.uint8]:
        """Return the frames of one recording.

        Args:
            index: which recording.
            time_steps: how many steps, at most as many as were kept, which None stands for; the last is always empty, as in
                `events.bin_events`.

        Returns:
            (time_steps, channels, height, width), 0 or 1.
        """
        time_steps = self.steps.shape[1] - 1 if time_steps is None else time_steps
        steps = self.steps[index, :time_steps].astype(np.int64)  # where the steps before the last begin, and the last of them ends
        cells = self.cells[self.offsets[index] : self.offsets[index] + steps[-1]]
        frames = np.zeros((time_steps, math.prod(self.shape)), np.uint8)
        frames[np.repeat(np.arange(time_steps - 1), np.diff(steps)), cells] = 1
        return frames.reshape(time_steps, *self.shape)


def load_record(folder: Path, dataset: Dataset | None = None) -> DataRecord:
    """Read a processed folder's `data.json`, and check that it is of these settings where some are given.

    Raises:
        ValueError: it is missing or damaged, or of samples of another shape.
    """
    path = folder / "data.json"
    try:
        record = DataRecord.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        entry = error.errors(include_url=False)[0]
        raise ValueError(f"{path}: missing or damaged ({'.'.join(map(str, entry['loc'])) or 'all of it'}: {entry['msg']})") from None
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"{path}: missing or damaged ({error})") from None
    if dataset is not None and record.shape not in ((), dataset.shape):
        raise ValueError(f"{path}: samples of shape {list(record.shape)}, but the settings say {list(dataset.shape)}")
    return record


def check_arrays(folder: Path, record: DataRecord) -> None:
    """Raise a ValueError where the arrays of a processed folder are not those that its data.json names."""
    if record.arrays and arrays_checksum(folder) != record.arrays:
        raise ValueError(
            f"{folder}: damaged: its arrays are not those that data.json names; run the preprocess stage of {record.dataset} again"
        )


def arrays_checksum(folder: Path) -> str:
    """Return one checksum over all arrays of a folder, by name."""
    return digest({str(path.relative_to(folder)): checksum(path, "sha256") for path in sorted(folder.rglob("*.npy"))})


def load_images(folder: Path, dataset: Dataset, samples: int) -> Split:
    """Read one split of still images into memory.

    Raises:
        ValueError: an array is missing, damaged, or not what the settings and `data.json` say.
    """
    split = read_images(folder, samples, dataset.shape)
    check_split(str(folder), split, dataset.shape, dataset.classes)
    return split


def read_images(folder: Path, samples: int, shape: Shape) -> Split:
    """Read one split of still images of this shape into memory; see `load_images`."""
    return Split(
        images=load_array(folder / "images.npy", np.uint8, (samples, *shape)),
        labels=load_array(folder / "labels.npy", np.uint8, (samples,)),
    )


def load_recordings(folder: Path, dataset: Dataset, samples: int) -> Recordings:
    """Open one split of recordings.

    Raises:
        ValueError: an array is missing, damaged, at odds with another, or not what the settings and `data.json` say.
    """
    recordings = open_recordings(folder, samples, dataset.shape, dataset.time_steps)
    if recordings.labels.max(initial=0) >= dataset.classes:
        raise ValueError(f"{folder / 'labels.npy'}: label {recordings.labels.max()}; labels are 0 to {dataset.classes - 1}")
    return recordings


def open_recordings(folder: Path, samples: int, shape: Shape, time_steps: int | None = None) -> Recordings:
    """Open one split of recordings of this shape and, where it is given, of so many steps; see `load_recordings`."""
    steps = None if time_steps is None else time_steps + 1
    recordings = Recordings(
        cells=load_array(folder / "cells.npy", cell_type(shape), (None,), mapped=True),
        offsets=load_array(folder / "offsets.npy", np.int64, (samples + 1,)),
        steps=load_array(folder / "steps.npy", np.uint32, (samples, steps)),
        labels=load_array(folder / "labels.npy", np.uint8, (samples,)),
        shape=shape,
    )
    _check_consistent(folder, recordings)
    return recordings


def _check_consistent(folder: Path, recordings: Recordings) -> None:
    cells, offsets, steps = recordings.cells, recordings.offsets, recordings.steps
    counts, time_steps = np.diff(offsets), steps.shape[1] - 1
    if offsets[0] != 0 or offsets[-1] != len(cells) or counts.min(initial=0) < 0:
        raise ValueError(f"{folder / 'offsets.npy'}: damaged: does not divide the {len(cells)} cells among {len(counts)} recordings")
    if time_steps < 1 or steps[:, 0].any() or (steps[:, -1] != counts).any() or (steps[:, 1:] < steps[:, :-1]).any():
        raise ValueError(f"{folder / 'steps.npy'}: damaged: does not divide the cells of each recording among {time_steps} steps")
    frame = math.prod(recordings.shape)
    for start in range(0, len(cells), PIECE):
        if cells[start : start + PIECE].max() >= frame:
            raise ValueError(f"{folder / 'cells.npy'}: damaged: a cell beyond the {frame} of a step")
