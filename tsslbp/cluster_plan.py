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
        memory: bytes of each that seeds may fill; None where nobody says.
    """

    nodes: int
    cores: int
    threads: int
    memory: int | None = None

    @property
    def seeds_per_node(self) -> int:
        """How many seeds train side by side on one, as far as its cores go; at least one."""
        return max(1, self.cores // self.threads)

    @property
    def seeds(self) -> int:
        """How many seeds train side by side on all, as far as their cores go."""
        return self.nodes * self.seeds_per_node

    def fitting(self, memory: int) -> int:
        """How many seeds of so many bytes train side by side on one machine; at least one.

        >>> Machines(nodes=1, cores=16, threads=1, memory=32_000_000_000).fitting(5_800_000_000)
        5
        """
        return self.seeds_per_node if self.memory is None else max(1, min(self.seeds_per_node, self.memory // max(1, memory)))

    def hours(self, seeds: Sequence[float], memory: Sequence[int] = ()) -> float:
        """Hours until the last seed is done, if each begins, in this order, as soon as a machine has room for it.

        Args:
            seeds: the hours of each.
            memory: the bytes of each; none given: they need next to nothing.

        >>> Machines(nodes=1, cores=2, threads=1).hours([3.0, 1.0, 1.0, 2.0])
        4.0
        >>> Machines(nodes=1, cores=2, threads=1, memory=8).hours([3.0, 1.0, 1.0, 2.0], [5, 5, 5, 5])
        7.0
        """
        running = list[tuple[float, int, int]]()  # when each ends, where, and its bytes
        held = [list[int]() for _ in range(self.nodes)]
        now = 0.0
        for hours, need in zip(seeds, memory or [0] * len(seeds), strict=True):
            while (node := next((node for node, others in enumerate(held) if self._has_room(others, need)), None)) is None:
                now, place, freed = heapq.heappop(running)
                held[place].remove(freed)
            held[node].append(need)
            heapq.heappush(running, (now + hours, node, need))
        return max(ends for ends, _, _ in running)

    def _has_room(self, others: Sequence[int], need: int) -> bool:
        """Whether a seed finds its cores and its memory on a machine beside these; alone it trains on any, however slowly."""
        if not others:
            return True
        return len(others) < self.seeds_per_node and (self.memory is None or sum(others) + need <= self.memory)
