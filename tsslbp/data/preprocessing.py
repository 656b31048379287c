"""Raw files of a dataset -> compact arrays in a folder, which appears whole or not at all."""

import json
from pathlib import Path

import numpy as np

from tsslbp.data import images, recordings
from tsslbp.data.sources import RawFile, combined_checksum, verify
from tsslbp.progress import Progress
from tsslbp.settings import Dataset, digest
from tsslbp.storage.files import checksum, write_text
from tsslbp.storage.folders import whole_folder, write_errors_named
from tsslbp.storage.records import DataRecord

SPLITS = ("train", "test")


def preprocess(key: str, dataset: Dataset, raw: Path, processed: Path, workers: int, progress: Progress) -> DataRecord:
    """Convert the raw files in `raw` into arrays in `processed`, and describe them in its `data.json`.

    Args:
        key: the dataset's name.
        dataset: says of which kind the files are.
        raw: the folder of the raw files; every one is verified first.
        processed: replaced as a whole once everything is done.
        workers: processes for recordings; the arrays are the same for any number of them.
        progress: told what goes on.

    Raises:
        ValueError: a raw file is missing, wrong or damaged, or holds other samples than the settings say.
        OSError: a folder cannot be written.
        MemoryError: a worker was killed.
    """
    files = verify(key, dataset, raw)
    with write_errors_named(processed), whole_folder(processed) as folder:
        for split in SPLITS:
            (folder / split).mkdir()
        counts = (
            _convert_events(dataset, files, folder, workers, progress) if dataset.is_events else _convert_images(dataset, files, folder)
        )
        record = DataRecord(
            dataset=key,
            title=dataset.title,
            checksum=combined_checksum(files),
            train_samples=counts[0],
            test_samples=counts[1],
            subset=tuple(file.note for file in files if file.note is not None),
            arrays=_arrays_checksum(folder),
        )
        _check_counts(dataset, record)
        write_text(folder / "data.json", json.dumps(record.model_dump(mode="json"), indent=1) + "\n")
    progress.say(f"{processed}: {record.train_samples:,} training and {record.test_samples:,} test samples")
    return record


def _arrays_checksum(folder: Path) -> str:
    """One checksum over all arrays of a folder, by name."""
    return digest({str(path.relative_to(folder)): checksum(path, "sha256") for path in sorted(folder.rglob("*.npy"))})


def _convert_events(dataset: Dataset, files: tuple[RawFile, ...], folder: Path, workers: int, progress: Progress) -> list[int]:
    return [recordings.convert(file.path, folder / split, dataset, workers, progress) for split, file in zip(SPLITS, files, strict=True)]


def _convert_images(dataset: Dataset, files: tuple[RawFile, ...], folder: Path) -> list[int]:
    paths = [file.path for file in files]
    if dataset.kind == "cifar":
        splits = images.read_cifar(paths[0])
    else:
        splits = images.read_idx_split(paths[0], paths[1]), images.read_idx_split(paths[2], paths[3])
    for name, split in zip(SPLITS, splits, strict=True):
        images.check_split(f"{paths[0].parent}: {name}", split, dataset.shape, dataset.classes)
        np.save(folder / name / "images.npy", split.images)
        np.save(folder / name / "labels.npy", split.labels)
    return [len(split.labels) for split in splits]


def _check_counts(dataset: Dataset, record: DataRecord) -> None:
    for split, got, expected in (
        ("train", record.train_samples, dataset.train_samples),
        ("test", record.test_samples, dataset.test_samples),
    ):
        if got > expected or (got != expected and not record.subset):
            raise ValueError(f"{record.dataset}: {got:,} {split} samples, but datasets.{record.dataset}.{split}_samples is {expected:,}")
