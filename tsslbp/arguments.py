"""Numbers, words and lists that a caller passes: each is checked once, and a message names the argument, what arrived and what is allowed.

Pure Python and NumPy, for events as for networks; tensors: method/checks.py.
"""

import math
import reprlib
import sys
from collections.abc import Collection, Sequence

import numpy as np

POSITIVE = sys.float_info.min
"""The smallest number above 0 that is still above 0 where denormals are flushed to zero, as in a process that trains."""
BELOW_1 = math.nextafter(1.0, 0.0)
MOST_STEPS = (1 << 15) - 1
"""Time steps that a network, a loss or binned events may have: a step's index fits 16 bits."""


def number(name: str, value: object, allowed: str, low: float = 0.0, high: float = sys.float_info.max) -> float:
    """Return a number as a float once it is found to lie within `low` and `high`, which `allowed` says in words.

    Raises:
        TypeError: it is not a number; True and False are not.
        ValueError: it lies outside, or is not a number at all (NaN).

    Example:
        >>> number("tau_s", 3, "at least 1 step", low=1)
        3.0
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise TypeError(f"{name} {shown(value)}: expected a number, {allowed}")
    if not low <= value <= high:
        raise ValueError(f"{name} {shown(value)}: must be {allowed}")
    return float(value)


def whole(name: str, value: object, low: int, high: int) -> int:
    """Return a whole number as an int once it is found to lie within `low` and `high`.

    Raises:
        TypeError: it is not a whole number; 5.0 and True are not.
        ValueError: it lies outside.
    """
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{name} {shown(value)}: expected a whole number, {low} to {high}")
    if not low <= value <= high:
        raise ValueError(f"{name} {shown(value)}: must be {low} to {high}")
    return int(value)


def choice(name: str, value: object, allowed: Collection[str]) -> str:
    """Return a word once it is found to be one of those allowed.

    Raises:
        ValueError: it is another one, or not a word.
    """
    if not isinstance(value, str) or value not in allowed:
        raise ValueError(f"{name} {shown(value)}: unknown; allowed: {', '.join(allowed)}")
    return value


def listed(name: str, value: object, expected: str) -> tuple[object, ...]:
    """The entries of a list, a tuple or an array of one axis.

    Raises:
        TypeError: it is something else.
    """
    if isinstance(value, np.ndarray) and value.ndim == 1:
        return tuple(value.tolist())
    if isinstance(value, (str, bytes)) or not isinstance(value, Sequence):
        raise TypeError(f"{name} {shown(value)}: expected {expected}")
    return tuple(value)


def shown(value: object) -> str:
    """What arrived, in a few characters: arrays and tensors by their shape."""
    shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
    if isinstance(shape, tuple) and shape and dtype is not None:
        return f"{type(value).__name__} of shape {tuple(shape)} and {dtype}"
    return " ".join(reprlib.repr(value).split())
