"""Convert the raw files of a dataset into compact arrays in a folder, which appears whole or not at all."""

import json
from pathlib import Path

from tsslbp.data.kinds import SPLITS, kind_of, raw_files
from tsslbp.data.processed import arrays_checksum
from tsslbp.data.raw_files import combined_checksum
from tsslbp.progress import Progress
from tsslbp.settings import Dataset
from tsslbp.storage.files import write_text
from tsslbp.storage.folders import whole_folder, write_errors_named
from tsslbp.storage.records import DataRecord


def preprocess(key: str, dataset: Dataset, raw: Path, processed: Path, workers: int, progress: Progress) -> DataRecord:
    """Convert the raw files in `raw` into arrays in `processed`, and describe them in its `data.json`.

    Args:
        key: the dataset's name.
        dataset: its settings.
        raw: the folder of the raw files; every one is verified first.
        processed: replaced as a whole once everything is done.
        workers: number of processes for recordings; the arrays are the same for any number of them.
        progress: told what goes on, and warned of recordings without an event.

    Returns:
        What `data.json` says.

    Raises:
        ValueError: a raw file is missing, wrong or damaged, or holds other samples than the settings say.
        OSError: a folder cannot be written.
        MemoryError: a worker was killed.
    """
    kind, files = kind_of(key, dataset), raw_files(key, dataset, raw)
    with write_errors_named(processed), whole_folder(processed) as folder:
        for split in SPLITS:
            (folder / split).mkdir()
        train, test = kind.convert(files, folder, dataset, workers, progress)
        record = DataRecord(
            dataset=key,
            title=dataset.title,
            checksum=combined_checksum(files),
            train_samples=train.samples,
            test_samples=test.samples,
            subset=tuple(file.note for file in files if file.note is not None),
            arrays=arrays_checksum(folder),
            shape=dataset.shape,
            classes=dataset.classes,
            empty_recordings=train.empty + test.empty,
        )
        _check_counts(dataset, record)
        write_text(folder / "data.json", json.dumps(record.model_dump(mode="json"), indent=1) + "\n")
    progress.say(f"{processed}: {record.train_samples:,} training and {record.test_samples:,} test samples")
    for name, converted in zip(SPLITS, (train, test), strict=True):
        if converted.empty:
            progress.say(
                f"warning: {processed / name}: {converted.empty:,} of {converted.samples:,} recordings hold no event in the steps that are kept"
            )
    return record


def _check_counts(dataset: Dataset, record: DataRecord) -> None:
    for split, got, expected in (
        ("train", record.train_samples, dataset.train_samples),
        ("test", record.test_samples, dataset.test_samples),
    ):
        if got > expected or (got != expected and not record.subset):
            raise ValueError(f"{record.dataset}: {got:,} {split} samples, but datasets.{record.dataset}.{split}_samples is {expected:,}")
