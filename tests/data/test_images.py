import gzip
import io
import pickle
import struct
import tarfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tsslbp.data.digits import idx_bytes
from tsslbp.data.images import Split, check_split, read_cifar, read_idx, read_idx_split


@settings(deadline=None)
@given(arrays.arrays(np.uint8, arrays.array_shapes(max_dims=4, max_side=6)), st.booleans())
def test_idx_files_read_back(tmp_path_factory, array, packed):
    path = tmp_path_factory.mktemp("idx") / ("a.gz" if packed else "a")
    path.write_bytes(gzip.compress(idx_bytes(array)) if packed else idx_bytes(array))
    np.testing.assert_array_equal(read_idx(path), array)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "starts with nothing"),
        (b"\0\0\x08", "starts with 00 00 08"),
        (b"\0\1\x08\1\0\0\0\1x", "starts with 00 01 08 01"),
        (struct.pack(">HBBI", 0, 0x0D, 1, 1) + b"float", "starts with 00 00 0d 01"),
        (b"\0\0\x08\0", "starts with 00 00 08 00"),
        (struct.pack(">HBBI", 0, 8, 3, 1), "ends within its header of 16 bytes"),
        (struct.pack(">HBBI", 0, 8, 1, 5) + b"1234", r"missing bytes: 4 for the 5 of shape \(5,\)"),
        (struct.pack(">HBBI", 0, 8, 1, 5) + b"123456", r"trailing bytes: 6 for the 5 of shape \(5,\)"),
        (struct.pack(">HBB4I", 0, 8, 4, *[1 << 16] * 4), "missing bytes: 0 for the 18446744073709551616"),
        (struct.pack(">HBB4I", 0, 8, 4, *[1 << 31] * 4), "missing bytes"),
        (struct.pack(">HBBI", 0, 8, 1, 0), r"shape \(0,\) is not that of a dataset"),
    ],
)
def test_a_damaged_idx_file_is_named(tmp_path, data, message):
    path = tmp_path / "train-images.gz"
    path.write_bytes(gzip.compress(data))
    with pytest.raises(ValueError, match=rf"train-images\.gz: {message}"):
        read_idx(path)


@pytest.mark.parametrize("keep", [3, 20, -3])
def test_a_truncated_gzip_file_is_named(tmp_path, keep):
    path = tmp_path / "train-images.gz"
    path.write_bytes(gzip.compress(idx_bytes(np.arange(200, dtype=np.uint8)))[:keep])
    with pytest.raises(ValueError, match=r"train-images\.gz: damaged"):
        read_idx(path)


def test_images_get_a_channel_and_dimensions_are_checked(tmp_path):
    images, labels = np.arange(60, dtype=np.uint8).reshape(3, 4, 5), np.arange(3, dtype=np.uint8)
    for name, array in (("images", images), ("labels", labels)):
        (tmp_path / name).write_bytes(idx_bytes(array))
    split = read_idx_split(tmp_path / "images", tmp_path / "labels")
    np.testing.assert_array_equal(split.images, images[:, None])
    np.testing.assert_array_equal(split.labels, labels)
    with pytest.raises(ValueError, match="labels: has 1 dimensions, expected 3"):
        read_idx_split(tmp_path / "labels", tmp_path / "images")


def make_split(images=4, labels=4, shape=(1, 2, 3), top=9):
    return Split(np.zeros((images, *shape), np.uint8), np.full(labels, top, np.uint8))


@pytest.mark.parametrize(
    ("split", "message"),
    [
        (make_split(shape=(1, 3, 2)), r"images of shape \(1, 3, 2\), but the settings say \(1, 2, 3\)"),
        (make_split(labels=3), "4 images, but 3 labels"),
        (make_split(top=10), "label 10; labels are 0 to 9"),
    ],
)
def test_what_does_not_fit_together_is_refused(split, message):
    check_split("here", make_split(), (1, 2, 3), 10)
    with pytest.raises(ValueError, match=f"here: {message}"):
        check_split("here", split, (1, 2, 3), 10)


def make_cifar(path, batches):
    with tarfile.open(path, "w:gz") as archive:
        for name, data in batches.items():
            info = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def make_batches(protocol=2, samples=2, **replaced):
    generator = np.random.default_rng(0)
    batches = {
        name: pickle.dumps(
            {"data": generator.integers(0, 256, (samples, 3072), np.uint8), "labels": generator.integers(0, 10, samples).tolist()}, protocol
        )
        for name in [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]
    }
    return batches | {name: data for name, data in replaced.items() if data is not None}


@pytest.mark.parametrize("protocol", range(5))
def test_cifar_batches_are_read_in_order(tmp_path, protocol):
    batches = make_batches(protocol)
    train, test = read_cifar(make_cifar(tmp_path / "c.tar.gz", dict(reversed(batches.items()))))
    loaded = [pickle.loads(data) for data in batches.values()]
    np.testing.assert_array_equal(train.images, np.concatenate([batch["data"] for batch in loaded[:5]]).reshape(-1, 3, 32, 32))
    np.testing.assert_array_equal(train.labels, np.concatenate([batch["labels"] for batch in loaded[:5]]))
    np.testing.assert_array_equal(test.images, loaded[5]["data"].reshape(-1, 3, 32, 32))
    assert test.labels.tolist() == loaded[5]["labels"]


class Malice:
    def __init__(self, call, *arguments):
        self.reduced = (call, arguments)

    def __reduce__(self):
        return self.reduced


@pytest.mark.parametrize("protocol", range(5))
@pytest.mark.parametrize("call", [exec, eval, print, getattr, np.load, np.frombuffer])
def test_a_pickle_that_calls_something_is_refused_and_calls_nothing(tmp_path, capsys, protocol, call):
    data = pickle.dumps({"data": Malice(call, "print('called')")}, protocol)
    path = make_cifar(tmp_path / "c.tar.gz", make_batches(data_batch_3=data))
    with pytest.raises(ValueError, match=r"c\.tar\.gz: entry '.*data_batch_3': refused: it asks for"):
        read_cifar(path)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        ([], "a pickled list, expected a dictionary"),
        ({}, "'data' is not an array"),
        ({"data": np.zeros((2, 3071), np.uint8), "labels": [1, 2]}, "'data' is not an array of rows of 3072 bytes"),
        ({"data": np.zeros((2, 3072), np.uint8), "labels": [1]}, "'labels' is not a list of 2 numbers"),
        ({"data": np.zeros((2, 3072), np.uint8), "labels": [1, 256]}, "'labels' is not a list"),
        ({"data": np.zeros((2, 3072), np.uint8), "labels": [1, "2"]}, "'labels' is not a list"),
        ({"data": np.zeros((2, 3072), np.uint8)}, "'labels' is not a list"),
    ],
)
def test_a_batch_of_another_form_is_named(tmp_path, batch, message):
    path = make_cifar(tmp_path / "c.tar.gz", make_batches(test_batch=pickle.dumps(batch, 4)))
    with pytest.raises(ValueError, match=rf"c\.tar\.gz: entry '.*test_batch': .*{message}"):
        read_cifar(path)


def test_a_missing_batch_is_named(tmp_path):
    batches = make_batches()
    del batches["data_batch_4"]
    with pytest.raises(ValueError, match=r"c\.tar\.gz: entry '.*data_batch_4' is missing"):
        read_cifar(make_cifar(tmp_path / "c.tar.gz", batches))
