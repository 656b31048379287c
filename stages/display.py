"""What long work shows: a bar on a terminal, otherwise plain lines, both with the time that is left."""

import datetime
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, ProgressColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from tsslbp.storage.records import Epoch


class ScreenProgress:
    """A `tsslbp.progress.Progress` on a console, standard error unless told otherwise.

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


class TrainingDisplay:
    """A context manager that shows one seed's training.

    Args:
        name: what is trained.
        epochs: how many in all.
        samples: of the training set.
    """

    def __init__(self, name: str, epochs: int, samples: int) -> None:
        self._name, self._epochs, self._samples = name, epochs, samples
        self._console = Console(file=sys.stdout, highlight=False, soft_wrap=True)
        columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
        self._bar = Bars(*columns, console=self._console, transient=True, disable=not self._console.is_terminal)
        self._task = self._bar.add_task(name, total=samples, visible=False)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._bar.stop()

    def batch(self, epoch: int, samples: int) -> None:
        """Show how much of an epoch is done."""
        self._bar.update(self._task, description=f"{self._name} epoch {epoch}/{self._epochs}", completed=samples, visible=True)

    def epoch(self, epoch: Epoch, seconds: float) -> None:
        """Print the numbers of an epoch."""
        left = datetime.timedelta(seconds=round(seconds * (self._epochs - epoch.epoch)))
        self._console.print(
            f"{self._name} epoch {epoch.epoch}/{self._epochs}: loss {epoch.train_loss:.4f}, train {epoch.train_accuracy:.2f} %, "
            f"test {epoch.test_accuracy:.2f} %, {self._samples / seconds:,.0f} samples/s, {left} left",
            markup=False,
        )
        self._console.file.flush()
