"""Curves over the epochs of one model's seeds: test accuracy, loss, and the firing rate of every layer."""

from collections.abc import Callable, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from tsslbp.figures.canvas import BLACK, BLUE, GREEN, VERMILLION, Picture, blank, blank_figure, dot_if_single, finish, integer_epochs, style
from tsslbp.storage.records import Epoch, SeedRecord

DASHES = ("-", "--", ":", "-.")
Array = NDArray[np.float64]


def learning_curves(
    seeds: Sequence[SeedRecord], title: str, *, published: float | None = None, name: str = "learning", source: str = ""
) -> Picture:
    """Test accuracy over the epochs: mean and range over the seeds, each seed's best epoch, the published mean.

    Args:
        seeds: at least one; the curve ends where the shortest of them does, and the frame where the longest.
        title: of the picture.
        published: a mean to draw as a line, percent.
        name: of the picture's file.
        source: the end of the caption: which data, which code.
    """
    with style():
        figure, axes = blank(3.4)
        accuracies = _over_epochs(seeds, lambda epoch: epoch.test_accuracy)
        _band(axes, accuracies, BLUE, *(("mean of seeds", "range of seeds") if len(seeds) > 1 else ("one seed",)))
        _mark_best_epochs(axes, seeds)
        if published is not None:
            axes.axhline(published, color=VERMILLION, linestyle="--", label=f"published mean {published:.2f}")
        cut = _frame(axes, accuracies, [*(seed.best for seed in seeds), *([] if published is None else [published])])
        axes.set(title=title, ylabel="test accuracy, %")
        integer_epochs(axes, max(len(seed.history) for seed in seeds))
        figure.legend(loc="outside lower center", ncols=2)
        start = " The first epochs lie below the frame." if cut else ""
        caption = f"Test accuracy after each epoch: {_summary(seeds)}; circles, the best epoch of each seed.{start} {source}"
        end = f"{accuracies[:, -1].mean():.2f} percent after epoch {accuracies.shape[1]}"
        return finish(figure, name, caption.strip(), f"Learning curve, {title}: mean test accuracy ends at {end}.")


def training_curves(history: Sequence[Epoch], title: str, *, name: str = "training", source: str = "") -> Picture:
    """Accuracy on training and test data above, and the training loss below, over the epochs of one seed.

    Args:
        history: at least one epoch.
        title: of the picture.
        name: of the picture's file.
        source: the end of the caption.
    """
    with style():
        figure = blank_figure(4.8)
        accuracy, loss = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
        epochs, marker = [epoch.epoch for epoch in history], dot_if_single(len(history))
        accuracy.plot(epochs, [epoch.test_accuracy for epoch in history], color=BLUE, marker=marker, label="test")
        accuracy.plot(epochs, [epoch.train_accuracy for epoch in history], "--", color=GREEN, marker=marker, label="training")
        loss.plot(epochs, [epoch.train_loss for epoch in history], color=VERMILLION, marker=marker)
        accuracy.set(title=title, ylabel="accuracy, %")
        accuracy.legend(loc="lower right")
        loss.set(ylabel="training loss per sample")
        integer_epochs(loss, len(history))
        caption = f"Accuracy during each epoch on training data and after it on test data; below, the training loss per sample. {source}"
        return finish(
            figure, name, caption.strip(), f"Training curves, {title}: test accuracy ends at {history[-1].test_accuracy:.2f} percent."
        )


def firing_curves(
    seeds: Sequence[SeedRecord], title: str, layers: Sequence[str], *, name: str = "firing", source: str = ""
) -> Picture | None:
    """Firing rate of every layer over the epochs, mean and range over the seeds; None where none was recorded.

    Args:
        seeds: at least one.
        title: of the picture.
        layers: names from the input's side on; numbers take their place where their count is not that of the record.
        name: of the picture's file.
        source: the end of the caption.
    """
    rates = _over_epochs(seeds, lambda epoch: epoch.firing_rates)
    if rates.shape[2] == 0:
        return None
    with style():
        figure, axes = blank(3.4)
        _draw_rates(axes, rates, layers)
        axes.set(title=title, ylabel="spikes per neuron and step")
        axes.set_ylim(bottom=0)
        integer_epochs(axes, rates.shape[1])
        _layer_legend(figure, rates.shape[2])
        caption = f"Firing rate of each layer on the test set, from the input's side to the output: {_summary(seeds)}. {source}"
        ends = ", ".join(f"{rate:.3f}" for rate in rates[:, -1].mean(axis=0))
        return finish(figure, name, caption.strip(), f"Firing rates, {title}, by layer after epoch {rates.shape[1]}: {ends}.")


def layer_names(architecture: str) -> list[str]:
    """The notation's tokens that have neurons, and the output, numbered from the input's side: "1: 15C5"."""
    tokens = [token for token in architecture.split("-") if not token.startswith("P")]
    return [f"{index + 1}: {token}" for index, token in enumerate([*tokens, "out"])]


def _over_epochs(seeds: Sequence[SeedRecord], of: Callable[[Epoch], float | Sequence[float]]) -> Array:
    """(seeds, epochs, ...) of a number of every epoch, as far as all seeds got."""
    length = min(len(seed.history) for seed in seeds)
    return np.array([[of(epoch) for epoch in seed.history[:length]] for seed in seeds], dtype=float)


def _summary(seeds: Sequence[SeedRecord]) -> str:
    """What the curves are, for a caption."""
    if len(seeds) == 1:
        return "one seed"
    lengths = {len(seed.history) for seed in seeds}
    return f"mean and range over the seeds{f', as far as all got, epoch {min(lengths)}' if len(lengths) > 1 else ''}"


def _band(axes: Axes, values: Array, color: object, mean: str, spread: str | None = None, *, dashes: str = "-") -> None:
    """The mean over the seeds as a line within their range; values of (seeds, epochs)."""
    epochs = np.arange(1, values.shape[1] + 1)
    axes.fill_between(epochs, values.min(axis=0), values.max(axis=0), color=color, alpha=0.22, linewidth=0, label=spread)
    axes.plot(epochs, values.mean(axis=0), color=color, linestyle=dashes, label=mean, marker=dot_if_single(len(epochs)))


def _mark_best_epochs(axes: Axes, seeds: Sequence[SeedRecord]) -> None:
    look: dict[str, Any] = {"marker": "o", "markerfacecolor": "white", "markeredgecolor": BLACK, "markersize": 5}
    axes.plot([seed.best_epoch for seed in seeds], [seed.best for seed in seeds], linestyle="", label="best epoch of a seed", **look)


def _frame(axes: Axes, accuracies: Array, others: Sequence[float]) -> bool:
    """Fit the frame to all but the first tenth of the epochs, where the steep rise would flatten all the rest, and to what else is shown."""
    settled = accuracies[:, accuracies.shape[1] // 10 :]
    seen = [settled.min(), accuracies.max(), *others]
    margin = max(0.06 * (max(seen) - min(seen)), 0.02)
    low, high = min(seen) - margin, max(seen) + margin
    axes.set_ylim(low, high)
    return bool(accuracies.min() < low)


def _draw_rates(axes: Axes, rates: Array, layers: Sequence[str]) -> None:
    count = rates.shape[2]
    names = layers if len(layers) == count else [str(index + 1) for index in range(count)]
    # layers have an order, so their colors do: from dark to light, none too pale for white paper
    colors = mpl.colormaps["viridis"](np.linspace(0, 0.85, count))
    for layer, (label, color) in enumerate(zip(names, colors, strict=True)):
        _band(axes, rates[:, :, layer], color, label, dashes=DASHES[layer % len(DASHES)])


def _layer_legend(figure: Figure, layers: int) -> None:
    figure.legend(loc="outside lower center", ncols=min(4, layers))
