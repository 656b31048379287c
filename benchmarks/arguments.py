"""Arguments that several commands take, and what they say when they are interrupted."""

import argparse
import sys

INTERRUPTED = 130
"""The exit code of a command that was interrupted, as shells have it."""


def positive(text: str) -> int:
    """Read a whole number from 1 on.

    Raises:
        argparse.ArgumentTypeError: it is something else.
    """
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"got {text!r}; expected a whole number from 1 on")
    return int(text)


def interrupted(command: str) -> int:
    """Say in one line that a command was interrupted; returns its exit code."""
    print(f"{command}: interrupted", file=sys.stderr)
    return INTERRUPTED
