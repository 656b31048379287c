"""The cores of a machine, shared by all trainings of a pipeline and its studies on it: whoever trains holds a locked file for each core that it uses.

A killed process lets go of its files by itself, so that nothing has to be cleaned up.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from tsslbp.storage.files import lock

POLL = 0.5
"""Seconds between two looks for a core that another training has given back."""


class CoreBudget:
    """Cores in the form of lock files. Where the file system knows no locks, everyone gets as many as they ask for.

    Args:
        folder: where the files lie; who shares the folder shares the cores.
        cores: what tells each from the others; who is given other cores waits for none of these.
    """

    def __init__(self, folder: Path, cores: Iterable[int | str]) -> None:
        self._folder, self._cores = folder, list(cores)

    def counts(self) -> bool:
        """Whether it knows what others hold: the file system has locks."""
        with self._one_at_a_time() as counts:
            return counts

    def take(self, count: int) -> ExitStack | None:
        """Take so many cores, or all that the budget has where that is less; None where others hold too many of them.

        Closing what is returned gives them back.
        """
        wanted = min(count, len(self._cores))
        with self._one_at_a_time() as counts, ExitStack() as held:
            if not counts:
                return held.pop_all()
            taken = 0
            for core in self._cores:
                taken += self._lock(held, core)
                if taken == wanted:
                    return held.pop_all()
        return None

    @contextmanager
    def _one_at_a_time(self) -> Iterator[bool]:
        """Let nobody else choose meanwhile, or two that need two cores each would both find one and wait for ever.

        Yields:
            False where the file system knows no locks, so that others may choose nevertheless.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / "choosing.lock").open("a") as file:
            yield lock(file.fileno(), waits=True)

    def _lock(self, held: ExitStack, core: int | str) -> bool:
        file: IO[str] = (self._folder / f"core-{core}.lock").open("a")
        if not lock(file.fileno()):
            file.close()
            return False
        held.enter_context(file)
        return True


class Waiting:
    """Says once why nothing begins.

    Args:
        say: takes a line for the user.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say, self._told = say, False

    def tell(self, why: str = "other trainings of this project use all cores; waiting for one") -> None:
        """Say it, unless something was said."""
        if not self._told:
            self._say(why)
        self._told = True
