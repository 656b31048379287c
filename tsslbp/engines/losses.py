"""How often an engine starts a seed again whose worker is lost."""

from collections import Counter

from tsslbp.engines.jobs import RETRIES, EngineError, Lost


class Losses:
    """Counts the workers that were lost without completing an epoch, by seed."""

    def __init__(self) -> None:
        self._losses: Counter[int] = Counter()
        self._given_up: list[str] = []

    def progressed(self, seed: int) -> None:
        """A seed completed an epoch: what was lost before is forgotten."""
        self._losses[seed] = 0

    def lost(self, seed: int, what: str, by_accident: bool = False) -> tuple[Lost, bool]:
        """Count a loss.

        Args:
            seed: whose worker is gone.
            what: names the worker and how it ended.
            by_accident: the seed cannot be the reason, so that this one does not count.

        Returns:
            What the driver is told, and whether the seed is to be started again.
        """
        self._losses[seed] += not by_accident
        if self._losses[seed] <= RETRIES:
            return Lost(seed, f"{what}; the seed goes on from its last complete epoch"), True
        message = f"{what}, {RETRIES + 1} times without completing an epoch"
        self._given_up.append(
            f"{message}; if memory is short, lower execution.parallel. What is complete is kept, and the same command goes on from there"
        )
        return Lost(seed, f"{message}; the other seeds go on", again=False), False

    def raise_given_up(self) -> None:
        """Raise an EngineError that names the seeds which were lost too often, if there are any."""
        if self._given_up:
            raise EngineError("\n".join(self._given_up))
