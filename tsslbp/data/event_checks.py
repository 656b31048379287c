"""What must be true of events and of the numbers that describe them; every message names the argument and says what arrived."""

from collections.abc import Sequence

import numpy as np

from tsslbp.arguments import MOST_STEPS, shown, whole

FIELDS = ("x", "y", "p", "t")
LONGEST_US = (1 << 31) - 1
"""A time in microseconds fits 32 bits."""
LARGEST_FRAME = 1 << 15
"""Rows, columns or channels: their indices fit 16 bits."""


def check_events(events: object) -> None:
    """Refuse what is not a structured array with one axis and the fields x, y, p and t, whole numbers.

    Raises:
        TypeError: it is not an array, or not a structured one.
        ValueError: it has another shape, lacks a field, or has fields of another kind.
    """
    expected = "a structured NumPy array with the whole-number fields x, y, p and t, as read_events returns it"
    if not isinstance(events, np.ndarray) or events.dtype.names is None:
        raise TypeError(f"events {shown(events)}: expected {expected}")
    if events.ndim != 1:
        raise ValueError(f"events of shape {events.shape}: expected (n,), {expected}")
    for field in FIELDS:
        if field not in events.dtype.names or events.dtype[field].kind not in "iub":
            raise ValueError(f"events of {events.dtype}: {field} is missing or not a whole number; expected {expected}")


def check_bins(time_steps: object, window_us: object, shape: object) -> None:
    """Refuse numbers that describe no bins.

    Raises:
        TypeError: one is not a whole number.
        ValueError: one is out of range.
    """
    whole("time_steps", time_steps, 1, MOST_STEPS)
    whole("window_us", window_us, 1, LONGEST_US)
    check_sizes("shape", shape, "channels, height, width")


def check_time(first_us: object, last_us: object) -> None:
    """Refuse what is not a part of a recording's time: `first_us`, and after it `last_us`, which None leaves open.

    Raises:
        TypeError: one is not a whole number.
        ValueError: one is out of range, or no time is left between the two.
    """
    first = whole("first_us", first_us, 0, LONGEST_US)
    if last_us is not None and whole("last_us", last_us, 1, LONGEST_US) <= first:
        raise ValueError(f"last_us {last_us}: must come after first_us, {first}")


def check_sizes(name: str, sizes: object, expected: str) -> None:
    """Refuse what is not one size for each of the names in `expected`.

    Raises:
        TypeError: it is not a list of whole numbers.
        ValueError: there are more or fewer, or one is out of range.
    """
    if not isinstance(sizes, Sequence) or isinstance(sizes, (str, bytes)):
        raise TypeError(f"{name} {shown(sizes)}: expected ({expected})")
    if len(sizes) != len(expected.split(", ")):
        raise ValueError(f"{name} {shown(sizes)}: expected ({expected})")
    for size in sizes:
        whole(name, size, 1, LARGEST_FRAME)
