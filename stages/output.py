"""What is printed never decides about work: a reader that goes away, a full disk or a poor encoding ends no stage."""

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO


class Output:
    """A text stream whose faults end nothing: after the first one, all that is printed is dropped.

    Characters that the stream's encoding lacks are written as escapes.

    Args:
        stream: where to write; None where the process was started with the stream closed.
        name: what to call it.
        other: where to say, once, that it is dropped; None: nowhere.
    """

    def __init__(self, stream: TextIO | None, name: str, other: "Output | None" = None) -> None:
        self._stream: Any = open(os.devnull, "w") if stream is None else stream  # noqa: SIM115, PTH123 - as long as the process
        self._name, self._other, self._dropped = name, other, False
        if hasattr(self._stream, "reconfigure"):
            self._stream.reconfigure(errors="backslashreplace")

    def write(self, text: str) -> int:
        """Write a text, or drop it."""
        if not self._dropped:
            try:
                self._stream.write(text)
            except (OSError, ValueError) as error:  # ValueError: the stream was closed
                self._drop(error)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write several texts, or drop them."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Hand on what was written, or drop it."""
        if not self._dropped:
            try:
                self._stream.flush()
            except (OSError, ValueError) as error:
                self._drop(error)

    def _drop(self, error: Exception) -> None:
        self._dropped = True
        # What the stream still holds has to go somewhere, or Python would complain of it at the end and change the exit code.
        with suppress(OSError, ValueError):
            target = self._stream.fileno()
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, target)
            os.close(nowhere)
            self._stream.flush()
        if self._other is not None:
            why = getattr(error, "strerror", None) or error
            self._other.write(f"warning: {self._name} is dropped from here on ({why}); the work goes on\n")
            self._other.flush()

    def __getattr__(self, name: str) -> Any:
        """Everything else is the stream's own: whether it is a terminal, its encoding and its number."""
        return getattr(self._stream, name)


@contextmanager
def unfailing_output() -> Iterator[None]:
    """Let standard output and standard error fail without ending the block."""
    before = sys.stdout, sys.stderr
    error = Output(sys.stderr, "standard error")
    output = Output(sys.stdout, "standard output", error)
    sys.stdout, sys.stderr = output, error
    try:
        yield
    finally:
        output.flush()
        error.flush()
        sys.stdout, sys.stderr = before
