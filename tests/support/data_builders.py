"""Small datasets on disk, for all tests that read data."""

import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

from tsslbp.data.digits import idx_bytes
from tsslbp.data.events import EVENT, write_events
from tsslbp.data.images import IMAGE_FILES
from tsslbp.data.preprocessing import preprocess
from tsslbp.progress import Silent
from tsslbp.settings import CountLossSettings, Dataset, KernelLossSettings, Model

needs_mirror = pytest.mark.skipif(not os.environ.get("TSSLBP_MIRROR"), reason="TSSLBP_MIRROR names no folder with the real data")


def image_dataset(**changes) -> Dataset:
    values = {"title": "Images", "kind": "digits", "shape": (1, 4, 5), "classes": 10, "train_samples": 13, "test_samples": 7}
    return Dataset(**(values | {"mean": (0.1307,), "std": (0.3081,)} | changes))


def event_dataset(**changes) -> Dataset:
    values = {"title": "Events", "kind": "simulated-events", "shape": (2, 34, 34), "classes": 10, "train_samples": 13, "test_samples": 7}
    return Dataset(**(values | {"time_steps": 100, "window_us": 3000, "stabilize": True} | changes))


def make_model(dataset: Dataset, time_steps: int = 5, batch_size: int = 4) -> Model:
    loss = (
        CountLossSettings(kind="count", desired_count=1.0, undesired_count=0.0)
        if dataset.is_events
        else KernelLossSettings(kind="kernel", desired_train=(1,) * time_steps)
    )
    return Model(
        dataset="small",
        recipe="2021-03",
        architecture="5",
        padding=0,
        time_steps=time_steps,
        tau_m=5.0,
        tau_s=3.0,
        threshold=1.0,
        conv_gain=1.0,
        dropout=0.0,
        loss=loss,
        learning_rate=0.001,
        batch_size=batch_size,
        epochs=1,
    )


def write_images(folder: Path, dataset: Dataset, seed: int = 0) -> tuple[np.ndarray, ...]:
    """Random IDX files; returns what they hold, in the order of IMAGE_FILES."""
    generator = np.random.default_rng(seed)
    arrays = []
    for samples in (dataset.train_samples, dataset.test_samples):
        arrays.append(generator.integers(0, 256, (samples, *dataset.shape[1:]), np.uint8))
        arrays.append(generator.integers(0, dataset.classes, samples, np.uint8))
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in zip(IMAGE_FILES, arrays, strict=True):
        (folder / name).write_bytes(idx_bytes(array))
    return tuple(arrays)


def random_events(generator: np.random.Generator, count: int = 200) -> np.ndarray:
    """Events all over the sensor in 320 ms, in the order of time."""
    events = np.empty(count, EVENT)
    events["x"], events["y"] = generator.integers(0, 34, (2, count))
    events["p"], events["t"] = generator.integers(0, 2, count), np.sort(generator.integers(0, 320_000, count))
    return events


def write_recordings(folder: Path, dataset: Dataset, seed: int = 0) -> dict[str, list[tuple[int, np.ndarray]]]:
    """Random archives, their entries in no order; returns label and events of each sample, by archive and number."""
    generator = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    written = {}
    for split, samples in (("Train", dataset.train_samples), ("Test", dataset.test_samples)):
        written[split] = [(int(generator.integers(10)), random_events(generator)) for _ in range(samples)]
        with zipfile.ZipFile(folder / f"{split}.zip", "w") as archive:
            archive.writestr(f"{split}/", b"")
            archive.writestr(f"{split}/readme.txt", b"not a recording")
            for index in generator.permutation(samples):
                label, events = written[split][index]
                archive.writestr(f"{split}/{label}/{index + 1:05}.bin", write_events(events))
    return written


class Said(Silent):
    """A `Progress` that keeps what it is told in a list."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines

    def say(self, text: str) -> None:
        self.lines.append(text)


def preprocess_small(dataset, root, workers=1, told=None):
    progress = Silent() if told is None else Said(told)
    return preprocess("small", dataset, root / "raw", root / "processed", workers, progress)


def restored(folder, index):
    """Label and rows (step, polarity, y, x) of one processed recording."""
    arrays = {name: np.load(folder / f"{name}.npy") for name in ("cells", "offsets", "steps", "labels")}
    cells = arrays["cells"][arrays["offsets"][index] : arrays["offsets"][index + 1]]
    steps = arrays["steps"][index].astype(int)
    step = np.repeat(np.arange(len(steps) - 1), np.diff(steps))
    return arrays["labels"][index], np.column_stack([step, *np.unravel_index(cells, (2, 34, 34))])


def prepared(root, dataset, write):
    written = write(root / "raw", dataset)
    preprocess("small", dataset, root / "raw", root / "processed", 1, Silent())
    return root / "processed", written
