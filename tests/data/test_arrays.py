import numpy as np
import pytest

from tsslbp.data.arrays import GrowingArray, load_array


@pytest.mark.parametrize("row_shape", [(), (3,), (2, 2)])
@pytest.mark.parametrize("pieces", [[], [0], [1, 0, 5], [10_000] * 3])
def test_a_grown_array_is_what_was_appended(tmp_path, row_shape, pieces):
    generator = np.random.default_rng(0)
    parts = [generator.integers(0, 1000, (rows, *row_shape), np.uint16) for rows in pieces]
    with GrowingArray(tmp_path / "a.npy", np.uint16, row_shape) as array:
        for part in parts:
            array.append(part)
    expected = np.concatenate([np.zeros((0, *row_shape), np.uint16), *parts])
    np.testing.assert_array_equal(load_array(tmp_path / "a.npy", np.uint16, (None, *row_shape)), expected)
    np.testing.assert_array_equal(load_array(tmp_path / "a.npy", np.uint16, expected.shape, mapped=len(expected) > 0), expected)


def test_an_array_that_was_broken_off_holds_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt), GrowingArray(tmp_path / "a.npy", np.uint8) as array:
        array.append(np.ones(100, np.uint8))
        raise KeyboardInterrupt
    assert np.load(tmp_path / "a.npy").shape == (0,)


@pytest.mark.parametrize("rows", [np.zeros((2, 3), np.uint16), np.zeros((2, 2), np.uint8), np.zeros(2, np.uint8)])
def test_rows_of_another_kind_are_refused(tmp_path, rows):
    with GrowingArray(tmp_path / "a.npy", np.uint8, (3,)) as array, pytest.raises(ValueError, match="rows of"):
        array.append(rows)


def test_what_is_not_the_expected_array_is_named(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, np.zeros((4, 2), np.uint8))
    assert load_array(path, np.uint8, (4, 2)).shape == (4, 2)
    for dtype, shape in ((np.uint16, (4, 2)), (np.uint8, (5, 2)), (np.uint8, (4,)), (np.uint8, (None, 3))):
        with pytest.raises(ValueError, match=r"a\.npy: uint8 \(4, 2\), expected"):
            load_array(path, dtype, shape)


@pytest.mark.parametrize("mapped", [False, True])
@pytest.mark.parametrize("keep", [0, 5, 50, -1])
def test_a_damaged_array_is_named(tmp_path, keep, mapped):
    path = tmp_path / "a.npy"
    np.save(path, np.zeros((4, 2), np.uint8))
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ValueError, match=r"a\.npy: missing or damaged"):
        load_array(path, np.uint8, (4, 2), mapped=mapped)


def test_an_array_of_objects_is_never_loaded(tmp_path):
    np.save(tmp_path / "a.npy", np.array([{}], object), allow_pickle=True)
    with pytest.raises(ValueError, match=r"a\.npy: missing or damaged"):
        load_array(tmp_path / "a.npy", object, (1,))


def test_an_archive_of_arrays_is_no_array(tmp_path):
    with (tmp_path / "a.npy").open("wb") as file:
        np.savez(file, a=np.zeros(3))
    with pytest.raises(ValueError, match=r"a\.npy: several arrays"):
        load_array(tmp_path / "a.npy", np.float64, (3,))
