"""Hostile inputs: ways to damage what is valid, and a runner that counts how many inputs a reader has seen."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

EXTREMES = [bytes(1), bytes(4), bytes(8), b"\xff", b"\xff" * 4, b"\xff" * 8, b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f", b"\x80", b"\n"]
HANGS_AFTER = 300  # seconds; the slowest input starts two workers


class CodeRan(BaseException):
    """No reader catches it."""


def code_ran(*arguments: object, **named: object) -> None:
    """What hostile pickles ask for."""
    raise CodeRan


@dataclass(frozen=True)
class Target:
    """A reader under fire: where its inputs come from, and what it owes to each; `check` gets an input and a folder to write it to."""

    inputs: st.SearchStrategy[Any]
    check: Callable[[Any, Path], None]


@st.composite
def damaged(draw: st.DrawFn, valid: bytes) -> bytes:
    """What is valid, with a few places overwritten, cut out or filled in, and perhaps the end missing."""
    data = bytearray(valid)
    for _ in range(draw(st.integers(1, 5))):
        at, length = draw(st.integers(0, len(data))), draw(st.integers(0, 8))
        data[at : at + length] = draw(st.binary(max_size=8) | st.sampled_from(EXTREMES))
    return bytes(data[: draw(st.none() | st.integers(0, len(data)))])


def fire(target: Target, profile: settings, folder: Path) -> int:
    """Send as many inputs at a reader as the profile says; returns how many it has seen."""
    seen = 0

    @profile
    @given(target.inputs)
    def send(data: Any) -> None:
        nonlocal seen
        seen += 1
        with in_time():
            target.check(data, folder)

    send()
    return seen


class Hangs(AssertionError):
    """A call that does not come back."""


@contextmanager
def in_time(seconds: int = HANGS_AFTER, timer: int = signal.ITIMER_REAL) -> Iterator[None]:
    """A reader that hangs is a failure, and not a test run that never ends.

    Args:
        seconds: how long the block may take.
        timer: ITIMER_REAL counts by the clock, ITIMER_PROF what this process computes: a busy machine does not matter.
    """

    def hangs(*_: object) -> None:
        raise Hangs(f"hangs: more than {seconds} s")

    number = signal.SIGALRM if timer == signal.ITIMER_REAL else signal.SIGPROF
    before = signal.signal(number, hangs)
    signal.setitimer(timer, seconds)
    try:
        yield
    finally:
        signal.setitimer(timer, 0)
        signal.signal(number, before)
