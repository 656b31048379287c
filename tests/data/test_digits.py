import numpy as np
import pytest
from scipy import ndimage
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier

from tsslbp.data.digits import enlarge, make_digits, write_digits
from tsslbp.data.images import IMAGE_FILES, read_idx_split


@pytest.fixture(scope="module")
def digits():
    return make_digits()


def test_every_digit_is_in_one_split_and_every_class_in_both(digits):
    train, test = digits
    assert (train.images.shape, test.images.shape) == ((1437, 1, 28, 28), (360, 1, 28, 28))
    whole = enlarge(load_digits().images)
    split = np.concatenate([train.images[:, 0], test.images[:, 0]])
    assert sorted(image.tobytes() for image in split) == sorted(image.tobytes() for image in whole)
    for label in range(10):
        counts = [np.count_nonzero(part.labels == label) for part in digits]
        assert counts[1] / sum(counts) == pytest.approx(0.2, abs=0.01)


def test_the_split_and_the_files_are_the_same_every_time(digits, tmp_path):
    for attempt in ("one", "two"):
        write_digits(tmp_path / attempt)
    for name in IMAGE_FILES:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    for part, names in zip(digits, (IMAGE_FILES[:2], IMAGE_FILES[2:]), strict=True):
        read = read_idx_split(*(tmp_path / "one" / name for name in names))
        np.testing.assert_array_equal(read.images, part.images)
        np.testing.assert_array_equal(read.labels, part.labels)


def test_enlarging_keeps_brightness_and_place():
    images = load_digits().images[:50]
    large = enlarge(images)
    assert large.dtype == np.uint8
    assert (large.max(axis=(1, 2)) > 200).all()
    assert large.mean() / 255 == pytest.approx(images.mean() / 16, rel=0.05)
    # Where each image's mass lies, in shares of its side.
    for axis in (1, 2):
        places = [
            np.tensordot(stack.sum(axis=3 - axis), np.arange(side) + 0.5, 1) / stack.sum((1, 2)) / side
            for stack, side in ((images, 8), (large, 28))
        ]
        np.testing.assert_allclose(*places, atol=0.02)


def test_enlarging_turns_with_the_image():
    images = load_digits().images[:5]
    np.testing.assert_allclose(enlarge(images.transpose(0, 2, 1)), enlarge(images).transpose(0, 2, 1).astype(int), atol=1)
    np.testing.assert_allclose(enlarge(images[:, ::-1]), enlarge(images)[:, ::-1].astype(int), atol=1)


def test_enlarging_is_that_of_scipy():
    images = load_digits().images[:5]
    expected = [np.clip(ndimage.zoom(image, 3.5, order=3, mode="grid-constant", grid_mode=True) / 16, 0, 1) * 255 for image in images]
    np.testing.assert_allclose(enlarge(images), expected, atol=0.5001)


def test_enlarged_digits_can_still_be_told_apart(digits):
    train, test = ((part.images[:, 0, ::3, ::3].reshape(len(part.labels), -1) / 255, part.labels) for part in digits)
    assert KNeighborsClassifier(3).fit(*train).score(*test) > 0.96
