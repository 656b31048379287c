"""What training shows: a bar on a terminal, otherwise a line an epoch, both with the time that is left."""

import datetime
import sys
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tsslbp.records import Epoch


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
        self._bar = Progress(*columns, console=self._console, transient=True, disable=not self._console.is_terminal)
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
