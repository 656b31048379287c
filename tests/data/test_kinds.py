"""What a new dataset costs: settings for files of other names, a function and an entry for another event format."""

import gzip
import hashlib
import struct
import zipfile

import numpy as np
import pytest
import yaml

from tests.support.data_builders import Said, event_dataset, image_dataset
from tests.support.in_process import prepare, train
from tests.support.project import MODEL, Project
from tsslbp.data.digits import idx_bytes
from tsslbp.data.events import EVENT
from tsslbp.data.kinds import KINDS, EventKind, Order, check_datasets, fetch, file_names, kind_of, load_split
from tsslbp.data.preprocessing import preprocess
from tsslbp.data.readers import zipped
from tsslbp.progress import Silent
from tsslbp.settings import SettingsError, SourceFile

OWN_NAMES = {"test-labels": "y-val", "train-images": "x.gz", "test-images": "x-val.idx", "train-labels": "labels.idx1.gz"}


def own_files(folder):
    """IDX files of names of their own, in no order, with what they hold by role."""
    generator = np.random.default_rng(0)
    arrays, files = {}, []
    folder.mkdir(parents=True)
    for role, name in OWN_NAMES.items():
        samples = 13 if role.startswith("train") else 7
        shape = (samples, 9, 8) if role.endswith("images") else (samples,)
        arrays[role] = generator.integers(0, 3, shape, np.uint8)
        data = idx_bytes(arrays[role])
        data = gzip.compress(data, mtime=0) if name.endswith(".gz") else data
        (folder / name).write_bytes(data)
        files.append({"name": name, "role": role, "md5": hashlib.md5(data).hexdigest(), "urls": []})
    return arrays, files


def test_an_idx_dataset_with_names_of_its_own_costs_settings_alone(tmp_path, monkeypatch, empty_database):
    arrays, files = own_files(tmp_path / "mirror/letters")
    project = Project(tmp_path / "project", empty_database)
    settings = yaml.safe_load(project.params.read_text())
    settings["datasets"]["letters"] = {
        "title": "Letters",
        "kind": "idx",
        "shape": [1, 9, 8],
        "classes": 3,
        "train_samples": 13,
        "test_samples": 7,
        "mean": [0.5],
        "std": [0.5],
        "files": files,
    }
    settings["models"]["digits-mlp"] |= {"dataset": "letters", "epochs": 1, "architecture": "5"}
    project.params.write_text(yaml.safe_dump(settings))
    monkeypatch.setenv("TSSLBP_MIRROR", str(tmp_path / "mirror"))
    prepare(project.folder, "letters")
    folder = project.folder / "data/processed/letters"
    for split in ("train", "test"):
        np.testing.assert_array_equal(np.load(folder / split / "images.npy")[:, 0], arrays[f"{split}-images"])
        np.testing.assert_array_equal(np.load(folder / split / "labels.npy"), arrays[f"{split}-labels"])
    assert train(project.folder, MODEL) == 0
    assert (project.folder / "reports/runs/digits-mlp/metrics.json").exists()


# A camera of 700 places in one row and three channels, whose records are channel, place and milliseconds.
COCHLEA = (3, 1, 700)


def decode_cochlea(data, shape):
    rows = [struct.unpack_from("<BHI", data, start) for start in range(0, len(data), 7)]
    return np.array([(place, 0, channel, 1000 * milliseconds) for channel, place, milliseconds in rows], EVENT)


def write_cochlea(folder):
    """Two archives; returns (channel, place, milliseconds) of each sample."""
    generator = np.random.default_rng(1)
    folder.mkdir(parents=True)
    samples = {}
    for split, name, count in (("train", "a.zip", 13), ("test", "b.zip", 7)):
        samples[split] = [generator.integers(0, (3, 700, 1400), (40, 3)) for _ in range(count)]
        with zipfile.ZipFile(folder / name, "w") as archive:
            for index, rows in enumerate(samples[split]):
                archive.writestr(f"{index % 20}/{index}.spk", b"".join(struct.pack("<BHI", *row) for row in rows.tolist()))
    return samples


@pytest.fixture(params=[".spk", ".SPK"])
def cochlea(monkeypatch, request):
    """The entry, and the settings of a dataset."""
    files = {"train": "a.zip", "test": "b.zip"}
    monkeypatch.setitem(KINDS, "cochlea", EventKind(files, fetch, channels=3, reader=zipped(decode_cochlea, suffix=request.param)))
    return event_dataset(kind="cochlea", shape=COCHLEA, classes=20, time_steps=15, window_us=100_000, stabilize=False)


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_another_event_format_costs_a_function_and_an_entry(tmp_path, cochlea, workers):
    samples = write_cochlea(tmp_path / "raw/spoken")
    dataset = cochlea.model_copy(
        update={"files": tuple(SourceFile(name=path.name, md5=md5(path), urls=()) for path in sorted((tmp_path / "raw/spoken").iterdir()))}
    )
    assert check_datasets({"spoken": dataset}) == []
    order = Order("spoken", dataset, tmp_path / "raw/spoken", tmp_path / "incoming", None, workers, Silent())
    kind_of("spoken", dataset).obtain(order)
    record = preprocess("spoken", dataset, tmp_path / "raw/spoken", tmp_path / "processed", workers, Silent())
    assert (record.train_samples, record.test_samples, record.shape) == (13, 7, COCHLEA)
    for split, expected in samples.items():
        recordings = load_split(tmp_path / "processed" / split, dataset, len(expected))
        assert recordings.shape == COCHLEA
        for index, rows in enumerate(expected):
            frames = np.zeros((15, *COCHLEA), np.uint8)
            for channel, place, milliseconds in rows:
                step = max(-(-milliseconds // 100), 1) - 1
                if step < 14:
                    frames[step, channel, 0, place] = 1
            np.testing.assert_array_equal(recordings.frames(index), frames)
            np.testing.assert_array_equal(recordings.frames(index, 6)[:5], frames[:5])
            assert not recordings.frames(index, 6)[5].any()


def md5(path):
    return hashlib.md5(path.read_bytes()).hexdigest()


def test_an_event_of_a_channel_that_the_settings_lack_is_named(tmp_path, cochlea):
    write_cochlea(tmp_path / "raw")
    dataset = cochlea.model_copy(update={"shape": (2, 1, 700), "files": ()})
    files = tuple(SourceFile(name=name, md5=md5(tmp_path / "raw" / name), urls=()) for name in ("a.zip", "b.zip"))
    with pytest.raises(ValueError, match=r"a\.zip: recording '0/0\.spk': events with p from 0 to 2; a frame \(2, 1, 700\) has 0 to 1"):
        preprocess("spoken", dataset.model_copy(update={"files": files}), tmp_path / "raw", tmp_path / "processed", 1, Said([]))


def files(*named):
    return tuple(SourceFile(name=name, md5="0" * 32, urls=(), role=role) for name, role in named)


def test_a_file_has_its_given_role_or_that_of_its_usual_name():
    standard = tuple((name, None) for name in reversed(KINDS["idx"].files.values()))
    assert file_names("x", image_dataset(kind="idx", files=files(*standard))) == list(KINDS["idx"].files.values())
    swapped = files(("Train.zip", "test"), ("Test.zip", "train"))
    assert file_names("x", event_dataset(kind="events", files=swapped)) == ["Test.zip", "Train.zip"]
    assert file_names("x", image_dataset()) == list(KINDS["digits"].files.values())


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        (image_dataset(kind="idxx"), r"datasets\.x\.kind: got 'idxx'; allowed: cifar, digits, events, idx, simulated-events"),
        (image_dataset(kind="events"), r"datasets\.x: kind events holds recordings; give time_steps, window_us and stabilize"),
        (event_dataset(kind="idx"), r"datasets\.x: kind idx holds still images; give mean and std"),
        (event_dataset(shape=(1, 34, 34)), r"datasets\.x\.shape: got 1 channels; files of kind simulated-events hold 2"),
        (event_dataset(kind="events"), r"datasets\.x\.files: train is not listed; name its file Train\.zip, or give it `role: train`"),
        (
            event_dataset(kind="events", files=files(("a.zip", None))),
            r"datasets\.x\.files: a\.zip needs a role; kind events has: train, test",
        ),
        (event_dataset(kind="events", files=files(("a.zip", "trian"))), r"a\.zip needs a role; kind events has: train, test"),
        (
            event_dataset(kind="events", files=files(("Train.zip", None), ("b.zip", "train"))),
            r"datasets\.x\.files: Train\.zip and b\.zip both have the role train; give each its own",
        ),
    ],
)
def test_settings_that_do_not_fit_their_kind_are_named(dataset, message):
    (problem,) = check_datasets({"good": image_dataset(), "x": dataset})
    with pytest.raises(SettingsError, match=message):
        raise SettingsError(problem)


@pytest.mark.parametrize(
    ("make", "changes", "message"),
    [
        (event_dataset, {"stabilize": None}, "a dataset of events needs time_steps, window_us and stabilize"),
        (event_dataset, {"mean": (0.5, 0.5), "std": (1.0, 1.0)}, "has no mean or std"),
        (event_dataset, {"shape": (2, 34, 35)}, r"stabilize: got True; N-MNIST's saccades are those of \[34, 34\] pixels, not \[34, 35\]"),
        (event_dataset, {"shape": (257, 34, 34), "stabilize": False}, r"at most \[256, 4096, 4096\] channels, rows and columns"),
        (event_dataset, {"first_us": 10, "last_us": 10}, "last_us: got 10; it comes after first_us, 10"),
        (event_dataset, {"last_us": 0}, "greater than or equal to 1"),
        (event_dataset, {"window_us": 1 << 31}, "less than or equal to 2147483647"),
        (event_dataset, {"classes": 257}, "less than or equal to 256"),
        (image_dataset, {"last_us": 10}, "has no first_us or last_us"),
        (image_dataset, {"mean": ()}, "one of events needs time_steps, window_us and stabilize"),
        (image_dataset, {"stabilize": False}, "a dataset of events needs time_steps"),
    ],
)
def test_settings_that_cannot_be_are_named(make, changes, message):
    with pytest.raises(ValueError, match=message):
        make(**changes)


def test_a_stage_refuses_an_unknown_kind_in_one_line(tmp_path):
    project = Project(tmp_path / "project")
    project.change("kind: simulated-events", "kind: retina")
    said = project.run("download", "--dataset", "digits", code=1)
    assert "params.yaml: datasets.ndigits.kind: got 'retina'; allowed: cifar, digits, events, idx, simulated-events" in said
    assert said.count("\n") == 1


def test_the_published_settings_fit_their_kinds(settings):
    assert check_datasets(settings.datasets) == []
