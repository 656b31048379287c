"""Differences with their intervals, one line each: reproduced minus published, or one variant minus another."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from tsslbp.figures.canvas import BLACK, BLUE, GREY, STYLE, Picture, blank, finish, style

SMALLEST_REACH = 0.2
"""Points: a frame is never narrower than this to either side."""

NAME_LENGTH = 36
"""Characters of a name on one line: longer ones would leave the axes too little room."""


@dataclass(frozen=True)
class Line:
    """One line of the plot, in percentage points.

    Attributes:
        name: stands before the line.
        numbers: the same numbers in words, below the name.
        middle: the estimate; None where there is none, and `instead` says why.
        low: lower end of its interval; `middle` where there is no interval.
        high: upper end of its interval.
        dots: single values, drawn small below the line.
        marker: matplotlib's.
        color: matplotlib's.
        filled: whether the marker is.
        instead: a text in place of an estimate.
        fits: whether the frame must show all of this line; the others may lie beyond it.
    """

    name: str
    numbers: str
    middle: float | None = None
    low: float = 0.0
    high: float = 0.0
    dots: tuple[float, ...] = ()
    marker: str = "o"
    color: str = BLUE
    filled: bool = True
    instead: str = ""
    fits: bool = True


def forest(lines: Sequence[Line], title: str, name: str, caption: str, alt: str) -> Picture:
    """Draw the lines, the first on top, around the line at zero.

    Args:
        lines: at least one.
        title: of the picture.
        name: of the picture's file.
        caption: of the picture.
        alt: what it shows, in words.
    """
    with style():
        figure, axes = blank(1.1 + 0.48 * len(lines))
        limit = _limit(lines)
        axes.axvline(0, color=BLACK, linewidth=1.2)
        for position, line in enumerate(lines):
            _draw(axes, position, line, limit)
        axes.set(xlabel="percentage points", xlim=(-limit, limit))
        axes.xaxis.set_major_locator(MaxNLocator(5))
        _name_lines(axes, lines)
        _title(figure, title)
        return finish(figure, name, caption, alt)


def _limit(lines: Sequence[Line]) -> float:
    """Half the width of the frame: one line that lies far off must not press all others to the line at zero."""
    drawn = [line for line in lines if line.middle is not None]
    chosen = [line for line in drawn if line.fits] or drawn
    return 1.15 * max([SMALLEST_REACH, *(abs(end) for line in chosen for end in (line.low, line.high, *line.dots))])


def _draw(axes: Axes, position: int, line: Line, limit: float) -> None:
    if line.middle is None:
        box = {"facecolor": "white", "edgecolor": "none", "pad": 2}
        axes.text(0, position, line.instead, ha="center", va="center", color=GREY, fontsize=9, style="italic", bbox=box)
        return
    for dot in line.dots:
        _mark(axes, position + 0.24, replace(line, marker=".", filled=True), dot, limit, 4)
    axes.plot([line.low, line.high], [position, position], color=line.color, linewidth=2.2, solid_capstyle="butt")
    _mark(axes, position, line, line.middle, limit, 7.5)


def _mark(axes: Axes, position: float, line: Line, middle: float, limit: float, size: float) -> None:
    """The mark of a value, or an arrow at the edge towards one that lies beyond the frame."""
    marker, is_beyond = line.marker, abs(middle) > limit
    if is_beyond:
        marker = "<" if middle < 0 else ">"
        middle = 0.97 * limit * float(np.sign(middle))
    axes.plot(
        middle,
        position,
        marker,
        clip_on=not is_beyond,
        color=line.color,
        markerfacecolor=line.color if line.filled else "white",
        markersize=size,
    )


def _name_lines(axes: Axes, lines: Sequence[Line]) -> None:
    """A name and its numbers before every line, the first on top."""
    labels = ["\n".join((*textwrap.wrap(line.name, NAME_LENGTH), line.numbers)).strip() for line in lines]
    axes.set_yticks(range(len(lines)), labels, fontsize=8.5)
    axes.set_ylim(len(lines) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)


def _title(figure: Figure, text: str) -> None:
    """A title over the whole width: the names of the lines leave too little of it to the axes."""
    figure.suptitle(text, x=0.02, ha="left", fontsize=STYLE["axes.titlesize"], fontweight="bold")
