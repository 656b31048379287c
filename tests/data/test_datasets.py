"""Datasets in the hands of a user: torchvision's conventions, a DataLoader with workers, and the samples of the pipeline."""

import operator
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, StackDataset

from tests.support.data_builders import event_dataset, image_dataset, needs_mirror, prepared, write_images, write_recordings
from tests.support.paths import ROOT
from tsslbp.data.datasets import NMNIST, ProcessedEvents, ProcessedImages
from tsslbp.data.events import bin_events, select_time, stabilize


@pytest.fixture(scope="module")
def events(tmp_path_factory):
    """A folder of raw and processed recordings, and what they hold."""
    root = tmp_path_factory.mktemp("events")
    return root, prepared(root, event_dataset(), write_recordings)[1]


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    root = tmp_path_factory.mktemp("images")
    return root, prepared(root, image_dataset(), write_images)[1]


def frames_of(recording, time_steps, window_us=3000):
    frames = np.zeros((time_steps, 2, 34, 34), np.uint8)
    frames[tuple(bin_events(recording, time_steps, window_us).T)] = 1
    return frames


@pytest.mark.parametrize(("train", "split"), [(True, "Train"), (False, "Test")])
def test_events_and_frames_are_those_of_the_recordings(events, train, split):
    root, written = events
    plain = NMNIST(root / "raw", train, stabilize=False)
    frames = NMNIST(root / "raw", train, time_steps=30)
    processed = ProcessedEvents(root / "processed", train, time_steps=30)
    assert len(plain) == len(frames) == len(processed) == len(written[split])
    for index, (label, recording) in enumerate(written[split]):
        sample, target = plain[index]
        np.testing.assert_array_equal(sample, recording)
        assert (target, type(target)) == (label, int)
        for dataset in (frames, processed):
            sample, target = dataset[index]
            assert (sample.dtype, target, type(target)) == (torch.uint8, label, int)
            np.testing.assert_array_equal(sample.numpy(), frames_of(stabilize(recording), 30))
    with pytest.raises(IndexError):
        plain[len(plain)]
    torch.testing.assert_close(frames[-1][0], frames[len(frames) - 1][0])


def test_the_first_saccade_and_other_steps_are_arguments(events):
    root, written = events
    first = NMNIST(root / "raw", time_steps=22, window_us=5000, stabilize=False, last_us=105_000)
    second = NMNIST(root / "raw", first_us=105_000, last_us=210_000)
    for index, (_, recording) in enumerate(written["Train"]):
        expected = frames_of(recording[recording["t"] <= 105_000], 22, 5000)
        np.testing.assert_array_equal(first[index][0].numpy(), expected)
        np.testing.assert_array_equal(second[index][0], select_time(stabilize(recording), 105_000, 210_000))
    assert all(first[index][0][:21].any() for index in range(len(first)))


def test_processed_images_are_the_bytes_of_the_files(images):
    root, (pixels, labels, test_pixels, test_labels) = images
    for train, expected, targets in ((True, pixels, labels), (False, test_pixels, test_labels)):
        dataset = ProcessedImages(root / "processed", train)
        assert dataset.targets == targets.tolist()
        for index, image in enumerate(expected):
            sample, label = dataset[index]
            assert (sample.dtype, tuple(sample.shape), label) == (torch.uint8, (1, 4, 5), targets[index])
            np.testing.assert_array_equal(sample[0].numpy(), image)


def test_a_sample_belongs_to_who_gets_it(images, events):
    for dataset in (
        ProcessedImages(images[0] / "processed"),
        ProcessedEvents(events[0] / "processed"),
        NMNIST(events[0] / "raw", True, 30),
    ):
        before = dataset[0][0].clone()
        dataset[0][0].fill_(7)
        torch.testing.assert_close(dataset[0][0], before)


def datasets(events, images):
    """One of each kind, with transforms that can be sent to another process."""
    named = {"transform": torch.Tensor.float, "target_transform": operator.neg}
    return [
        NMNIST(events[0] / "raw", time_steps=10, **named),
        ProcessedEvents(events[0] / "processed", time_steps=10, **named),
        ProcessedImages(images[0] / "processed", **named),
    ]


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_of_a_data_loader_give_the_same_samples(events, images, method):
    every = StackDataset(*datasets(events, images))
    alone = list(DataLoader(every, batch_size=3))  # opens the files here first, as a user who looks at a sample does
    loader = DataLoader(every, batch_size=3, num_workers=2, multiprocessing_context=method, persistent_workers=True)
    for _ in range(2):
        torch.testing.assert_close(list(loader), alone, rtol=0, atol=0)
    for (x, y), dataset in zip(alone[0], every.datasets, strict=True):
        assert (x.dtype, y.dtype) == (torch.float32, torch.int64)
        assert y.tolist() == [-label for label in dataset.targets[:3]]


def test_events_go_through_a_data_loader_one_by_one(events):
    root, written = events
    for size in (None, 1):
        loader = DataLoader(NMNIST(root / "raw"), batch_size=size, num_workers=1, collate_fn=list)
        samples = [sample if size is None else sample[0] for sample in loader]
        for (sample, label), (expected_label, recording) in zip(samples, written["Train"], strict=True):
            np.testing.assert_array_equal(sample, stabilize(recording))
            assert label == expected_label


def test_a_processed_array_in_which_a_bit_flipped_is_refused(images, tmp_path):
    root = shutil.copytree(images[0] / "processed", tmp_path / "processed")
    labels = np.load(root / "train/labels.npy")
    labels[0] ^= 1
    np.save(root / "train/labels.npy", labels)
    with pytest.raises(ValueError, match="damaged: its arrays are not those that data"):
        ProcessedImages(root)


def test_many_processes_read_one_archive_at_once_without_mixing(events):
    """A place in the file that processes share would give one what another asked for."""
    dataset = NMNIST(events[0] / "raw", time_steps=100)
    expected = [dataset[index][0] for index in range(len(dataset))]
    loader = DataLoader(dataset, batch_size=1, sampler=list(range(len(dataset))) * 20, num_workers=2, multiprocessing_context="fork")
    for number, (x, _) in enumerate(loader):
        torch.testing.assert_close(x[0], expected[number % len(dataset)], rtol=0, atol=0)


def test_a_dataset_is_pickled_without_its_files(events, images):
    for dataset in datasets(events, images):
        fresh = len(pickle.dumps(dataset))
        before = dataset[1]
        assert len(pickle.dumps(dataset)) == fresh
        again = pickle.loads(pickle.dumps(dataset))
        assert repr(again) == repr(dataset)
        torch.testing.assert_close(again[1][0], before[0])
        assert again[1][1] == before[1]


def test_a_dataset_describes_itself_as_torchvision_s_do(events, images):
    root = events[0] / "raw"
    assert repr(NMNIST(root, train=False, transform=torch.neg)).splitlines() == [
        "Dataset NMNIST",
        "    Number of datapoints: 7",
        f"    Root location: {root}",
        "    Split: Test",
        f"    Transform: {torch.neg}",
    ]
    assert NMNIST(root).classes[7] == "7 - seven"
    assert ProcessedImages(images[0] / "processed").classes == [str(digit) for digit in range(10)]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda root: NMNIST(root / "nowhere"), r"nowhere/Train\.zip: missing; root is the folder of Train\.zip and Test\.zip"),
        (lambda root: NMNIST(root / "raw", time_steps=0), "time_steps 0: must be 1 to 32767"),
        (lambda root: NMNIST(root / "raw", time_steps=5, window_us=0), "window_us 0: must be 1 to"),
        (lambda root: NMNIST(root / "raw", time_steps=-1), "time_steps -1: must be 1 to 32767"),
        (lambda root: NMNIST(root / "raw", time_steps=2.5), "time_steps 2.5: expected a whole number, 1 to 32767"),
        (lambda root: NMNIST(root / "raw", time_steps="30"), "time_steps '30': expected a whole number"),
        (lambda root: NMNIST(root / "raw", window_us=0), "window_us 0: must be 1 to"),
        (lambda root: NMNIST(root / "raw", first_us=1.5), "first_us 1.5: expected a whole number"),
        (lambda root: NMNIST(root / "raw", first_us="0"), "first_us '0': expected a whole number"),
        (lambda root: NMNIST(root / "raw", first_us=-5), "first_us -5: must be 0 to"),
        (lambda root: NMNIST(root / "raw", last_us=0), "last_us 0: must be 1 to"),
        (lambda root: NMNIST(root / "raw", first_us=210_000, last_us=105_000), "last_us 105000: must come after first_us, 210000"),
        (lambda root: NMNIST(root / "raw", stabilize="no"), "stabilize 'no': expected True or False"),
        (lambda root: ProcessedEvents(root / "processed", time_steps=2.5), "time_steps 2.5: expected a whole number, 1 to 100"),
        (lambda root: ProcessedEvents(root / "raw"), r"raw/data\.json: missing or damaged"),
        (lambda root: ProcessedEvents(root / "processed", time_steps=101), r"time_steps: got 101; allowed: 1 to 100"),
        (lambda root: ProcessedImages(root / "processed"), r"images\.npy: missing or damaged"),
    ],
)
def test_a_mistake_is_named_when_the_dataset_is_made(events, make, message):
    with pytest.raises((ValueError, TypeError, OSError), match=message):
        make(events[0])


def test_a_folder_of_an_older_version_is_named(images, tmp_path):
    record = (images[0] / "processed/data.json").read_text()
    (tmp_path / "data.json").write_text(record[: record.index(',\n "shape"')] + "}")
    with pytest.raises(ValueError, match=r"data\.json: written by an older version; run the preprocess stage of small again"):
        ProcessedImages(tmp_path)


@needs_mirror
def test_the_real_recordings_are_read():
    root = Path(os.environ["TSSLBP_MIRROR"]) / "nmnist"
    train, test = NMNIST(root), NMNIST(root, train=False, time_steps=30)
    assert (len(train), len(test)) == (1000, 100)
    assert np.bincount(train.targets, minlength=10).min() > 50
    sample, label = train[0]
    assert 1000 < len(sample) < 20_000
    assert 0 <= label <= 9
    assert 300 < int(test[0][0].sum()) < 5000


def test_importing_the_datasets_brings_in_nothing_heavy():
    code = "import sys, tsslbp.data.datasets; print([name for name in sys.argv[1:] if name in sys.modules])"
    heavy = ["numba", "scipy", "sklearn", "requests", "mlflow", "dvc", "matplotlib", "torchvision", "pandas"]
    done = subprocess.run([sys.executable, "-c", code, *heavy], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
