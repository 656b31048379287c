"""What a table is, in every format: columns that make cells of lines. formats.py turns tables into text."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from tsslbp.report.numbers import MISSING

Item = TypeVar("Item")

Format = Literal["csv", "html", "markdown", "latex", "terminal", "readme"]
PAGE: frozenset[Format] = frozenset({"html"})
DATA: frozenset[Format] = frozenset({"csv"})
MARKDOWN: frozenset[Format] = frozenset({"markdown"})
PAPER: frozenset[Format] = frozenset({"markdown", "latex"})
BRIEF: frozenset[Format] = frozenset({"html", "readme", "terminal"})
READERS: frozenset[Format] = frozenset({"html", "markdown", "latex", "terminal", "readme"})
EVERYWHERE: frozenset[Format] = READERS | DATA

Kind = Literal["text", "number", "code"]


@dataclass(frozen=True)
class Cell:
    """What a reader sees in a cell.

    Attributes:
        text: on the first line.
        details: smaller lines below it, where the format has room.
        mark: a symbol before the text that repeats it for the eye, never alone.
        style: names the cell's color in HTML.
    """

    text: str
    details: tuple[str, ...] = ()
    mark: str = ""
    style: str = ""


def plain(value: object) -> Cell:
    """Any value as it is; a dash for None and for an empty text."""
    return Cell(MISSING if value is None or value == "" else str(value))


@dataclass(frozen=True)
class Column(Generic[Item]):
    """One column.

    Attributes:
        name: in CSV.
        heading: for readers.
        value: what a line has here; CSV holds it as it is, and nothing for None.
        cell: how the value looks to a reader.
        formats: which of them show the column.
        kind: "number" is set to the right, "code" in a typewriter's letters.
    """

    name: str
    heading: str
    value: Callable[[Item], Any]
    cell: Callable[[Any], Cell] = plain
    formats: frozenset[Format] = EVERYWHERE
    kind: Kind = "text"

    def of(self, line: Item) -> Cell:
        """The cell of a line."""
        return self.cell(self.value(line))


@dataclass(frozen=True)
class Table(Generic[Item]):
    """Columns and lines. A table has at least one line.

    Attributes:
        name: its anchor and label.
        caption: what it shows, in a sentence.
        columns: of all formats.
        groups: lines by the heading that they stand under; one group named "" where they have none.
        group: what the groups are.
        note: what a reader of a line should know besides, "" for nothing.
        is_faint: whether a line has nothing to show, as a model that was not run.
    """

    name: str
    caption: str
    columns: Sequence[Column[Item]]
    groups: Mapping[str, Sequence[Item]]
    group: str = ""
    note: Callable[[Item], str] = lambda line: ""
    is_faint: Callable[[Item], bool] = lambda line: False

    def shown(self, target: Format) -> list[Column[Item]]:
        """The columns that a format shows."""
        return [column for column in self.columns if target in column.formats]

    @property
    def lines(self) -> list[Item]:
        """The lines of all groups."""
        return [line for group in self.groups.values() for line in group]


def grouped(lines: Iterable[Item], key: Callable[[Item], str]) -> dict[str, list[Item]]:
    """Lines by their key, both in the order of first appearance."""
    groups: dict[str, list[Item]] = {}
    for line in lines:
        groups.setdefault(key(line), []).append(line)
    return groups
