"""How long work reports back: the library calls a `Progress`, the stages decide what is seen of it."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Progress(Protocol):
    """Where long work reports to."""

    def say(self, text: str) -> None:
        """Tell of something that happened, in one line."""

    def track(self, what: str, total: int | None, unit: str) -> AbstractContextManager[Callable[[int], None]]:
        """Follow `what` through the block; the block calls the yielded function with each amount done.

        Args:
            what: what is being worked on.
            total: how much there is to do, None where nobody knows.
            unit: what is counted: "bytes", "recordings" ...
        """


class Silent:
    """A `Progress` that nobody sees."""

    def say(self, text: str) -> None:
        """Say nothing."""

    @contextmanager
    def track(self, what: str, total: int | None, unit: str) -> Iterator[Callable[[int], None]]:
        """Show nothing."""
        yield lambda amount: None
