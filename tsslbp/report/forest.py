"""Differences with their intervals, a line each: reproduced beside published, and one variant beside another."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from tsslbp.report.canvas import BLACK, BLUE, GREEN, GREY, ORANGE, VERMILLION, Picture, blank, finish, style
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


def comparison(rows: Sequence[Row], seed_bests: Mapping[str, Sequence[float]]) -> Picture:
    """Reproduced minus published mean, a line a model, with the 95 % Welch interval and every seed.

    Args:
        rows: all models, run or not.
        seed_bests: by model, the best accuracy of each seed, percent.
    """
    with style():
        figure, axes = blank(1.1 + 0.48 * len(rows))
        limit = _limit(rows)
        axes.axvline(0, color=BLACK, linewidth=1.2)
        for line, row in enumerate(rows):
            _draw_row(axes, line, row, seed_bests.get(row.model, ()), limit)
        axes.set_xlim(-limit, limit)
        _name_lines(axes, {row.model: difference(row.comparison).removesuffix(MISSING) for row in rows})
        axes.set(title="Reproduced minus published mean", xlabel="percentage points")
        compared = [row for row in rows if row.comparison.difference is not None]
        alt = "; ".join(f"{row.model} {difference(row.comparison)}" for row in compared) or "nothing to compare yet"
        return finish(figure, "comparison", _comparison_caption(rows), f"Reproduced minus published mean: {alt}.")


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
    face = "white" if row.departures else colour
    if abs(middle) <= limit:
        axes.plot(middle, line, marker, color=colour, markerfacecolor=face, markersize=7.5)
        return
    side = np.sign(middle)
    axes.plot(0.97 * side * limit, line, "<" if side < 0 else ">", color=colour, markerfacecolor=face, markersize=7.5)


def _name_lines(axes: Axes, estimates: Mapping[str, str]) -> None:
    """A name and its numbers before every line, the first on top."""
    axes.set_yticks(range(len(estimates)), [f"{name}\n{numbers}".strip() for name, numbers in estimates.items()], fontsize=8.5)
    axes.set_ylim(len(estimates) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)


def ablation(differences: Mapping[str, PairedDifference], baseline: str, data: str, commit: str) -> Picture:
    """Variants minus a baseline, paired by seed, a line each, with 95 % intervals.

    Args:
        differences: by the variant's name, variant minus baseline.
        baseline: what the variants are compared with.
        data: the dataset and anything that its numbers must not be shown without, such as "subset".
        commit: of the code that ran.
    """
    with style():
        figure, axes = blank(1.1 + 0.48 * len(differences))
        axes.axvline(0, color=BLACK, linewidth=1.2)
        for line, paired in enumerate(differences.values()):
            axes.plot(paired.values, np.full(len(paired.values), line + 0.24), ".", color=ORANGE, markersize=5)
            if paired.interval is not None:
                axes.plot([paired.interval.low, paired.interval.high], [line, line], color=BLUE, linewidth=2.2, solid_capstyle="butt")
            axes.plot(paired.mean, line, "o", color=BLUE, markersize=7.5, markerfacecolor="white" if paired.interval is None else BLUE)
        _name_lines(axes, {name: estimate(paired.mean, paired.interval) for name, paired in differences.items()})
        axes.set(title=f"Difference to {baseline}", xlabel="percentage points")
        counts = ", ".join(f"{name} n = {len(paired.seeds)}" for name, paired in differences.items())
        caption = (
            f"Variant minus {baseline}, paired by seed: mean with 95 % Student interval; small dots, single seeds; hollow, one seed and so no "
            f"interval. Data: {data}. Pairs: {counts}. Commit {commit[:10]}."
        )
        alt = "; ".join(f"{name} {signed(paired.mean)}" for name, paired in differences.items())
        return finish(figure, "ablation", caption, f"Mean difference to {baseline}: {alt}.")
