import os
import subprocess
import sys
import time
import zipfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from tests.data_builders import event_dataset, random_events, restored, write_recordings
from tests.data_builders import preprocess_small as run
from tsslbp.data import recordings
from tsslbp.data.events import bin_events, stabilize, write_events

ROOT = Path(__file__).parents[1]


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_recordings_are_stored_by_number_and_can_be_restored(tmp_path):
    dataset = event_dataset()
    written = write_recordings(tmp_path / "raw", dataset)
    run(dataset, tmp_path)
    for split in ("Train", "Test"):
        for index, (label, events) in enumerate(written[split]):
            stored_label, rows = restored(tmp_path / "processed" / split.lower(), index)
            assert stored_label == label
            np.testing.assert_array_equal(rows, bin_events(stabilize(events), 100))


def test_a_recording_without_a_bin_is_stored_as_one(tmp_path):
    dataset = event_dataset(train_samples=2, test_samples=1)
    late = random_events(np.random.default_rng(0))
    late["t"] += 400_000
    (tmp_path / "raw").mkdir()
    for name, samples in (("Train", 2), ("Test", 1)):
        with zipfile.ZipFile(tmp_path / "raw" / f"{name}.zip", "w") as archive:
            for index in range(samples):
                archive.writestr(f"{name}/{index}/{index}.bin", write_events(late))
    run(dataset, tmp_path)
    assert np.load(tmp_path / "processed/train/offsets.npy").tolist() == [0, 0, 0]


def test_any_number_of_workers_gives_the_same_bytes(tmp_path):
    dataset = event_dataset(train_samples=40)
    write_recordings(tmp_path / "raw", dataset)
    run(dataset, tmp_path)
    alone = contents(tmp_path / "processed")
    run(dataset, tmp_path, workers=3)
    assert contents(tmp_path / "processed") == alone
    assert len(alone) == 9


@pytest.mark.parametrize("workers", [1, 2])
def test_a_damaged_recording_is_named_and_leaves_the_old_arrays(tmp_path, workers):
    dataset = event_dataset()
    write_recordings(tmp_path / "raw", dataset)
    run(dataset, tmp_path)
    before = contents(tmp_path / "processed")
    with zipfile.ZipFile(tmp_path / "raw/Train.zip", "a") as archive:
        archive.writestr("Train/3/00099.bin", b"123456")
    with pytest.raises(ValueError, match=r"Train\.zip: entry 'Train/3/00099\.bin': .*6 bytes"):
        run(dataset, tmp_path, workers)
    assert contents(tmp_path / "processed") == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["processed", "raw"]


def test_a_killed_worker_is_an_error_that_says_what_to_do(tmp_path, monkeypatch):
    class Broken(ProcessPoolExecutor):
        def submit(self, task, *arguments):
            return super().submit(os._exit, 1)

    dataset = event_dataset()
    write_recordings(tmp_path / "raw", dataset)
    monkeypatch.setattr(recordings, "ProcessPoolExecutor", Broken)
    with pytest.raises(MemoryError, match=r"a worker process was killed.*execution\.workers"):
        run(dataset, tmp_path, workers=2)
    assert not (tmp_path / "processed").exists()


@pytest.mark.parametrize("name", ["Train/10/00001.bin", "Train/x/00001.bin", "00001.bin", "Train/1/one.bin", "a/b/1/00001.bin"])
def test_a_recording_of_another_name_is_refused(tmp_path, name):
    dataset = event_dataset()
    write_recordings(tmp_path / "raw", dataset)
    with zipfile.ZipFile(tmp_path / "raw/Train.zip", "w") as archive:
        archive.writestr(name, bytes(5))
    with pytest.raises(ValueError, match=rf"Train\.zip: entry '{name}'.*label from 0 to 9"):
        run(dataset, tmp_path)


def test_an_archive_without_recordings_is_refused(tmp_path):
    write_recordings(tmp_path / "raw", event_dataset())
    with zipfile.ZipFile(tmp_path / "raw/Test.zip", "w") as archive:
        archive.writestr("readme.txt", b"")
    with pytest.raises(ValueError, match=r"Test\.zip: holds no recordings"):
        run(event_dataset(), tmp_path)


def test_a_sensor_of_another_size_is_refused(tmp_path):
    write_recordings(tmp_path / "raw", event_dataset())
    with pytest.raises(ValueError, match=r"shape \[2, 128, 128\]"):
        run(event_dataset(shape=(2, 128, 128)), tmp_path)


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds processes in /proc")
def test_workers_do_not_outlive_a_killed_parent():
    code = (
        "import os, time\n"
        "from concurrent.futures import ProcessPoolExecutor\n"
        "from multiprocessing import get_context\n"
        "from tsslbp.data.recordings import _start_worker\n"
        "pool = ProcessPoolExecutor(1, get_context('spawn'), _start_worker)\n"
        "print(pool.submit(os.getpid).result(), flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        worker = Path("/proc") / parent.stdout.readline().strip()
        assert worker.is_dir()
        parent.kill()
    deadline = time.monotonic() + 10
    while worker.is_dir() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not worker.is_dir()
