"""Which pictures a report has, of which rows, and what stands below them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import median

from tsslbp.figures.canvas import BLUE, GREEN, GREY, VERMILLION, Picture
from tsslbp.figures.confusion import confusion_matrix
from tsslbp.figures.curves import firing_curves, layer_names, learning_curves
from tsslbp.figures.forest import Line, forest
from tsslbp.figures.raster import Raster, draw_raster
from tsslbp.report.answers import run_commits
from tsslbp.report.departures import SUBSET
from tsslbp.report.numbers import MISSING, estimate, signed
from tsslbp.report.origin import Run
from tsslbp.report.rows import ResultRow
from tsslbp.report.statistics import Interval, Verdict
from tsslbp.report.studies.ablation import Variant
from tsslbp.report.studies.findings import NO_STUDIES, Studies
from tsslbp.report.studies.recipes import RecipeRow

COMPARISON = "comparison"
PICTURE_SECTIONS = {
    COMPARISON: "Reproduced minus published",
    "learning": "Learning curves",
    "confusion": "Confusion matrices",
    "firing": "Firing rates",
    "raster": "One recording on its way through a network",
}
"""Headings of the sections that hold pictures alone, by the pictures' name; those of the studies stand beside their tables."""

_NAMES = re.compile(rf"({COMPARISON}|recipes|raster|(learning|confusion|firing|ablation)-.+)\.png")

MARKERS: dict[Verdict, tuple[str, str]] = {
    "consistent": ("o", BLUE),
    "higher": ("^", GREEN),
    "lower": ("v", VERMILLION),
    "too few samples": ("D", GREY),
    "too few runs": ("D", GREY),
    "nothing published": ("", GREY),
    "not run": ("", GREY),
}

Pictures = dict[str, list[Picture]]


def draw_pictures(
    rows: Sequence[ResultRow], runs: Mapping[str, Run], studies: Studies = NO_STUDIES, raster: Raster | None = None
) -> Pictures:
    """Every picture that the runs allow, by the section that it stands in; a section without pictures is left out."""
    drawn = [(runs[row.model], row) for row in rows if row.was_run]
    firing = [_firing(run, row) for run, row in drawn]
    groups: Pictures = {
        COMPARISON: [comparison(rows)] if any(row.comparison.difference is not None for row in rows) else [],
        "recipes": _recipes(studies.recipes),
        "ablation": _ablations(studies.ablation),
        "learning": [_learning(run, row) for run, row in drawn],
        "confusion": [_confusion(run, row) for run, row in drawn],
        "firing": [picture for picture in firing if picture is not None],
        "raster": [draw_raster(raster)] if raster else [],
    }
    return {name: pictures for name, pictures in groups.items() if pictures}


def is_picture(name: str) -> bool:
    """Whether a file has the name of a picture of a report, of whatever models."""
    return _NAMES.fullmatch(name) is not None


def title_of(row: ResultRow) -> str:
    """The model's name and data, and what it lacks to the protocol: a picture may travel alone."""
    return f"{row.model}, {row.dataset_title}" + (f"\n({row.extent})" if row.departures else "")


def source_of(row: ResultRow) -> str:
    """The end of a caption: network, data, number of runs, departures and commit."""
    departures = f" Departs from the protocol: {'; '.join(row.departures)}." if row.departures else ""
    return (
        f"{row.dataset_title}, {row.architecture}, T = {row.time_steps}; n = {row.seeds} {'seed' if row.seeds == 1 else 'seeds'}, "
        f"{row.epochs} epochs.{departures} Data {row.origin.data_checksum[:10]}, commit {run_commits([row]) or 'unknown'}."
    )


def _learning(run: Run, row: ResultRow) -> Picture:
    name = f"learning-{row.model}"
    return learning_curves(row.counted(run), title_of(row), published=row.published.mean, name=name, source=source_of(row))


def _confusion(run: Run, row: ResultRow) -> Picture:
    matrices = [seed.confusion for seed in row.counted(run)]
    return confusion_matrix(matrices, title_of(row), class_names=row.class_names, name=f"confusion-{row.model}", source=source_of(row))


def _firing(run: Run, row: ResultRow) -> Picture | None:
    layers = layer_names(str(run[0].settings.get("architecture", "")))
    return firing_curves(row.counted(run), title_of(row), layers, name=f"firing-{row.model}", source=source_of(row))


def comparison(rows: Sequence[ResultRow], names: Sequence[str] = (), picture: str = COMPARISON) -> Picture:
    """Reproduced minus published mean, one line per row, with the 95 % Welch interval and every seed.

    Args:
        rows: run or not.
        names: before the lines; the models' where there are none.
        picture: its name.
    """
    lines = [_comparison_line(row, name) for row, name in zip(rows, names or list(map(_name_of, rows)), strict=True)]
    told = "; ".join(f"{line.name} {line.numbers}" for line in lines if line.middle is not None) or "nothing to compare yet"
    alt = f"Reproduced minus published mean: {told}."
    return forest(lines, "Reproduced minus published mean", picture, _comparison_caption(rows, lines), alt)


def _name_of(row: ResultRow) -> str:
    """The model and, so that a picture that travels alone still says it, what it lacks to the protocol."""
    return f"{row.model}, {row.extent}" if row.was_run and row.departures else row.model


def _comparison_line(row: ResultRow, name: str) -> Line:
    middle, interval = row.comparison.difference, row.comparison.interval
    if middle is None or row.published.mean is None:
        return Line(name, "", instead="no published mean" if row.was_run else "not run")
    marker, color = MARKERS[row.comparison.verdict]
    ends = interval or Interval(middle, middle)
    dots = tuple(best - row.published.mean for best in row.bests)
    numbers = estimate(middle, interval).removesuffix(MISSING)
    is_full = row.follows_protocol
    return Line(name, numbers, middle, ends.low, ends.high, dots, marker, color, filled=not row.departures, fits=is_full)


def _comparison_caption(rows: Sequence[ResultRow], lines: Sequence[Line]) -> str:
    data = ", ".join(dict.fromkeys(row.dataset_title for row in rows))
    counts = ", ".join(f"{line.name} (n = {row.seeds})" for row, line in zip(rows, lines, strict=True) if row.was_run) or "none run"
    return (
        "Difference of the mean accuracies (best epoch of each run), with its 95 % Welch interval; the line at zero is the published mean. "
        "Circle: consistent; triangle: higher or lower; diamond: too few runs or test samples for an interval; hollow: other seeds, epochs, data or settings than "
        f"the protocol's; small dots: single seeds, equal ones below each other; an arrow: beyond the frame. Data: {data}. Seeds: {counts}. Commit {run_commits(rows) or 'none'}."
    )


def _recipes(found: Sequence[RecipeRow]) -> list[Picture]:
    """Every recipe beside its published row; none where no recipe was run beside the base's own."""
    if not any(each.row.was_run for each in found if not each.from_base):
        return []
    # A recipe may be there whole and cut to the extent of another.
    names = [", ".join(filter(None, (each.row.model, each.row.recipe, each.row.extent))) for each in found]
    return [comparison([each.row for each in found], names, "recipes")]


def _ablations(found: Sequence[Variant]) -> list[Picture]:
    """One picture per model, of the variants that were run, those whose training fails too."""
    pictures = []
    for model in dict.fromkeys(variant.like for variant in found):
        group = [variant for variant in found if variant.like == model]
        if any(variant.difference is not None for variant in group):
            pictures.append(ablation(model, group))
    return pictures


def ablation(model: str, found: Sequence[Variant]) -> Picture:
    """Variants of a model minus the unchanged one, paired by seed, one line each, with 95 % intervals.

    Args:
        model: their name in the base.
        found: all of them, with the unchanged one, which has no line; those that were not run have none, either.
    """
    shown = [each for each in found if each.difference is not None or each.effect == "training fails"]
    compared = [each for each in found if each in shown or each.effect == "unchanged"]
    lines = _fitted([_ablation_line(variant) for variant in shown])
    told = "; ".join(f"{line.name} {line.instead or signed(line.middle)}" for line in lines)
    alt = f"Mean change of {model}'s best accuracy: {told}."
    return forest(
        lines,
        f"{model}: change of the best accuracy",
        f"ablation-{model}",
        _ablation_caption(model, shown, run_commits(each.row for each in compared)),
        alt,
    )


def _ablation_line(variant: Variant) -> Line:
    paired = variant.difference
    if paired is None or variant.effect == "training fails":
        return Line(variant.name, "", instead=variant.outcome)
    ends = paired.interval or Interval(paired.mean, paired.mean)
    older = ", older code" if variant.row.origin.is_present_code is False else ""
    numbers = f"{estimate(paired.mean, paired.interval)}, {len(paired.seeds)} × {variant.pairs.epochs if variant.pairs else 0}{older}"
    return Line(variant.name, numbers, paired.mean, ends.low, ends.high, paired.values, filled=variant.effect == "real")


def _fitted(lines: Sequence[Line]) -> list[Line]:
    """The lines, those left out of the frame's reckoning that reach four times as far as the middle one: such as hardly learn."""
    reaches = sorted(max(abs(line.low), abs(line.high)) for line in lines if line.middle is not None)
    far = 4 * median(reaches) if reaches else 0.0
    return [replace(line, fits=max(abs(line.low), abs(line.high)) <= far) for line in lines]


def _ablation_caption(model: str, shown: Sequence[Variant], commits: str) -> str:
    rows = [variant.row for variant in shown]
    subset = [departure for row in rows for departure in row.departures if departure.startswith(SUBSET)]
    epochs = sorted({row.epochs for row in rows if row.was_run})
    span = f"{epochs[0]}" if len(epochs) == 1 else f"{epochs[0]} to {epochs[-1]}"
    data = "; ".join(dict.fromkeys((f"{rows[0].dataset_title}, {span} epochs, {rows[0].origin.data_checksum[:10]}", *subset)))
    counts = ", ".join(f"{variant.name} (n = {len(variant.difference.seeds)})" for variant in shown if variant.difference)
    return (
        f"Variants of {model} minus the unchanged one over as many epochs, paired by seed, pairs × epochs beside each: mean with 95 % Student interval, filled where it excludes 0; small "
        f"dots, single seeds; an arrow: beyond the frame. Data: {data}. Pairs: {counts}. Commit {commits or 'unknown'}."
    )
