import contextlib
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tsslbp.data.pickles import UnsafePickleError, read_pickle


def test_a_pickle_of_python_2_is_read():
    # As the official batches have it: text is bytes, and so is what numpy stored.
    data = (
        b"(dp0\nS'data'\np1\ncnumpy.core.multiarray\n_reconstruct\np2\n(cnumpy\nndarray\np3\n(I0\ntp4\nS'b'\np5\ntp6\nRp7\n"
        b"(I1\n(I1\nI3\ntp8\ncnumpy\ndtype\np9\n(S'u1'\np10\nI0\nI1\ntp11\nRp12\n(I3\nS'|'\np13\nNNNI-1\nI-1\nI0\ntp14\nbI00\n"
        b"S'abc'\np15\ntp16\nbsS'labels'\np17\n(lp18\nI7\nas."
    )
    batch = read_pickle(data)
    assert batch["data"].tolist() == [[97, 98, 99]]
    assert batch["labels"] == [7]


@pytest.mark.parametrize(
    "value",
    [
        {"data": np.zeros((2, 3072))},
        {"data": np.array([{}, {}], object)},
        {"data": np.array(["a"])},
        {"data": np.zeros(2, [("a", np.uint8)])},
    ],
)
def test_a_pickle_with_an_array_of_other_things_is_refused(value):
    with pytest.raises(UnsafePickleError, match="array that is not one of unsigned bytes"):
        read_pickle(pickle.dumps(value, 4))


def test_an_array_shorter_than_its_shape_is_refused():
    data = pickle.dumps({"data": np.zeros((2, 7), np.uint8)}, 4)
    assert data.count(b"K\x02K\x07\x86") == 1
    with pytest.raises(ValueError, match="shorter or longer"):
        read_pickle(data.replace(b"K\x02K\x07\x86", b"K\x7fK\x07\x86"))


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_do_more_than_raise_a_value_error(data):
    for candidate in (data, b"\x80\x04" + data, pickle.dumps({"a": 1})[:-1] + data):
        with contextlib.suppress(ValueError):
            assert isinstance(read_pickle(candidate), dict)
