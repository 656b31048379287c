"""What `preprocess` stored, read back: every array is checked, so that what uses it can trust it."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from tsslbp.data.arrays import load_array
from tsslbp.data.images import Split, check_split
from tsslbp.data.recordings import FRAME
from tsslbp.settings import Dataset
from tsslbp.storage.records import DataRecord

PIECE = 1 << 24
"""Elements of a memory-mapped array that are looked at in one go."""


@dataclass(frozen=True)
class Recordings:
    """The sparse arrays of one split; see `recordings`. `cells` stays on disk until it is needed."""

    cells: NDArray[np.uint16]
    offsets: NDArray[np.int64]
    steps: NDArray[np.uint32]
    labels: NDArray[np.uint8]


def load_record(folder: Path) -> DataRecord:
    """Read a processed folder's `data.json`.

    Raises:
        ValueError: it is missing or damaged.
    """
    path = folder / "data.json"
    try:
        return DataRecord.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, ValidationError) as error:
        raise ValueError(f"{path}: missing or damaged ({error})") from None


def load_images(folder: Path, dataset: Dataset, samples: int) -> Split:
    """Read one split of still images into memory.

    Raises:
        ValueError: an array is missing, damaged, or not what the settings and `data.json` say.
    """
    split = Split(
        images=load_array(folder / "images.npy", np.uint8, (samples, *dataset.shape)),
        labels=load_array(folder / "labels.npy", np.uint8, (samples,)),
    )
    check_split(str(folder), split, dataset.shape, dataset.classes)
    return split


def load_recordings(folder: Path, dataset: Dataset, samples: int) -> Recordings:
    """Open one split of recordings.

    Raises:
        ValueError: an array is missing, damaged, at odds with another, or not what the settings and `data.json` say.
    """
    assert dataset.time_steps is not None  # which a dataset of events always has
    stored = Recordings(
        cells=load_array(folder / "cells.npy", np.uint16, (None,), mapped=True),
        offsets=load_array(folder / "offsets.npy", np.int64, (samples + 1,)),
        steps=load_array(folder / "steps.npy", np.uint32, (samples, dataset.time_steps + 1)),
        labels=load_array(folder / "labels.npy", np.uint8, (samples,)),
    )
    if stored.labels.max(initial=0) >= dataset.classes:
        raise ValueError(f"{folder / 'labels.npy'}: label {stored.labels.max()}; labels are 0 to {dataset.classes - 1}")
    counts = np.diff(stored.offsets)
    if stored.offsets[0] != 0 or stored.offsets[-1] != len(stored.cells) or counts.min(initial=0) < 0:
        raise ValueError(f"{folder / 'offsets.npy'}: damaged: does not divide the {len(stored.cells)} cells among {samples} recordings")
    steps = stored.steps
    if steps[:, 0].any() or (steps[:, -1] != counts).any() or (steps[:, 1:] < steps[:, :-1]).any():
        raise ValueError(f"{folder / 'steps.npy'}: damaged: does not divide the cells of each recording among {dataset.time_steps} steps")
    for start in range(0, len(stored.cells), PIECE):
        if stored.cells[start : start + PIECE].max() >= FRAME:
            raise ValueError(f"{folder / 'cells.npy'}: damaged: a cell beyond the {FRAME} of a step")
    return stored
