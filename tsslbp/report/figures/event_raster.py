"""One event recording on its way through the network: raw, stabilised, binned, and as spikes of every layer."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from tsslbp.report.figures.canvas import BLACK, BLUE, VERMILLION, Picture, blank_figure, finish, style
from tsslbp.report.figures.recording import Recording


def raster(recording: Recording) -> Picture:
    """Column of the sensor over time before and after stabilising and after binning, then the spikes of each layer."""
    with style():
        layers = recording.layers
        figure = blank_figure(1.5 * (3 + len(layers)) + 0.4)
        axes = figure.subplots(3 + len(layers), 1, sharex=True, squeeze=False)[:, 0]
        raw, stabilized, binned = recording.raw, recording.stabilized, recording.binned
        steps = recording.window_us / 1000
        # a binned cell covers a window of time; its middle stands for it
        middle = (binned[:, 0] + 0.5) * steps
        _events(axes[0], "as recorded", raw["t"] / 1000, raw["x"], raw["p"])
        _events(axes[1], "stabilised", stabilized["t"] / 1000, stabilized["x"], stabilized["p"])
        _events(axes[2], f"binned, {steps:g} ms a step", middle, binned[:, 3], binned[:, 1])
        for panel, (name, spikes) in zip(axes[3:], layers.items(), strict=True):
            _spikes(panel, name, spikes, steps)
        axes[-1].set_xlabel("time, ms")
        axes[-1].set_xlim(left=0)
        caption = (
            "One recording: its events by column of the sensor (dots: ON; crosses: OFF) as recorded, stabilised and binned, and the spikes of "
            f"each layer, whose firing rate is in spikes per neuron and step. {_seen(recording)}{recording.source}"
        )
        alt = f"Raster of {len(raw)} events, {len(stabilized)} after stabilising, {len(binned)} binned, and the spikes of {len(layers)} layers."
        return finish(figure, "raster", caption, alt)


def _seen(recording: Recording) -> str:
    """How much of the recording the network sees: the last of its steps is always empty, see `events.bin_events`."""
    step_counts = [len(spikes) for spikes in recording.layers.values()]
    return f"{step_counts[0]} steps see the first {(step_counts[0] - 1) * recording.window_us / 1000:g} ms. " if step_counts else ""


def _spikes(axes: Axes, name: str, spikes: NDArray[np.bool_], steps: float) -> None:
    step, neuron = np.nonzero(spikes)
    axes.plot((step + 0.5) * steps, neuron, "|", color=BLACK, markersize=2.5, rasterized=True)
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.set(
        title=f"layer {name.replace(': ', ', ')}: firing rate {spikes.mean():.3f}", ylabel="neuron", ylim=(-0.5, spikes.shape[1] - 0.5)
    )


def _events(axes: Axes, title: str, time_ms: NDArray[Any], column: NDArray[Any], polarity: NDArray[Any]) -> None:
    for value, marker, colour in ((1, ".", BLUE), (0, "x", VERMILLION)):
        chosen = polarity == value
        axes.plot(time_ms[chosen], column[chosen], marker, color=colour, markersize=1.5, markeredgewidth=0.5, alpha=0.6)
    axes.set(title=f"{title}: {len(time_ms):,} events", ylabel="column")
