"""Which recipe gives the published numbers? Every published row beside each recipe that was tried on it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from tsslbp.report.origin import Run
from tsslbp.report.render import spread
from tsslbp.report.rows import Row, make_rows
from tsslbp.report.studies.variants import changed, cut, described, groups
from tsslbp.settings import Settings


@dataclass(frozen=True)
class RecipeRow:
    """One recipe on one published row.

    Attributes:
        row: as in the tables; `row.model` is the published row's model.
        settings: the values of all settings in which the recipes of this row differ.
        from_base: whether these are the pipeline's own runs, whole or cut to the extent of the others.
        bests: of each seed, percent.
    """

    row: Row
    settings: str
    from_base: bool
    bests: tuple[float, ...]

    @property
    def note(self) -> str:
        """What the runs lack to the published ones, and which of them failed."""
        return "; ".join((*self.row.departures, *self.row.origin.failures))


def recipe_rows(study: Settings, runs: Mapping[str, Run], base: Settings, base_runs: Mapping[str, Run]) -> tuple[RecipeRow, ...]:
    """For each published row the base's own recipe first, then those of the study.

    The base's run is cut to the seeds and epochs of the study's longest one, so that the best of equally many is compared; where that
    takes something away, the whole run stands before it, which alone can be set beside what was published.
    """
    found: list[RecipeRow] = []
    own_rows = {row.model: row for row in make_rows(study, runs)}
    for like, keys in groups(study).items():
        names = changed(study, keys, base, like)
        seeds = {seed for key in keys for seed in study.seeds_of(key)}
        whole = base_runs.get(like)
        run = cut(whole, seeds, max(study.model(key).epochs for key in keys))
        rows = [_base_row(base, like, each) for each in (whole, run)]
        for row, each in zip(rows, (whole, run), strict=True):
            if each is run or rows[0].extent != rows[1].extent:
                found.append(RecipeRow(row, described(base, like, names), True, _bests(each)))
        for key in keys:
            row = replace(own_rows[key], model=like)
            found.append(RecipeRow(row, described(study, key, names), False, _bests(runs.get(key))))
    return tuple(found)


def _base_row(base: Settings, like: str, run: Run | None) -> Row:
    return next(row for row in make_rows(base, {like: run} if run else {}) if row.model == like)


def _bests(run: Run | None) -> tuple[float, ...]:
    return tuple(seed.best for seed in run[0].seeds) if run else ()


def recipe_answers(rows: Sequence[RecipeRow]) -> tuple[str, ...]:
    """A sentence a published row: which recipes it is consistent with, and which not."""
    models = dict.fromkeys(each.row.model for each in rows)
    return tuple(_answer([each.row for each in rows if each.row.model == model]) for model in models)


def _answer(rows: Sequence[Row]) -> str:
    """Only runs as many and as long as the published ones speak for or against a recipe."""
    told = [row for row in rows if row.follows_protocol and row.is_compared]
    settled = {row.recipe for row in told}
    short = [row for row in rows if row.was_run and row.recipe not in settled]
    parts = {
        "consistent with": [row.recipe for row in told if row.comparison.verdict == "consistent"],
        "inconsistent with": [f"{row.recipe} ({row.comparison.verdict})" for row in told if row.comparison.verdict != "consistent"],
        "too few runs, epochs or data to tell for": list(dict.fromkeys(f"{row.recipe} ({row.extent})" for row in short)),
        "not run:": list(dict.fromkeys(row.recipe for row in rows if not row.was_run)),
    }
    findings = "; ".join(f"{what} {', '.join(names)}" for what, names in parts.items() if names)
    return f"{rows[0].model}, published {spread(rows[0].published)}: {findings}."
