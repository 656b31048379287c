"""Confusion matrix: which class is taken for which."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from tsslbp.figures.canvas import BLACK, Picture, blank, finish, style

Array = NDArray[np.float64]
SHOWN = 0.05
"""Percent from which on a share is written into its cell."""


def confusion_matrix(
    matrices: Sequence[Sequence[Sequence[int]]], title: str, *, class_names: Sequence[str] = (), name: str = "confusion", source: str = ""
) -> Picture:
    """Which class is taken for which after the last epoch, in percent of the true class.

    Args:
        matrices: of the seeds, `matrix[i][j]` samples of class i that were taken for j; they are summed.
        title: of the picture.
        class_names: stand beside the matrix; the classes' numbers where there are none.
        name: of the picture's file.
        source: the end of the caption.
    """
    counts = np.sum(matrices, axis=0)
    shares = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    names = list(class_names) or [str(index) for index in range(len(counts))]
    with style():
        figure, axes = blank(4.6)
        _draw_shares(axes, shares)
        _name_classes(axes, names)
        axes.set(title=title, xlabel="taken for", ylabel="true class")
        seeds = ", all seeds together" if len(matrices) > 1 else ""
        caption = (
            f"Confusion matrix after the last epoch{seeds}, in percent of the true class: gray, recognized; orange, mistaken; "
            f"blank, less than {SHOWN}. {source}"
        )
        return finish(figure, name, caption.strip(), f"Confusion matrix, {title}: {_worst(shares, names)}")


def _draw_shares(axes: Axes, shares: Array) -> None:
    mistakes = shares * (1 - np.eye(len(shares)))
    # the square root lets one mistake in a thousand be seen beside one in five; the floor keeps a good network's matrix pale
    norm = PowerNorm(0.5, vmin=0, vmax=max(mistakes.max(), 5.0))
    axes.imshow(mistakes, cmap="Oranges", norm=norm)
    for (true, taken), share in np.ndenumerate(shares):
        _write_share(axes, true, taken, share, dark=bool(norm(mistakes[true, taken]) > 0.75))
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)


def _name_classes(axes: Axes, names: Sequence[str]) -> None:
    axes.set_xticks(range(len(names)), names, rotation=90 if max(map(len, names)) > 2 else 0)
    axes.set_yticks(range(len(names)), names)


def _write_share(axes: Axes, true: int, taken: int, share: float, *, dark: bool) -> None:
    if true == taken:
        axes.add_patch(Rectangle((taken - 0.5, true - 0.5), 1, 1, color="#E9E9E9", linewidth=0))
    if true == taken or share >= SHOWN:
        text = f"{share:.1f}" if share < 99.95 else "100"
        axes.text(taken, true, text.removeprefix("0"), ha="center", va="center", fontsize=7.5, color="white" if dark else BLACK)


def _worst(shares: Array, names: Sequence[str]) -> str:
    mistakes = shares * (1 - np.eye(len(shares)))
    true, taken = divmod(int(mistakes.argmax()), len(mistakes))
    return f"the commonest mistake takes {names[true]} for {names[taken]}, {mistakes[true, taken]:.1f} percent of its samples."
