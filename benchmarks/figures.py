"""Pictures of a benchmark: training time beside the dense limit, and how cost grows. Shapes tell apart what colours do."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, NullLocator

from benchmarks.cases import Sweep
from benchmarks.measurement import Measurement
from benchmarks.report import Results, significant
from benchmarks.roster import COMPILED, DENSE, OURS, OURS_BF16, PEERS, Entry
from benchmarks.scaling import Point, points, straight_line
from tsslbp.figures.canvas import BLACK, BLUE, GREEN, GREY, ORANGE, VERMILLION, Picture, blank, blank_figure, finish, style

_LOOKS = {
    OURS: ("o", BLUE, BLUE),
    OURS_BF16: ("o", BLUE, "white"),
    PEERS[0]: ("s", VERMILLION, VERMILLION),
    PEERS[1]: ("^", GREEN, GREEN),
    PEERS[2]: ("D", ORANGE, ORANGE),
    COMPILED[0]: ("s", VERMILLION, "white"),
    COMPILED[1]: ("^", GREEN, "white"),
    COMPILED[2]: ("D", ORANGE, "white"),
}
"""Marker, edge and face of each contestant."""
_ROW = 0.55
"""Inches of height for a network."""


def pictures(results: Results) -> list[Picture]:
    """All pictures that the results allow."""
    drawn = []
    if any(results.find(case.name, DENSE) and results.find(case.name, OURS) for case in results.networks):
        drawn.append(training(results))
    swept = [(sweep, there) for sweep in results.sweeps if len(there := points(sweep, results.measurements)) > 1]
    if swept:
        drawn.append(scaling(swept))
    return drawn


def training(results: Results) -> Picture:
    """Training time of every contestant as a multiple of the dense limit's, a row a network."""
    cases = [case for case in results.networks if results.find(case.name, DENSE)]
    with style():
        figure, axes = blank(1.3 + _ROW * len(cases))
        axes.axvline(1, color=BLACK, linestyle="--", linewidth=1.2, label="dense limit")
        for entry in _LOOKS:
            _mark(axes, results, [case.name for case in cases], entry)
        axes.set_yticks(range(len(cases)), [case.name for case in cases])
        axes.set_ylim(len(cases) - 0.5, -0.5)
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.set_xticks([tick for tick in (0.25, 0.5, 1, 2, 4, 8, 16) if axes.get_xlim()[0] <= tick <= axes.get_xlim()[1]])
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set(title="A training step on the CPU", xlabel="time ÷ that of the products alone")
        figure.legend(loc="outside lower center", ncols=2)
        caption = "Time of a training step as a multiple of the dense limit's: medians, with quartiles. Smaller is faster."
        return finish(figure, "training", caption, _training_in_words(results))


def _mark(axes: Axes, results: Results, cases: Sequence[str], entry: Entry) -> None:
    found = [(row, m, dense) for row, case in enumerate(cases) if (m := results.find(case, entry)) and (dense := results.find(case, DENSE))]
    if not found:
        return
    marker, edge, face = _LOOKS[entry]
    offset = 0.09 * (list(_LOOKS).index(entry) - (len(_LOOKS) - 1) / 2)  # side by side, so that none hides another
    x = np.array([m.median / dense.median for _, m, dense in found])
    spread = np.array([[m.median - m.quartiles[0], m.quartiles[1] - m.median] for _, m, _ in found]).T / [
        dense.median for *_, dense in found
    ]
    axes.errorbar(
        x, [row + offset for row, *_ in found], xerr=spread, linestyle="", marker=marker, markersize=5,
        markeredgecolor=edge, markerfacecolor=face, ecolor=edge, elinewidth=1, label=entry.title,
    )  # fmt: skip


def _training_in_words(results: Results) -> str:
    words = []
    for case in results.networks:
        ours, dense = results.find(case.name, OURS), results.find(case.name, DENSE)
        fastest = results.fastest(case.name, PEERS)
        if ours and dense:
            peer = f", the fastest library {significant(fastest.median / dense.median)}" if fastest else ""
            words.append(f"{case.name}: this project {significant(ours.median / dense.median)} times the dense limit{peer}")
    return "; ".join(words) + "."


def scaling(swept: Sequence[tuple[Sweep, Sequence[Point]]]) -> Picture:
    """Time and memory of a training step along every sweep, with the straight line that fits best."""
    with style():
        figure = blank_figure(0.5 + 1.9 * len(swept))
        grid = figure.subplots(len(swept), 2, squeeze=False)
        for (sweep, there), (left, right) in zip(swept, grid, strict=True):
            _curve(left, sweep, [(point.value, 1e3 * point.seconds) for point in there], "step, ms")
            _dense_curve(left, there)
            _curve(right, sweep, [(point.value, point.memory / 1e6) for point in there], "memory, MB")
        grid[0][0].legend(loc="upper left")
        caption = "Time and memory of a training step; the lines are straight ones, fitted to the points, where the cost should grow in proportion."
        return finish(figure, "scaling", caption, _scaling_in_words(swept))


def _curve(axes: Axes, sweep: Sweep, values: Sequence[tuple[int, float]], label: str) -> None:
    x, y = [float(value) for value, _ in values], [height for _, height in values]
    if sweep.linear:
        line = straight_line(x, y)
        axes.plot(x, [line.offset + line.slope * at for at in x], color=GREY, linewidth=1.2)
    axes.plot(x, y, linestyle="", marker="o", color=BLUE, label="this project")
    axes.set(xlabel=sweep.axis, ylabel=label)
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)


def _dense_curve(axes: Axes, there: Sequence[Point]) -> None:
    measured: list[tuple[int, Measurement]] = [(point.value, point.dense) for point in there if point.dense]
    if measured:
        axes.plot(
            [value for value, _ in measured],
            [1e3 * m.median for _, m in measured],
            linestyle="",
            marker="x",
            color=BLACK,
            label="dense limit",
        )


def _scaling_in_words(swept: Sequence[tuple[Sweep, Sequence[Point]]]) -> str:
    words = [
        f"from {sweep.axis} {there[0].value} to {there[-1].value} a step grows from {significant(1e3 * there[0].seconds)} to "
        f"{significant(1e3 * there[-1].seconds)} ms, memory from {there[0].memory / 1e6:.0f} to {there[-1].memory / 1e6:.0f} MB"
        for sweep, there in swept
    ]
    return "; ".join(words) + "."
