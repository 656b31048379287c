"""Charts of a benchmark: training time beside the lower bound, and how cost grows. Shapes tell apart what colors do."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, NullLocator

from benchmarks.cases import Sweep
from benchmarks.measurement import Measurement
from benchmarks.page.markdown import significant
from benchmarks.page.results import Results
from benchmarks.page.scaling import Point, points, straight_line
from benchmarks.roster import LIBRARIES, LOWER_BOUND, OURS, OURS_BF16, PEERS, Entry
from tsslbp.figures.canvas import BLACK, BLUE, GREEN, GREY, ORANGE, VERMILLION, Picture, blank, blank_figure, finish, style

_SHAPES = (("s", VERMILLION), ("^", GREEN), ("D", ORANGE), ("v", GREY), ("P", BLACK), ("X", VERMILLION), ("<", GREEN), (">", ORANGE))
"""Marker and color of each library, in the order of the roster; they begin again after the last."""
_ROW = 0.7
"""Inches of height for a network."""


def looks() -> dict[Entry, tuple[str, str, str]]:
    """Marker, edge and face of each implementation; the face is white where it is not the plain one."""
    shapes = {entry.peer: _SHAPES[index % len(_SHAPES)] for index, entry in enumerate(PEERS)}
    ours = {OURS: ("o", BLUE, BLUE), OURS_BF16: ("o", BLUE, "white")}
    return ours | {entry: (*shapes[entry.peer], "white" if entry.compiled else shapes[entry.peer][1]) for entry in LIBRARIES}


def pictures(results: Results) -> list[Picture]:
    """Draw all charts that the results allow."""
    drawn = []
    if any(results.find(case.name, LOWER_BOUND) and results.find(case.name, OURS) for case in results.networks):
        drawn.append(training(results))
    swept = [(sweep, there) for sweep in results.sweeps if len(there := points(sweep, results.measurements)) > 1]
    if swept:
        drawn.append(scaling(swept))
    return drawn


def training(results: Results) -> Picture:
    """Draw the training time of every implementation as a multiple of the lower bound's, one row per network."""
    cases = [case for case in results.networks if results.find(case.name, LOWER_BOUND)]
    with style():
        figure, axes = blank(1.6 + _ROW * len(cases))
        axes.axvline(1, color=BLACK, linestyle="--", linewidth=1.2, label="lower bound")
        for entry in looks():
            _mark(axes, results, [case.name for case in cases], entry)
        axes.set_yticks(range(len(cases)), [case.name for case in cases])
        axes.set_ylim(len(cases) - 0.5, -0.5)
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.set_xticks([tick for tick in (0.25, 0.5, 1, 2, 4, 8, 16) if axes.get_xlim()[0] <= tick <= axes.get_xlim()[1]])
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set(title="A training step on the CPU", xlabel="time ÷ that of the products alone")
        figure.legend(loc="outside lower center", ncols=2)
        caption = "Time of a training step as a multiple of the lower bound's: medians, with quartiles. Smaller is faster."
        return finish(figure, "training", caption, _training_in_words(results))


def _mark(axes: Axes, results: Results, cases: Sequence[str], entry: Entry) -> None:
    found = [
        (row, m, bound) for row, case in enumerate(cases) if (m := results.find(case, entry)) and (bound := results.find(case, LOWER_BOUND))
    ]
    if not found:
        return
    marker, edge, face = looks()[entry]
    offset = 0.07 * (list(looks()).index(entry) - (len(looks()) - 1) / 2)  # side by side, so that none hides another
    x = np.array([m.median / bound.median for _, m, bound in found])
    spread = np.array([[m.median - m.quartiles[0], m.quartiles[1] - m.median] for _, m, _ in found]).T / [
        bound.median for *_, bound in found
    ]
    axes.errorbar(
        x, [row + offset for row, *_ in found], xerr=spread, linestyle="", marker=marker, markersize=5,
        markeredgecolor=edge, markerfacecolor=face, ecolor=edge, elinewidth=1, label=entry.title,
    )  # fmt: skip


def _training_in_words(results: Results) -> str:
    words = []
    for case in results.networks:
        ours, bound = results.find(case.name, OURS), results.find(case.name, LOWER_BOUND)
        fastest = results.fastest(case.name, LIBRARIES)
        if ours and bound:
            peer = f", the fastest library {significant(fastest.median / bound.median)}" if fastest else ""
            words.append(f"{case.name}: this project {significant(ours.median / bound.median)} times the lower bound{peer}")
    return "; ".join(words) + "."


def scaling(swept: Sequence[tuple[Sweep, Sequence[Point]]]) -> Picture:
    """Draw time and memory of a training step along every sweep, with the straight line that fits best."""
    with style():
        figure = blank_figure(0.5 + 1.9 * len(swept))
        grid = figure.subplots(len(swept), 2, squeeze=False)
        for (sweep, there), (left, right) in zip(swept, grid, strict=True):
            _curve(left, sweep, [(point.value, 1e3 * point.seconds) for point in there], "step, ms")
            _bound_curve(left, there)
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


def _bound_curve(axes: Axes, there: Sequence[Point]) -> None:
    measured: list[tuple[int, Measurement]] = [(point.value, point.bound) for point in there if point.bound]
    if measured:
        axes.plot(
            [value for value, _ in measured],
            [1e3 * m.median for _, m in measured],
            linestyle="",
            marker="x",
            color=BLACK,
            label="lower bound",
        )


def _scaling_in_words(swept: Sequence[tuple[Sweep, Sequence[Point]]]) -> str:
    words = [
        f"from {sweep.axis} {there[0].value} to {there[-1].value} a step grows from {significant(1e3 * there[0].seconds)} to "
        f"{significant(1e3 * there[-1].seconds)} ms, memory from {there[0].memory / 1e6:.0f} to {there[-1].memory / 1e6:.0f} MB"
        for sweep, there in swept
    ]
    return "; ".join(words) + "."
