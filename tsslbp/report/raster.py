"""One event recording on its way through the network: raw, stabilised, binned, and as spikes of every layer."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from tsslbp.report.canvas import BLACK, BLUE, VERMILLION, Picture, blank_figure, finish, style


def raster(
    raw: NDArray[Any],
    stabilized: NDArray[Any],
    binned: NDArray[np.integer[Any]],
    layers: Mapping[str, NDArray[Any]],
    window_us: int,
    source: str,
) -> Picture:
    """Column of the sensor over time before and after stabilising and after binning, then the spikes of each layer.

    Args:
        raw: events with fields x (0-based column), p (1 = ON) and t (microseconds).
        stabilized: the same after stabilising.
        binned: (n, 4) rows of step, polarity, y, x.
        layers: by name, (T, neurons) of spikes, 0 or 1, from the input's side on.
        window_us: length of a step in microseconds.
        source: end of the caption: which recording of which dataset, network, n and commit.
    """
    with style():
        figure = blank_figure(1.5 * (3 + len(layers)) + 0.4)
        axes = figure.subplots(3 + len(layers), 1, sharex=True, squeeze=False)[:, 0]
        steps = window_us / 1000
        # a binned cell covers a window of time; its middle stands for it
        middle = (binned[:, 0] + 0.5) * steps
        _events(axes[0], "as recorded", raw["t"] / 1000, raw["x"], raw["p"])
        _events(axes[1], "stabilised", stabilized["t"] / 1000, stabilized["x"], stabilized["p"])
        _events(axes[2], f"binned, {steps:g} ms a step", middle, binned[:, 3], binned[:, 1])
        for panel, (name, spikes) in zip(axes[3:], layers.items(), strict=True):
            step, neuron = np.nonzero(spikes)
            panel.plot((step + 0.5) * steps, neuron, "|", color=BLACK, markersize=2.5, rasterized=True)
            panel.yaxis.set_major_locator(MaxNLocator(5, integer=True))
            panel.set(title=f"layer {name}: firing rate {spikes.mean():.3f}", ylabel="neuron", ylim=(-0.5, spikes.shape[1] - 0.5))
        axes[-1].set_xlabel("time, ms")
        axes[-1].set_xlim(left=0)
        caption = (
            "One recording: its events by column of the sensor (dots: ON; crosses: OFF) as recorded, stabilised and binned, "
            f"and the spikes of each layer, whose firing rate is in spikes per neuron and step. {source}"
        )
        alt = f"Raster of {len(raw)} events, {len(stabilized)} after stabilising, {len(binned)} binned, and the spikes of {len(layers)} layers."
        return finish(figure, "raster", caption, alt)


def _events(axes: Axes, title: str, time_ms: NDArray[Any], column: NDArray[Any], polarity: NDArray[Any]) -> None:
    for value, marker, colour in ((1, ".", BLUE), (0, "x", VERMILLION)):
        chosen = polarity == value
        axes.plot(time_ms[chosen], column[chosen], marker, color=colour, markersize=1.5, markeredgewidth=0.5, alpha=0.6)
    axes.set(title=f"{title}: {len(time_ms):,} events", ylabel="column")
