import os
import subprocess
import sys
import time
import zipfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from tests.support.data_builders import event_dataset, random_events, restored, write_recordings
from tests.support.data_builders import preprocess_small as run
from tests.support.paths import ROOT
from tsslbp.data import recordings
from tsslbp.data.events import EVENT, bin_events, read_events, stabilize, write_events
from tsslbp.data.kinds import load_split
from tsslbp.data.processed import load_record


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


@pytest.mark.parametrize("name", ["Train/10/00001.bin", "Train/x/00001.bin", "00001.bin", "Train/1/one.bin", "Train/\u0663/00001.bin"])
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


def test_an_archive_of_two_splits_is_refused(tmp_path):
    write_recordings(tmp_path / "raw", event_dataset())
    with zipfile.ZipFile(tmp_path / "raw/Train.zip", "a") as archive:
        archive.writestr("Test/1/00001.bin", bytes(5))
    with pytest.raises(ValueError, match=r"Train\.zip: entries '.*' and 'Test/1/00001\.bin' lie in different folders"):
        run(event_dataset(), tmp_path)


def windows(name):
    return name.replace("/", "\\")


def beside(name):
    """What a Mac puts beside a file."""
    folder, _, own = name.rpartition("/")
    return f"{folder}/._{own}"


PACKINGS = {
    "two nested folders": lambda name: [(f"N-MNIST/data/{name}", b"")],
    "no folder": lambda name: [(name.split("/", 1)[1], b"")],
    "capital letters": lambda name: [(name.replace(".bin", ".BIN"), b"")],
    "backslashes": lambda name: [(windows(name), b"")],
    "a Mac": lambda name: [(name, b""), *((f"{at}{beside(name)}", b"Mac OS X") for at in ("", "__MACOSX/"))],
}


@pytest.mark.parametrize("packing", PACKINGS)
def test_an_archive_that_was_packed_again_gives_the_same_arrays(tmp_path, packing):
    dataset = event_dataset()
    write_recordings(tmp_path / "raw", dataset)
    before = run(dataset, tmp_path).arrays
    for path in (tmp_path / "raw").iterdir():
        with zipfile.ZipFile(path) as archive:
            recordings = {name: archive.read(name) for name in archive.namelist() if name.endswith(".bin")}
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in recordings.items():
                (own, _), *extra = PACKINGS[packing](name)
                for entry, content in [(own, data), *extra]:
                    archive.writestr(zipfile.ZipInfo(entry), content)
    assert run(dataset, tmp_path).arrays == before


def one_recording(folder, *rows):
    """Two archives with the recording of these events (x, y, p, t), of the label 1."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("Train", "Test"):
        with zipfile.ZipFile(folder / f"{name}.zip", "w") as archive:
            archive.writestr(f"{name}/1/00001.bin", write_events(np.array(list(rows), EVENT), sensor=(256, 256)))


SMALL = {"train_samples": 1, "test_samples": 1}


@pytest.mark.parametrize("shape", [(2, 180, 240), (2, 16, 256), (2, 256, 256)])
def test_a_camera_of_another_size_is_a_setting(tmp_path, shape):
    _, height, width = shape
    rows = [(width - 1, height - 1, 1, 10), (0, 0, 0, 4000), (width - 1, 0, 0, 4001)]
    dataset = event_dataset(**SMALL, shape=shape, stabilize=False)
    one_recording(tmp_path / "raw", *rows)
    assert run(dataset, tmp_path).shape == shape
    train = load_split(tmp_path / "processed/train", dataset, 1)
    assert train.cells.dtype == (np.uint16 if shape == (2, 16, 256) else np.uint32)
    assert np.argwhere(train.frames(0)).tolist() == [[0, 1, height - 1, width - 1], [1, 0, 0, 0], [1, 0, 0, width - 1]]
    assert train.frames(0).shape == (100, *shape)


def test_a_pixel_beyond_the_settings_camera_is_named(tmp_path):
    one_recording(tmp_path / "raw", (0, 16, 0, 1))
    with pytest.raises(ValueError, match=r"Train\.zip: entry 'Train/1/00001\.bin': .*event 0 is at x=0, y=16; .* x 0 to 7, y 0 to 15"):
        run(event_dataset(**SMALL, shape=(2, 16, 8), stabilize=False), tmp_path)


def test_stabilization_is_a_setting(tmp_path):
    one_recording(tmp_path / "raw", (20, 20, 1, 90_000))
    for stabilizes, place in ((True, [30 - 1, 1, 14, 17]), (False, [30 - 1, 1, 20, 20])):
        dataset = event_dataset(**SMALL, stabilize=stabilizes)
        run(dataset, tmp_path)
        assert np.argwhere(load_split(tmp_path / "processed/train", dataset, 1).frames(0)).tolist() == [place]


def test_a_window_of_time_is_a_setting(tmp_path):
    """The second saccade alone; its events are stabilized by their own time, and their steps count from its start."""
    times = (0, 105_000, 105_001, 150_000, 210_000, 210_001)
    one_recording(tmp_path / "raw", *((20, 20, index % 2, time) for index, time in enumerate(times)))
    dataset = event_dataset(**SMALL, first_us=105_000, last_us=210_000, time_steps=36)
    run(dataset, tmp_path)
    with zipfile.ZipFile(tmp_path / "raw/Train.zip") as archive:
        stable = stabilize(read_events(archive.read("Train/1/00001.bin")))
    second = stable[2:5].copy()
    second["t"] -= 105_000
    found = np.argwhere(load_split(tmp_path / "processed/train", dataset, 1).frames(0))
    np.testing.assert_array_equal(found, bin_events(second, 36))
    assert found[:, 0].tolist() == [0, 14, 34]


@pytest.mark.parametrize(("empty", "warned"), [(0, []), (3, ["train: 3 of 13", "test: 3 of 7"]), (7, ["train: 7 of 13", "test: 7 of 7"])])
def test_recordings_without_an_event_are_counted_and_told(tmp_path, empty, warned):
    dataset, said = event_dataset(), []
    written = write_recordings(tmp_path / "raw", dataset)
    for split, recordings_ in written.items():
        with zipfile.ZipFile(tmp_path / "raw" / f"{split}.zip", "w") as archive:
            for index, (label, events) in enumerate(recordings_):
                late = events.copy()
                late["t"] += 5_000_000 if index < empty else 0
                archive.writestr(f"{label}/{index}.bin", write_events(late))
    record = run(dataset, tmp_path, told=said)
    assert record.empty_recordings == 2 * empty
    assert load_record(tmp_path / "processed") == record
    warnings = [line for line in said if line.startswith("warning")]
    assert [line.partition(" recordings hold no event in the steps that are kept")[0] for line in warnings] == [
        f"warning: {tmp_path / 'processed'}/{text}" for text in warned
    ]


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds processes in /proc")
def test_workers_do_not_outlive_a_killed_parent():
    code = (
        "import time\n"
        "from tsslbp.data.recordings import _in_order\n"
        "workers = _in_order(eval, ['__import__(\\'os\\').getpid()'] * 9, 2)\n"
        "print(next(workers), flush=True)\n"
        "time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        worker = Path("/proc") / parent.stdout.readline().strip()
        assert worker.is_dir()
        parent.kill()
    deadline = time.monotonic() + 60
    while worker.is_dir() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not worker.is_dir()
