"""Differences with their intervals, a line each: reproduced beside published, and one variant beside another."""

from collections.abc import Mapping, Sequence
from statistics import median

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tsslbp.report.figures.canvas import BLACK, BLUE, GREEN, GREY, ORANGE, STYLE, VERMILLION, Picture, blank, finish, style
from tsslbp.report.render import MISSING, difference, estimate, signed
from tsslbp.report.rows import Row
from tsslbp.report.statistics import Interval, PairedDifference, Verdict

MARKS: dict[Verdict, tuple[str, str]] = {
    "consistent": ("o", BLUE),
    "higher": ("^", GREEN),
    "lower": ("v", VERMILLION),
    "too few runs": ("D", GREY),
    "not run": ("", GREY),
}


def comparison(rows: Sequence[Row], seed_bests: Mapping[str, Sequence[float]], name: str = "comparison") -> Picture:
    """Reproduced minus published mean, a line a model, with the 95 % Welch interval and every seed.

    Args:
        rows: all models, run or not.
        seed_bests: by model, the best accuracy of each seed, percent.
        name: of the picture.
    """
    with style():
        figure, axes = blank(1.1 + 0.48 * len(rows))
        limit = _limit(rows)
        axes.axvline(0, color=BLACK, linewidth=1.2)
        for line, row in enumerate(rows):
            _draw_row(axes, line, row, seed_bests.get(row.model, ()), limit)
        axes.set_xlim(-limit, limit)
        _name_lines(axes, {row.model: difference(row.comparison).removesuffix(MISSING) for row in rows})
        _title(figure, "Reproduced minus published mean")
        axes.set(xlabel="percentage points")
        compared = [row for row in rows if row.comparison.difference is not None]
        alt = "; ".join(f"{row.model} {difference(row.comparison)}" for row in compared) or "nothing to compare yet"
        return finish(figure, name, _comparison_caption(rows), f"Reproduced minus published mean: {alt}.")


def _comparison_caption(rows: Sequence[Row]) -> str:
    data = ", ".join(dict.fromkeys(row.dataset_title for row in rows))
    counts = ", ".join(f"{row.model} n = {row.seeds}" for row in rows if row.was_run) or "none run"
    commits = ", ".join(dict.fromkeys(row.origin.git_commit[:10] for row in rows if row.origin.git_commit)) or "none"
    return (
        "Difference of the mean accuracies (best epoch of each run), with its 95 % Welch interval; the line at zero is the published mean. "
        "Circle: consistent; triangle: higher or lower; diamond: too few runs for an interval; hollow: fewer seeds, epochs or data than "
        f"the protocol has; small dots: single seeds; an arrow: beyond the frame. Data: {data}. Seeds: {counts}. Commit {commits}."
    )


def _limit(rows: Sequence[Row]) -> float:
    """Half the width of the frame, in points: it fits the rows that follow the protocol; others may lie beyond it."""
    full = [row for row in rows if row.follows_protocol and row.comparison.difference is not None]
    chosen = full or [row for row in rows if row.comparison.difference is not None]
    reach = [abs(end) for row in chosen for end in _ends(row)]
    return 1.15 * max([0.2, *reach])


def _ends(row: Row) -> tuple[float, float]:
    middle = row.comparison.difference or 0.0
    interval = row.comparison.interval or Interval(middle, middle)
    return interval.low, interval.high


def _draw_row(axes: Axes, line: int, row: Row, bests: Sequence[float], limit: float) -> None:
    middle = row.comparison.difference
    if middle is None or row.published.mean is None:
        reason = "not run" if not row.was_run else "no published mean"
        axes.text(0.04 * limit, line, reason, va="center", color=GREY, fontsize=9, style="italic")
        return
    marker, colour = MARKS[row.comparison.verdict]
    low, high = _ends(row)
    axes.plot(
        np.array(bests) - row.published.mean, np.full(len(bests), line + 0.24), ".", color=colour, markersize=4, alpha=0.7, clip_on=True
    )
    axes.plot([low, high], [line, line], color=colour, linewidth=2.2, solid_capstyle="butt")
    _mark(axes, middle, line, marker, limit, color=colour, face="white" if row.departures else colour)


def _name_lines(axes: Axes, estimates: Mapping[str, str]) -> None:
    """A name and its numbers before every line, the first on top."""
    axes.set_yticks(range(len(estimates)), [f"{name}\n{numbers}".strip() for name, numbers in estimates.items()], fontsize=8.5)
    axes.set_ylim(len(estimates) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)


def ablation(model: str, differences: Mapping[str, PairedDifference], data: str, commit: str) -> Picture:
    """Variants of a model minus the unchanged one, paired by seed, a line each, with 95 % intervals.

    Args:
        model: of which model they are variants.
        differences: by the variant's name, variant minus unchanged.
        data: the dataset and anything that its numbers must not be shown without, such as "subset".
        commit: of the code that ran.
    """
    with style():
        figure, axes = blank(1.1 + 0.48 * len(differences))
        axes.axvline(0, color=BLACK, linewidth=1.2)
        limit = _ablation_limit(list(differences.values()))
        for line, paired in enumerate(differences.values()):
            _draw_difference(axes, line, paired, limit)
        _name_lines(axes, {name: estimate(paired.mean, paired.interval) for name, paired in differences.items()})
        _title(figure, f"{model}: change of the best accuracy")
        axes.set(xlabel="percentage points", xlim=(-limit, limit))
        counts = ", ".join(f"{name} n = {len(paired.seeds)}" for name, paired in differences.items())
        caption = (
            f"Variants of {model} minus the unchanged one, paired by seed: mean with 95 % Student interval, filled where it excludes 0; small "
            f"dots, single seeds; an arrow: beyond the frame. Data: {data}. Pairs: {counts}. Commit {commit}."
        )
        alt = "; ".join(f"{name} {signed(paired.mean)}" for name, paired in differences.items())
        return finish(figure, f"ablation-{model}", caption, f"Mean change of {model}'s best accuracy: {alt}.")


def _ablation_limit(differences: Sequence[PairedDifference]) -> float:
    """Half the width of the frame, in points: one variant that hardly learns must not press all others to the line at zero."""
    reaches = [max(map(abs, _interval_ends(paired))) for paired in differences]
    return 1.15 * max(0.2, min(max(reaches), 4 * median(reaches)))


def _interval_ends(paired: PairedDifference) -> tuple[float, float]:
    return (paired.mean, paired.mean) if paired.interval is None else (paired.interval.low, paired.interval.high)


def _draw_difference(axes: Axes, line: int, paired: PairedDifference, limit: float) -> None:
    low, high = _interval_ends(paired)
    face = BLUE if paired.interval is not None and (low > 0 or high < 0) else "white"
    axes.plot(paired.values, np.full(len(paired.values), line + 0.24), ".", color=ORANGE, markersize=5)
    axes.plot([low, high], [line, line], color=BLUE, linewidth=2.2, solid_capstyle="butt")
    _mark(axes, paired.mean, line, "o", limit, color=BLUE, face=face)


def _mark(axes: Axes, middle: float, line: int, marker: str, limit: float, *, color: str, face: str) -> None:
    """The mark of an estimate, or an arrow at the edge towards one that lies beyond the frame."""
    if abs(middle) > limit:
        marker = "<" if middle < 0 else ">"
        middle = 0.97 * limit * float(np.sign(middle))
    axes.plot(middle, line, marker, color=color, markerfacecolor=face, markersize=7.5)


def _title(figure: Figure, text: str) -> None:
    """A title over the whole width: the names of the lines leave too little of it to the axes."""
    figure.suptitle(text, x=0.02, ha="left", fontsize=STYLE["axes.titlesize"], fontweight="bold")
