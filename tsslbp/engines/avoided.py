"""Which nodes of a cluster get no worker, and why."""

from collections.abc import Iterator, Set

from tsslbp.engines.jobs import EngineError


class AvoidedNodes:
    """Nodes that were refused because they would compute other numbers, and those that are gone before their cluster knows it."""

    def __init__(self) -> None:
        self._refused: dict[str, str] = {}
        self._gone: set[str] = set()

    def __iter__(self) -> Iterator[str]:
        return iter(self._refused.keys() | self._gone)

    def lose(self, node: str) -> None:
        """A node is gone."""
        self._gone.add(node)

    def refuse(self, node: str, name: str, why: str) -> str | None:
        """Refuse a node: what to say about it; None where that was said before."""
        if node in self._refused:
            return None
        self._refused[node] = f"node {name} is refused: {why}"
        return self._refused[node]

    def check(self, there: Set[str]) -> None:
        """Raise an EngineError where all nodes that could serve are refused."""
        if self._refused and there <= self._refused.keys():
            raise EngineError(
                "\n".join([*self._refused.values(), "no other node is there; install this very version of the project on them"])
            )
