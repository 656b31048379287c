"""Differences with their intervals, one line each: reproduced minus published, or one variant minus another."""

import math
import textwrap
from collections import Counter
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

LABEL_LINES = 3
"""Lines of text for which a row of the usual height has room."""

DOTS_BELOW = 0.24
"""Of a row's usual height: how far below a line its dots are drawn, and how much room equal ones have below that."""

ROOM_FOR_A_MARK = 1.08
"""Where the frame ends, as a multiple of a mark inside: closer to its edge, the mark would be cut off."""


@dataclass(frozen=True)
class Line:
    """One line of the plot, in percentage points.

    Attributes:
        name: stands before the line.
        numbers: the same numbers in words, below the name.
        middle: the estimate; None where there is none, and `instead` says why.
        low: lower end of its interval; `middle` where there is no interval.
        high: upper end of its interval.
        dots: single values, drawn small below the line; equal ones below each other, so that they can be counted.
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
        labels = list(map(_label, lines))
        bounds = _bounds(labels)
        middles = (bounds[:-1] + bounds[1:]) / 2
        figure, axes = blank(1.1 + 0.48 * float(bounds[-1] - bounds[0]))
        limit = _limit(lines)
        axes.axvline(0, color=BLACK, linewidth=1.2)
        for position, line in zip(middles.tolist(), lines, strict=True):
            _draw(axes, position, line, limit)
        axes.set(xlabel="percentage points", xlim=(-limit, limit), ylim=(bounds[-1], bounds[0]))
        axes.xaxis.set_major_locator(MaxNLocator(5))
        _name_lines(axes, middles, labels)
        _title(figure, title)
        return finish(figure, name, caption, alt)


def _label(line: Line) -> str:
    """The name of a line and its numbers."""
    return "\n".join((*textwrap.wrap(line.name, NAME_LENGTH), line.numbers)).strip()


def _bounds(labels: Sequence[str]) -> np.ndarray:
    """Where each row begins and the last one ends, from the top, so that no label reaches into the next row; the usual height is 1."""
    heights = [max(1.0, len(label.splitlines()) / LABEL_LINES) for label in labels]
    return np.cumsum([-0.5, *heights])


def _limit(lines: Sequence[Line]) -> float:
    """Half the width of the frame: one line that lies far off must not press all others to the line at zero."""
    drawn = [line for line in lines if line.middle is not None]
    chosen = [line for line in drawn if line.fits] or drawn
    limit = 1.15 * max([SMALLEST_REACH, *(abs(end) for line in chosen for end in (line.low, line.high, *line.dots))])
    for mark in sorted(abs(mark) for line in drawn for mark in (line.middle or 0.0, *line.dots)):
        limit = max(limit, ROOM_FOR_A_MARK * mark) if mark <= limit else limit
    return limit


def _draw(axes: Axes, position: float, line: Line, limit: float) -> None:
    if line.middle is None:
        box = {"facecolor": "white", "edgecolor": "none", "pad": 2}
        axes.text(0, position, line.instead, ha="center", va="center", color=GREY, fontsize=9, style="italic", bbox=box)
        return
    for dot, times in Counter(line.dots).items():
        for nth in range(times if abs(dot) <= limit else 1):  # beyond the frame one arrow stands for all
            _mark(axes, position + DOTS_BELOW * (1 + nth / times), replace(line, marker=".", filled=True), dot, limit, 4)
    axes.plot([line.low, line.high], [position, position], color=line.color, linewidth=2.2, solid_capstyle="butt")
    beyond = {math.copysign(1, place): place for place in (line.low, line.high, line.middle) if abs(place) > limit}
    for place in (*beyond.values(), *([line.middle] if abs(line.middle) <= limit else [])):
        _mark(axes, position, line, place, limit, 7.5)


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


def _name_lines(axes: Axes, middles: np.ndarray, labels: Sequence[str]) -> None:
    """A label before every line."""
    axes.set_yticks(middles, labels, fontsize=8.5)
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)


def _title(figure: Figure, text: str) -> None:
    """A title over the whole width: the names of the lines leave too little of it to the axes."""
    figure.suptitle(text, x=0.02, ha="left", fontsize=STYLE["axes.titlesize"], fontweight="bold")
