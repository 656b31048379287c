"""Pictures of one model's runs: learning curves, confusion matrix, firing rates. See forest.py and raster.py for the others."""

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from tsslbp.report.figures.canvas import BLACK, BLUE, VERMILLION, Picture, blank, finish, origin_of, style, title_of
from tsslbp.report.render import number
from tsslbp.report.rows import Row
from tsslbp.storage.records import ModelRecord


def learning_curves(record: ModelRecord, row: Row) -> Picture:
    """Test accuracy over the epochs: mean and range over the seeds, each seed's best epoch, the published mean."""
    with style():
        figure, axes = blank(3.4)
        accuracies = _common_epochs(record)
        epochs = np.arange(1, accuracies.shape[1] + 1)
        axes.fill_between(
            epochs, accuracies.min(axis=0), accuracies.max(axis=0), color=BLUE, alpha=0.25, linewidth=0, label="range of seeds"
        )
        axes.plot(epochs, accuracies.mean(axis=0), color=BLUE, label="mean of seeds", marker="o" if len(epochs) == 1 else "")
        axes.plot(
            [seed.best_epoch for seed in record.seeds],
            [seed.best for seed in record.seeds],
            linestyle="",
            marker="o",
            markerfacecolor="white",
            markeredgecolor=BLACK,
            markersize=5,
            label="best epoch of a seed",
        )
        if row.published.mean is not None:
            axes.axhline(row.published.mean, color=VERMILLION, linestyle="--", label=f"published mean {number(row.published.mean)}")
        cut = _frame(axes, accuracies, row.published.mean)
        axes.set(title=title_of(row), xlabel="epoch", ylabel="test accuracy, %")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlim(left=0 if len(epochs) > 1 else None)
        figure.legend(loc="outside lower center", ncols=2)
        start = " The first epochs lie below the frame." if cut else ""
        caption = (
            f"Test accuracy after each epoch: mean and range over the seeds; circles, the best epoch of each seed.{start} {origin_of(row)}"
        )
        alt = f"Learning curve of {row.model}: mean test accuracy ends at {number(row.final.mean if row.final else None)} percent."
        return finish(figure, f"learning-{row.model}", caption, alt)


def _common_epochs(record: ModelRecord) -> NDArray[np.float64]:
    """(seeds, epochs) of test accuracy, as far as all seeds got."""
    length = min(len(seed.history) for seed in record.seeds)
    return np.array([[epoch.test_accuracy for epoch in seed.history[:length]] for seed in record.seeds])


def _frame(axes: Axes, accuracies: NDArray[np.float64], published: float | None) -> bool:
    """Fit the frame to all but the first tenth of the epochs, where the steep rise would flatten all the rest."""
    settled = accuracies[:, accuracies.shape[1] // 10 :]
    seen = [settled.min(), accuracies.max(), *([] if published is None else [published])]
    margin = max(0.06 * (max(seen) - min(seen)), 0.02)
    low, high = min(seen) - margin, max(seen) + margin
    axes.set_ylim(low, high)
    return bool(accuracies.min() < low)


def confusion_matrix(record: ModelRecord, row: Row) -> Picture:
    """Which class is taken for which after the last epoch, all seeds together, in percent of the true class.

    Args:
        record: its matrices are summed.
        row: the model's row; its class names stand beside the matrix, the classes' numbers where it has none.
    """
    counts = np.sum([seed.confusion for seed in record.seeds], axis=0)
    shares = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    names = list(row.class_names) or [str(index) for index in range(len(counts))]
    with style():
        figure, axes = blank(4.6)
        mistakes = shares * (1 - np.eye(len(shares)))
        # the square root lets one mistake in a thousand be seen beside one in five; the floor keeps a good network's matrix pale
        norm = PowerNorm(0.5, vmin=0, vmax=max(mistakes.max(), 5.0))
        axes.imshow(mistakes, cmap="Oranges", norm=norm)
        for (true, taken), share in np.ndenumerate(shares):
            _write_share(axes, true, taken, share, bool(norm(mistakes[true, taken]) > 0.75))
        ticks = range(len(names))
        long = max(map(len, names)) > 2
        axes.set_xticks(ticks, names, rotation=90 if long else 0)
        axes.set_yticks(ticks, names)
        axes.set(title=title_of(row), xlabel="taken for", ylabel="true class")
        axes.grid(visible=False)
        axes.spines[:].set_visible(False)
        caption = (
            f"Confusion matrix after the last epoch, all seeds together, in percent of the true class: grey, recognised; "
            f"orange, mistaken; blank, less than 0.05. {origin_of(row)}"
        )
        return finish(figure, f"confusion-{row.model}", caption, f"Confusion matrix of {row.model}: {_worst(shares, names)}")


def _write_share(axes: Axes, true: int, taken: int, share: float, dark: bool) -> None:
    if true == taken:
        axes.add_patch(mpl.patches.Rectangle((taken - 0.5, true - 0.5), 1, 1, color="#E9E9E9", linewidth=0))
    if true == taken or share >= 0.05:
        colour = "white" if dark else BLACK
        text = f"{share:.1f}" if share < 99.95 else "100"
        axes.text(taken, true, text.removeprefix("0"), ha="center", va="center", fontsize=7.5, color=colour)


def _worst(shares: NDArray[np.float64], names: Sequence[str]) -> str:
    mistakes = shares * (1 - np.eye(len(shares)))
    true, taken = divmod(int(mistakes.argmax()), len(mistakes))
    return f"the commonest mistake takes {names[true]} for {names[taken]}, {mistakes[true, taken]:.1f} percent of its samples."


def firing_rates(record: ModelRecord, row: Row) -> Picture | None:
    """Firing rate of every layer over the epochs, mean and range over the seeds; None where none was recorded."""
    length = min(len(seed.history) for seed in record.seeds)
    rates = np.array([[epoch.firing_rates for epoch in seed.history[:length]] for seed in record.seeds])
    layers = rates.shape[2]
    if layers == 0:
        return None
    with style():
        figure, axes = blank(3.4)
        epochs = np.arange(1, length + 1)
        # layers have an order, so their colours do: from dark to light, none too pale for white paper
        colours = mpl.colormaps["viridis"](np.linspace(0, 0.85, layers))
        dashes = ("-", "--", ":", "-.")
        for layer, (label, colour) in enumerate(zip(_names_of_layers(record, layers), colours, strict=True)):
            of_layer = rates[:, :, layer]
            axes.fill_between(epochs, of_layer.min(axis=0), of_layer.max(axis=0), color=colour, alpha=0.2, linewidth=0)
            axes.plot(
                epochs, of_layer.mean(axis=0), color=colour, linestyle=dashes[layer % 4], label=label, marker="o" if length == 1 else ""
            )
        axes.set(title=title_of(row), xlabel="epoch", ylabel="spikes per neuron and step")
        axes.set_ylim(bottom=0)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        figure.legend(loc="outside lower center", ncols=min(4, layers))
        caption = f"Firing rate of each layer on the test set, from the input's side to the output: mean and range over the seeds. {origin_of(row)}"
        ends = ", ".join(f"{rate:.3f}" for rate in rates[:, -1].mean(axis=0))
        return finish(figure, f"firing-{row.model}", caption, f"Firing rates of {row.model} by layer after the last epoch: {ends}.")


def layer_names(architecture: str) -> list[str]:
    """The notation's tokens that have neurons, and the output, numbered from the input's side: "1: 15C5"."""
    tokens = [token for token in architecture.split("-") if not token.startswith("P")]
    return [f"{index + 1}: {token}" for index, token in enumerate([*tokens, "out"])]


def _names_of_layers(record: ModelRecord, layers: int) -> list[str]:
    """As the notation has them; mere numbers where that does not fit what was recorded."""
    names = layer_names(str(record.settings.get("architecture", "")))
    return names if len(names) == layers else [str(index + 1) for index in range(layers)]
