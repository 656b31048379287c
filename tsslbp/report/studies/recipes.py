"""Which recipe gives the published numbers? Every published row beside each recipe that was tried on it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from tsslbp.report.departures import HINGES_ON_ROUNDING, MORE_EPOCHS, OLDER_CODE, OTHER_SETTINGS
from tsslbp.report.numbers import estimate, number, spread
from tsslbp.report.origin import IsPresent, Run
from tsslbp.report.rows import ResultRow, make_rows
from tsslbp.report.spreads import compare_spreads, least_std
from tsslbp.report.statistics import Verdict
from tsslbp.report.studies.variants import changed, cut, described, extent_of, groups, variant_names
from tsslbp.settings import Published, Settings

STUDY = "recipes"
COMPARED: tuple[Verdict, ...] = ("consistent", "higher", "lower")
"""The verdicts that have an interval on all of the test data."""
ENOUGH_SEEDS = 3
"""So many seeds speak for or against a recipe: Welch's interval knows how few they are, but two may agree by luck."""

TOO_FEW, LONGER, OTHER = "too few runs, epochs or data to tell", MORE_EPOCHS, f"of {OTHER_SETTINGS}"
UNTOLD = (TOO_FEW, LONGER, OTHER)
"""Why runs speak neither for nor against a recipe."""


@dataclass(frozen=True)
class RecipeRow:
    """One recipe on one published row.

    Attributes:
        row: as in the tables; `row.model` is the published row's model, `row.recipe` what tells it from the others of this model, see
            `variants.variant_names`, and `row.variant` the values of all settings in which they differ.
        from_base: whether these are the pipeline's own runs, whole or cut to the extent of the others.
    """

    row: ResultRow
    from_base: bool

    @property
    def note(self) -> str:
        """What the runs lack to the published ones, which of them failed, whether their code is an older one, and a verdict on the edge."""
        row = self.row
        older = [OLDER_CODE] if row.origin.is_present_code is False else []
        return "; ".join((*row.departures, *row.origin.failure_notes, *older, *_on_edge(row)))


def recipe_rows(
    study: Settings,
    runs: Mapping[str, Run],
    base: Settings,
    base_runs: Mapping[str, Run],
    is_present: IsPresent | None = None,
) -> tuple[RecipeRow, ...]:
    """For each published row the base's own recipe first, then those of the study.

    The base's run is cut to the seeds and epochs of the study's longest one, so that the best of equally many is compared; where that
    takes something away, the whole run stands before it, which alone can be set beside what was published.
    """
    rows = {row.model: row for row in make_rows(study, runs, is_present, STUDY)}
    found: list[RecipeRow] = []
    for like, keys in groups(study).items():
        names = changed(study, keys, base, like)
        own = _base_rows(base, like, base_runs.get(like), extent_of(study, keys, runs), is_present)
        found += [RecipeRow(replace(row, variant=described(base, like, names)), True) for row in own]
        for key, name in variant_names(study, keys, base, like).items():
            row = replace(rows[key], model=like, recipe=name or rows[key].recipe, variant=described(study, key, names))
            found.append(RecipeRow(row, False))
    return tuple(found)


def _base_rows(base: Settings, like: str, whole: Run | None, extent: tuple[set[int], int], is_present: IsPresent | None) -> list[ResultRow]:
    """The base's own run, whole where it is longer than the study's, and cut to the extent of these."""
    alone = base.model_copy(update={"models": {like: base.model(like)}})
    runs = (whole, cut(whole, *extent))
    long, short = (make_rows(alone, {like: run} if run else {}, is_present)[0] for run in runs)
    return [short] if long.extent == short.extent else [long, short] if short.was_run else [long]


def recipe_answers(rows: Sequence[RecipeRow]) -> tuple[str, ...]:
    """A few sentences per published row: which recipes it is consistent with, and which not, with what each reached and how it spread."""
    models = dict.fromkeys(each.row.model for each in rows)
    return tuple(_answer([each for each in rows if each.row.model == model]) for model in models)


def _answer(rows: Sequence[RecipeRow]) -> str:
    """Runs as long as the published ones speak for or against a recipe, where there are enough of them."""
    told = judged_recipes(rows)
    nothing = [each.row for each in rows if not each.row.was_run]
    parts: dict[str, list[str]] = {
        verdict: [", ".join((_reached(row), *_on_edge(row))) for row in told.values() if row.comparison.verdict == verdict]
        for verdict in COMPARED
    }
    if told and not parts["consistent"]:
        parts["consistent"] = ["none of the recipes judged"]
    untold = _each_once(each.row for each in rows if each.row.was_run and each.row.recipe not in told)
    parts |= {what: [_reached(row) + _beside_as_many(row, rows) for row in untold.values() if _why_untold(row) == what] for what in UNTOLD}
    parts["training fails"] = list(dict.fromkeys(f"{row.recipe} ({row.failed})" for row in nothing if row.failed))
    parts["not run"] = list(dict.fromkeys(row.recipe for row in nothing if not row.failed))
    findings = [f"{what.capitalize()}: {'; '.join(names)}." for what, names in parts.items() if names]
    return " ".join(
        (
            f"{rows[0].row.model}, published {spread(rows[0].row.published)}.",
            *findings,
            *_spreads([row for row in told.values() if row.follows_protocol]),
        )
    )


def judged_recipes(rows: Sequence[RecipeRow]) -> dict[str, ResultRow]:
    """Return one published row's recipes that speak for or against it, by name: enough seeds, over all epochs and on all of the data."""
    return _each_once(each.row for each in rows if _speaks(each.row))


def _speaks(row: ResultRow) -> bool:
    return row.has_whole_seeds and row.seeds >= ENOUGH_SEEDS and row.is_compared


def _why_untold(row: ResultRow) -> str:
    return OTHER if row.has_other_settings else LONGER if row.has_more_epochs else TOO_FEW


def _beside_as_many(row: ResultRow, rows: Sequence[RecipeRow]) -> str:
    """What the base's own recipe reached in equally many epochs, where these are fewer than published; "" where that is not known."""
    extent = row.seeds, row.epochs, row.longest
    others = [each.row for each in rows if each.from_base and (each.row.seeds, each.row.epochs, each.row.longest) == extent]
    if row.epochs >= row.protocol_epochs or not others or others[-1].recipe == row.recipe:
        return ""
    return f", beside {spread(others[-1].best)} of {others[-1].recipe} with as many"


def _each_once(rows: Iterable[ResultRow]) -> dict[str, ResultRow]:
    """The first row of each recipe: the base's own run stands whole before the same run cut to the extent of the others."""
    found: dict[str, ResultRow] = {}
    for row in rows:
        found.setdefault(row.recipe, row)
    return found


def _spreads(rows: Sequence[ResultRow]) -> list[str]:
    """A sentence on how much wider than the published runs those of each recipe spread; none where nothing can be compared."""
    if not rows:
        return []
    published, ratios = rows[0].published, _ratios(rows, rows[0].published)
    if not ratios:
        return []
    said, least = [f"Spread, in published stddevs: {ratios}."], least_std(published)
    if least is not None:
        beside = _ratios(rows, published.model_copy(update={"std": least}))
        said.append(
            f"But if the published best of {number(published.best)} is right, the stddev is at least {number(least)}; in that one: {beside}."
        )
    return said


def _ratios(rows: Sequence[ResultRow], published: Published) -> str:
    ratios = {row.recipe: compare_spreads(row.best, published) for row in rows}
    return "; ".join(
        f"{recipe} {found.ratio:.1f} [{found.interval.low:.1f}, {found.interval.high:.1f}], {found.verdict}"
        for recipe, found in ratios.items()
        if found is not None
    )


def _on_edge(row: ResultRow) -> list[str]:
    return [HINGES_ON_ROUNDING] if row.comparison.hinges_on_rounding else []


def _reached(row: ResultRow) -> str:
    """A recipe and its accuracy: "2021-03 with 99.45 ± 0.02, −0.05 [−0.08, −0.02], 5 × 100"."""
    difference = estimate(row.comparison.difference, row.comparison.interval)
    failed = [f"{row.failed} failed"] if row.failed else []
    return f"{row.recipe} with {', '.join((spread(row.best), difference, row.extent, *failed, *row.outdated))}"
