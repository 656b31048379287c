"""How every picture looks: size, type, colors, and PNG bytes that depend on nothing but what is drawn.

Pictures are 4.5 inches wide, so that their type stays readable at the width of a phone. Colors: M. Okabe and K. Ito,
"Color Universal Design", 2008, which the color-blind can tell apart; no picture relies on color alone.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

BLUE, VERMILLION, GREEN, ORANGE, GREY, BLACK = "#0072B2", "#D55E00", "#009E73", "#E69F00", "#6E6E6E", "#1A1A1A"

WIDTH_INCHES = 4.5
DOTS_PER_INCH = 200

STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so every machine draws the same letters
    "font.size": 10,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 10,
    "axes.edgecolor": GREY,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E3E3E3",
    "grid.linewidth": 0.8,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": BLACK,
    "ytick.labelcolor": BLACK,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "text.parse_math": False,  # a dollar sign in a name is a dollar sign
}


@dataclass(frozen=True)
class Picture:
    """A finished picture.

    Attributes:
        name: file name without its ending.
        caption: what is shown, of which data, from how many runs and which commit.
        alt: what it shows, for readers who cannot see it.
        png: the file's bytes.
        width: in pixels.
        height: in pixels.
    """

    name: str
    caption: str
    alt: str
    png: bytes
    width: int
    height: int


@contextmanager
def style() -> Iterator[None]:
    """Everything that is drawn within looks alike, whatever the user's own matplotlib settings are."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(STYLE)
        yield


def blank(height: float) -> tuple[Figure, Axes]:
    """An empty figure of the common width with one pair of axes; `height` in inches."""
    figure = blank_figure(height)
    return figure, figure.add_subplot()


def blank_figure(height: float) -> Figure:
    """An empty figure of the common width; `height` in inches."""
    figure = Figure(figsize=(WIDTH_INCHES, height), dpi=DOTS_PER_INCH, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def finish(figure: Figure, name: str, caption: str, alt: str) -> Picture:
    """Render to PNG, without matplotlib's name and version in it."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    width, height = (round(inches * DOTS_PER_INCH) for inches in figure.get_size_inches())
    return Picture(name, caption, alt, buffer.getvalue(), width, height)


def integer_epochs(axes: Axes, epochs: int) -> None:
    """A horizontal axis of epochs: whole numbers, from zero where there are several."""
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if epochs > 1:
        axes.set_xlim(left=0)


def dot_if_single(epochs: int) -> str:
    """The marker of a curve: a line through a single epoch would not be seen."""
    return "o" if epochs == 1 else ""
