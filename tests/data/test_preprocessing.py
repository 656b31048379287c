import json
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

from tests.support.data_builders import image_dataset, needs_mirror, restored, write_images
from tests.support.data_builders import preprocess_small as run
from tests.support.paths import ROOT
from tsslbp.data.events import bin_events, read_events, stabilize
from tsslbp.data.preprocessing import preprocess
from tsslbp.data.processed import check_arrays
from tsslbp.data.raw_files import SourceError
from tsslbp.progress import Silent
from tsslbp.settings import load_settings
from tsslbp.storage.records import DataRecord


def test_images_and_labels_arrive_unchanged(tmp_path):
    dataset = image_dataset()
    images, labels, test_images, test_labels = write_images(tmp_path / "raw", dataset)
    record = run(dataset, tmp_path)
    processed = tmp_path / "processed"
    np.testing.assert_array_equal(np.load(processed / "train/images.npy"), images[:, None])
    np.testing.assert_array_equal(np.load(processed / "train/labels.npy"), labels)
    np.testing.assert_array_equal(np.load(processed / "test/images.npy"), test_images[:, None])
    np.testing.assert_array_equal(np.load(processed / "test/labels.npy"), test_labels)
    assert (record.train_samples, record.test_samples, record.subset) == (13, 7, ())
    assert DataRecord.model_validate(json.loads((processed / "data.json").read_text())) == record


@pytest.mark.parametrize("changes", [{"train_samples": 12}, {"train_samples": 14}, {"test_samples": 8}])
def test_another_number_of_samples_than_the_settings_say_is_refused(tmp_path, changes):
    write_images(tmp_path / "raw", image_dataset())
    with pytest.raises(ValueError, match=r"samples, but datasets\.small\.(train|test)_samples is"):
        run(image_dataset(**changes), tmp_path)
    assert not (tmp_path / "processed").exists()


def test_a_missing_raw_file_is_named(tmp_path):
    write_images(tmp_path / "raw", image_dataset())
    (tmp_path / "raw/t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(SourceError, match="t10k-labels-idx1-ubyte: missing; run the download stage of small"):
        run(image_dataset(), tmp_path)


def test_an_array_whose_bytes_changed_on_the_disk_is_found(tmp_path):
    write_images(tmp_path / "raw", image_dataset())
    record, processed = run(image_dataset(), tmp_path), tmp_path / "processed"
    check_arrays(processed, record)
    images = np.load(processed / "train/images.npy")
    images[3, 0, 0, 0] ^= 1
    np.save(processed / "train/images.npy", images)
    with pytest.raises(
        ValueError, match=r"processed: damaged: its arrays are not those that data\.json names; run the preprocess stage of small"
    ):
        check_arrays(processed, record)


def test_the_checksum_follows_the_raw_files(tmp_path):
    checksums = set()
    for seed in (0, 0, 1):
        write_images(tmp_path / "raw", image_dataset(), seed)
        checksums.add(run(image_dataset(), tmp_path).checksum)
    assert len(checksums) == 2


ARRAYS = {
    "d69e13c1bb": "046cbddce4eceed3b7dd95287e41f372",  # MNIST
    "212a3b6dff": "1b6edb6636d55b2a29728c46de429fca",  # Fashion-MNIST
    "7c28ee4aa4": "ad525dcf11725a9849200703ca839b7f",  # a subset of CIFAR-10
    "8c006ec29e": "d6b73c598d32d04598cb25f0e9812eb9",  # a subset of N-MNIST
}
"""Raw files -> their arrays: training runs of weeks ago depend on each of these bytes."""


@needs_mirror
def test_the_real_data_are_read(tmp_path):
    mirror, settings = Path(os.environ["TSSLBP_MIRROR"]), load_settings(ROOT / "params.yaml")
    for key in ("mnist", "fashion_mnist", "cifar10", "nmnist"):
        dataset = settings.dataset(key)
        record = preprocess(key, dataset, mirror / key, tmp_path / key, 1, Silent())
        assert record.subset or (record.train_samples, record.test_samples) == (dataset.train_samples, dataset.test_samples)
        assert record.empty_recordings == 0
        if record.subset or key in ("mnist", "fashion_mnist"):  # no arrays of the other two are known whole
            assert record.checksum[:10] in ARRAYS, f"{mirror / key}: another subset than the one whose arrays are known here"
            assert record.arrays == ARRAYS[record.checksum[:10]]
    # MNIST's first digits, as every text on it shows them.
    assert np.load(tmp_path / "mnist/train/labels.npy")[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert np.load(tmp_path / "mnist/train/images.npy").mean() / 255 == pytest.approx(0.1307, abs=1e-4)
    with zipfile.ZipFile(mirror / "nmnist/Train.zip") as archive:
        name = min((name for name in archive.namelist() if name.endswith(".bin")), key=lambda name: int(Path(name).stem))
        events = read_events(archive.read(name))
    label, rows = restored(tmp_path / "nmnist/train", 0)
    assert str(label) == Path(name).parent.name
    np.testing.assert_array_equal(rows, bin_events(stabilize(events), 100))
