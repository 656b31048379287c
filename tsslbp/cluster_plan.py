"""How long a list of seeds takes on several machines."""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Machines:
    """Machines of one kind.

    Attributes:
        nodes: how many.
        cores: of each.
        threads: of one seed.
    """

    nodes: int
    cores: int
    threads: int

    @property
    def seeds_per_node(self) -> int:
        """How many seeds train side by side on one; at least one."""
        return max(1, self.cores // self.threads)

    @property
    def seeds(self) -> int:
        """How many seeds train side by side on all."""
        return self.nodes * self.seeds_per_node

    def hours(self, seeds: Sequence[float]) -> float:
        """Hours until the last seed is done, if each begins, in this order, as soon as there is room.

        >>> Machines(nodes=1, cores=2, threads=1).hours([3.0, 1.0, 1.0, 2.0])
        4.0
        """
        free = [0.0] * self.seeds
        for hours in seeds:
            heapq.heappush(free, heapq.heappop(free) + hours)
        return max(free)
