"""Numbers, words and lists: what is allowed comes back as it was, what is not is named with what arrived and what is allowed."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tsslbp.arguments import BELOW_1, POSITIVE, choice, listed, number, shown, whole


@given(st.floats(0, 1e6) | st.integers(0, 10**6))
def test_an_allowed_number_comes_back_as_a_float_of_the_same_value(value: float) -> None:
    found = number("lr", value, "0 to 1e6", high=1e6)
    assert type(found) is float
    assert found == value


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -POSITIVE, 1.0, 2**70, 10**400, np.float32("nan"), np.int64(2)])
def test_a_number_out_of_range_is_named(value: object) -> None:
    with pytest.raises(ValueError, match=r"^dropout .*: must be at least 0 and below 1$"):
        number("dropout", value, "at least 0 and below 1", high=BELOW_1)


@pytest.mark.parametrize("flushed", [False, True])
def test_zero_is_not_positive_whether_denormals_are_flushed_or_not(flushed: bool) -> None:
    assert torch.set_flush_denormal(flushed)
    assert number("threshold", POSITIVE, "positive", POSITIVE) > 0
    for value in (0.0, 0, -POSITIVE, math.ulp(0.0)):
        with pytest.raises(ValueError, match=r"^threshold .*: must be positive$"):
            number("threshold", value, "positive", POSITIVE)


@pytest.mark.parametrize("value", [None, True, "1", b"1", [1.0], 1j, Fraction(1, 2), torch.tensor(0.5), np.array(0.5), object(), int])
def test_what_is_not_a_number_is_named(value: object) -> None:
    with pytest.raises(TypeError, match=r"^dropout .*: expected a number, below 1$"):
        number("dropout", value, "below 1")


@pytest.mark.parametrize("value", [1.0, True, "3", None, np.float64(3), torch.tensor(3)])
def test_what_is_not_a_whole_number_is_named(value: object) -> None:
    with pytest.raises(TypeError, match=r"^time_steps .*: expected a whole number, 1 to 5$"):
        whole("time_steps", value, 1, 5)


@pytest.mark.parametrize("value", [0, 6, -1, 2**70, np.int8(-3)])
def test_a_whole_number_out_of_range_is_named(value: object) -> None:
    with pytest.raises(ValueError, match=r"^time_steps -?\w.*: must be 1 to 5$"):
        whole("time_steps", value, 1, 5)


def test_numpys_whole_numbers_are_whole_numbers() -> None:
    assert type(whole("time_steps", np.int64(3), 1, 5)) is int


@pytest.mark.parametrize("value", [None, "", "Row", [], {}, np.array(["row"]), b"row"])
def test_another_word_is_named_with_those_allowed(value: object) -> None:
    with pytest.raises(ValueError, match=r"^mask .*: unknown; allowed: row, neuron$"):
        choice("mask", value, ("row", "neuron"))


@pytest.mark.parametrize("value", [[0, 1], (0, 1), np.array([0, 1])])
def test_lists_tuples_and_arrays_are_lists(value: object) -> None:
    assert listed("train", value, "a list") == (0, 1)


@pytest.mark.parametrize("value", ["01", b"01", {0: 1}, {0, 1}, 5, None, np.zeros((2, 2)), torch.ones(2), iter([1])])
def test_what_is_not_a_list_is_named(value: object) -> None:
    with pytest.raises(TypeError, match=r"^train .*: expected a 0 or 1 for each step$"):
        listed("train", value, "a 0 or 1 for each step")


@pytest.mark.parametrize("value", [torch.ones(500, 500), np.ones((500, 500)), list(range(10**5)), "x" * 10**5, object(), np.ones(3)])
def test_what_arrived_is_told_in_one_short_line(value: object) -> None:
    told = shown(value)
    assert len(told) < 100
    assert len(told.splitlines()) == 1
