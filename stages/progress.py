"""Progress on the screen: bars on a terminal, otherwise a plain line now and then, with the time that is left."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, ProgressColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars


class ScreenProgress:
    """A `tsslbp.data.progress.Progress` on a console, standard error unless told otherwise.

    Args:
        console: where to write.
        interval: seconds between two plain lines.
    """

    def __init__(self, console: Console | None = None, interval: float = 10.0) -> None:
        self._console = console or Console(stderr=True, highlight=False, soft_wrap=True)
        self._interval = interval

    def say(self, text: str) -> None:
        """Print a line."""
        self._console.print(text, markup=False)

    @contextmanager
    def track(self, what: str, total: int | None, unit: str) -> Iterator[Callable[[int], None]]:
        """Show a bar where there is a terminal, lines elsewhere."""
        if self._console.is_terminal:
            counts: ProgressColumn = DownloadColumn() if unit == "bytes" else MofNCompleteColumn()
            with Bars(TextColumn("{task.description}"), BarColumn(), counts, TimeRemainingColumn(), console=self._console) as bars:
                task = bars.add_task(what, total=total)
                yield lambda amount: bars.advance(task, amount)
        else:
            yield self._lines(what, total, unit)

    def _lines(self, what: str, total: int | None, unit: str) -> Callable[[int], None]:
        began = time.monotonic()
        done, told = 0, began

        def advance(amount: int) -> None:
            nonlocal done, told
            done, now = done + amount, time.monotonic()
            if now - told >= self._interval:
                told = now
                self.say(f"{what}: {describe(done, total, unit, now - began)}")

        return advance


def describe(done: int, total: int | None, unit: str, seconds: float) -> str:
    """How far the work is, and for how long it will go on: `"12,288 of 60,000 recordings, 53 s left"`."""

    def shown(amount: int) -> str:
        return decimal(amount) if unit == "bytes" else f"{amount:,}"

    count = shown(done) if total is None else f"{shown(done)} of {shown(total)}"
    count += "" if unit == "bytes" else f" {unit}"
    if total is None or not done:
        return count
    return f"{count}, {seconds * max(total - done, 0) / done:.0f} s left"
