"""What long work shows: a bar on a terminal, otherwise plain lines, both with the time that is left."""

import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, ProgressColumn, TaskID, TextColumn, TimeRemainingColumn
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
        told = time.monotonic()
        done, began, before = 0, None, 0

        def advance(amount: int) -> None:
            nonlocal done, told, began, before
            done, now = done + amount, time.monotonic()
            if began is None:
                # The first amount tells no speed: of a download that goes on it is what an earlier run fetched.
                began, before = now, done
            if now - told >= self._interval:
                told = now
                self.say(f"{what}: {describe(done, total, unit, now - began, before)}")

        return advance


def describe(done: int, total: int | None, unit: str, seconds: float, before: int = 0) -> str:
    """How far the work is, and for how long it will go on: `"12,288 of 60,000 recordings, 53 s left"`.

    What was done `before` took none of the seconds.
    """

    def shown(amount: int) -> str:
        return decimal(amount) if unit == "bytes" else f"{amount:,}"

    count = shown(done) if total is None else f"{shown(done)} of {shown(total)}"
    count += "" if unit == "bytes" else f" {unit}"
    if total is None or done <= before:
        return count
    return f"{count}, {seconds * max(total - done, 0) / (done - before):.0f} s left"


class TimeLeft:
    """How long a row of the table will still take: all its seeds, so many at a time.

    Args:
        epochs: for each seed, how many are left.
        at_a_time: how many seeds may run side by side. Fewer do where other trainings have the cores, as far as it is told which begin.
    """

    def __init__(self, epochs: Mapping[int, int], at_a_time: int) -> None:
        self._left, self._at_a_time, self._running = dict(epochs), at_a_time, set[int]()
        self._seconds: deque[float] = deque(maxlen=2 * at_a_time)

    def begin(self, seed: int) -> None:
        """A seed runs from now on."""
        self._running.add(seed)

    def rest(self, seed: int) -> None:
        """A seed does not run until it begins again."""
        self._running.discard(seed)

    def epoch(self, seed: int, seconds: float) -> None:
        """An epoch is complete and took so long."""
        self._left[seed] -= 1
        self._seconds.append(seconds)

    def end(self, seed: int) -> None:
        """A seed goes no further."""
        self._left[seed] = 0
        self.rest(seed)

    @property
    def seconds(self) -> float | None:
        """What is left, as the last epochs went; None before the first one is complete."""
        if not self._seconds:
            return None
        rounds = max(sum(self._left.values()) / (len(self._running) or self._at_a_time), max(self._left.values()))
        return rounds * sum(self._seconds) / len(self._seconds)

    def __str__(self) -> str:
        if (seconds := self.seconds) is None:
            return ""
        minutes, rest = divmod(round(seconds), 60)
        return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


class TrainingDisplay:
    """A context manager that shows the training of a model: on a terminal a bar for each seed that runs, and one for all together.

    Args:
        name: what is trained.
        epochs: how many in all.
        samples: of the training set.
        left: for each seed, the epochs that are not complete.
        at_a_time: how many seeds run side by side.
        console: where to write; None: standard output.
    """

    def __init__(
        self, name: str, epochs: int, samples: int, left: Mapping[int, int], at_a_time: int = 1, console: Console | None = None
    ) -> None:
        self._name, self._epochs, self._samples = name, epochs, samples
        self._left = TimeLeft(left, at_a_time)
        self._console = console or Console(file=sys.stdout, highlight=False, soft_wrap=True)
        columns = TextColumn("{task.description}"), BarColumn(20), MofNCompleteColumn(), TextColumn("{task.fields[left]}")
        self._bars = Bars(*columns, console=self._console, transient=True, disable=not self._console.is_terminal)
        self._seeds: dict[int, TaskID] = {}
        self._all = self._bars.add_task(f"{name}, epochs of all seeds", total=sum(left.values()), left="")

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._bars.stop()

    def batch(self, seed: int, epoch: int, samples: int) -> None:
        """Show how much of an epoch is done."""
        if seed not in self._seeds:
            self._seeds[seed] = self._bars.add_task("", total=self._samples, left="")
        self._bars.update(self._seeds[seed], description=f"seed {seed} epoch {epoch}/{self._epochs}", completed=samples)

    def epoch(self, seed: int, epoch: Epoch, seconds: float) -> None:
        """Print the numbers of an epoch that say how it goes, in 80 columns; the records and MLflow have the others."""
        self._left.epoch(seed, seconds)
        self._bars.update(self._all, advance=1, left=f"{self._left} left")
        self.say(
            f"{self._name} seed {seed} epoch {epoch.epoch}/{self._epochs}: loss {epoch.train_loss:.4f}, test {epoch.test_accuracy:.2f} %, "
            f"{self._left} left"
        )

    def begin(self, seed: int) -> None:
        """Count a seed among those that run."""
        self._left.begin(seed)

    def end(self, seed: int) -> None:
        """Show that a seed goes no further."""
        self._left.end(seed)
        self.rest(seed)

    def rest(self, seed: int) -> None:
        """Show no bar for a seed until it goes on."""
        self._left.rest(seed)
        if seed in self._seeds:
            self._bars.remove_task(self._seeds.pop(seed))

    def say(self, text: str) -> None:
        """Print a line."""
        self._console.print(text, markup=False)
        self._console.file.flush()
