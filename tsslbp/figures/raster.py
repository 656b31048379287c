"""One recording of events on its way through a network: as recorded, stabilized, binned, and as spikes of every layer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from tsslbp.figures.canvas import BLACK, BLUE, VERMILLION, Picture, blank_figure, finish, style

SAMPLE = 80
"""Neurons of a layer that are drawn: few enough for a row each, so that a rate of a few percent looks like one."""
TICK_POINTS = (3.0, 8.0)
"""A spike's height: that of its neuron's row, but no less and no more than this."""
PANEL_INCHES = {"events": 1.35, "layer": 1.9}

ON, OFF = (".", BLUE), ("x", VERMILLION)


@dataclass(frozen=True)
class Raster:
    """What the picture shows.

    Attributes:
        raw: events with fields x, y (0-based), p (1 = ON) and t (microseconds).
        stabilized: the same after stabilizing.
        binned: (n, 4) rows of step, polarity, y, x.
        layers: by name, (T, neurons) of spikes, 0 or 1, from the input's side on.
        window_us: length of a step in microseconds.
        source: which recording of which data, what network, and the commit: the end of the picture's caption.
    """

    raw: NDArray[Any]
    stabilized: NDArray[Any]
    binned: NDArray[np.integer[Any]]
    layers: Mapping[str, NDArray[np.bool_]]
    window_us: int
    source: str

    @property
    def step_ms(self) -> float:
        """Length of a step in milliseconds."""
        return self.window_us / 1000

    @property
    def seen_ms(self) -> float:
        """How much of the recording the network sees; the last of its steps is always empty, see `events.bin_events`."""
        steps = max((len(spikes) for spikes in self.layers.values()), default=int(self.binned[:, 0].max(initial=0)) + 2)
        return (steps - 1) * self.step_ms


def draw_raster(shown: Raster) -> Picture:
    """Column of the sensor over the time that the network sees, then the spikes of a sample of each layer's neurons."""
    heights = [PANEL_INCHES["events"]] * 3 + [PANEL_INCHES["layer"]] * len(shown.layers)
    with style():
        figure = blank_figure(sum(heights) + 0.7)
        panels = figure.subplots(len(heights), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
        counts = _draw_events(panels[:3], shown)
        for panel, (name, spikes) in zip(panels[3:], shown.layers.items(), strict=True):
            _draw_spikes(panel, name, spikes, shown.step_ms)
        panels[-1].set_xlabel("time, ms")
        panels[-1].set_xlim(0, shown.seen_ms)
        _legend(figure)
        alt = (
            f"Raster of the first {shown.seen_ms:g} ms: {counts[0]} events, {counts[1]} after stabilizing, {counts[2]} binned, "
            f"and the spikes of {len(shown.layers)} layers."
        )
        return finish(figure, "raster", _caption(shown), alt)


def _caption(shown: Raster) -> str:
    return (
        f"One recording, as far as the network sees it, {shown.seen_ms:g} ms of {_duration(shown):.0f} ms: its events by column of the sensor as "
        f"recorded, stabilized and binned, and the spikes of each layer. At most {SAMPLE} neurons of a layer are drawn, evenly spaced among "
        f"all of them; a firing rate is of the whole layer, in spikes per neuron and step. {shown.source}"
    )


def _duration(shown: Raster) -> float:
    return float(shown.raw["t"].max(initial=0)) / 1000


def _draw_events(panels: NDArray[Any], shown: Raster) -> list[int]:
    """The recording in its three forms; returns how many events of each are drawn."""
    counts = []
    for panel, title, events in zip(panels[:2], ("as recorded", "stabilized"), (shown.raw, shown.stabilized), strict=True):
        seen = events[events["t"] <= shown.seen_ms * 1000]
        counts.append(len(seen))
        _events(panel, title, seen["t"] / 1000, seen["x"], seen["p"])
    # a binned cell covers a window of time; its middle stands for it
    middle = (shown.binned[:, 0] + 0.5) * shown.step_ms
    _events(panels[2], f"binned, {shown.step_ms:g} ms per step", middle, shown.binned[:, 3], shown.binned[:, 1])
    return [*counts, len(shown.binned)]


def _events(axes: Axes, title: str, time_ms: NDArray[Any], column: NDArray[Any], polarity: NDArray[Any]) -> None:
    for value, (marker, color) in ((1, ON), (0, OFF)):
        chosen = polarity == value
        axes.plot(time_ms[chosen], column[chosen], marker, color=color, markersize=2, markeredgewidth=0.5, alpha=0.7)
    axes.set(title=f"{title}: {len(time_ms):,} events", ylabel="column")


def _draw_spikes(axes: Axes, name: str, spikes: NDArray[np.bool_], step_ms: float) -> None:
    neurons = spikes.shape[1]
    drawn = sample(neurons)
    step, row = np.nonzero(spikes[:, drawn])
    low, high = TICK_POINTS
    height = min(high, max(low, 90 / len(drawn)))
    axes.plot((step + 0.5) * step_ms, row, "|", color=BLACK, markersize=height, markeredgewidth=1.2)
    of = f"{len(drawn)} of {neurons:,} neurons" if len(drawn) < neurons else f"{neurons} neurons"
    axes.set(title=f"layer {name.replace(': ', ', ')}: {of}, rate {spikes.mean():.3f}", ylabel="neuron", ylim=(-0.8, len(drawn) - 0.2))
    axes.set_yticks([])


def sample(neurons: int) -> NDArray[np.int64]:
    """Which neurons of a layer are drawn: all of a small one, of others `SAMPLE`, evenly spaced."""
    return np.linspace(0, neurons - 1, min(neurons, SAMPLE)).round().astype(np.int64)


def _legend(figure: Figure) -> None:
    marks = {"ON event": (*ON, 4), "OFF event": (*OFF, 4), "spike": ("|", BLACK, 8)}
    handles = [Line2D([], [], linestyle="", marker=marker, color=color, markersize=size) for marker, color, size in marks.values()]
    figure.legend(handles, list(marks), loc="outside lower center", ncols=len(marks))
