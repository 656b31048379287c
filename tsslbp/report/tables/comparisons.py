"""The tables of the studies: recipes beside published rows, and variants beside the unchanged model."""

from collections.abc import Callable, Sequence
from typing import Any

from tsslbp.report.numbers import MISSING, number, paired, signed
from tsslbp.report.rows import ResultRow
from tsslbp.report.statistics import Interval, PairedDifference
from tsslbp.report.studies.ablation import Effect, Variant
from tsslbp.report.studies.pairs import Pairs
from tsslbp.report.studies.recipes import RecipeRow
from tsslbp.report.tables.column import DATA, READERS, Cell, Column, Format, Table, grouped
from tsslbp.report.tables.results import RESULTS, bracketed, difference_cell, numeral, verdict_cell

EFFECT_MARKS: dict[Effect, str] = {
    "unchanged": "–",
    "real": "●",
    "not shown": "≈",
    "all pairs agree": "=",
    "too few pairs": "◇",
    "too few samples": "◇",
    "training fails": "✕",
    "not run": "○",
}


PRINT: frozenset[Format] = frozenset({"latex"})
ROOMY = READERS - PRINT
"""A printed page is too narrow for every look at a difference; it would shrink the table until nobody can read it."""


def _named(name: str, settings: str) -> Cell:
    return Cell(name, (settings,) if settings else ())


def _paired(difference: PairedDifference | None) -> Cell:
    if difference is None:
        return Cell(MISSING)
    interval = bracketed(difference.interval, signed)
    return Cell(signed(difference.mean), (interval,) if interval else ())


def _shown(difference: PairedDifference | None) -> Cell:
    """The difference, and the smallest one that its pairs could have told from zero."""
    cell = _paired(difference)
    if difference is None or difference.interval is None:
        return cell
    return Cell(cell.text, (*cell.details, f"shows from {number(difference.interval.half_width)}"))


def _last(variant: Variant) -> Cell:
    """The mean after the last epoch, and its difference."""
    shown = numeral(variant.row.final.mean if variant.row.final else None)
    return Cell(shown.text, (paired(variant.pairs.last),)) if variant.pairs else shown


def _extent(found: Pairs | None) -> Cell:
    """How many pairs of seeds, times their epochs: a seed of the row may have more of these, or no partner."""
    return Cell(f"{len(found.best.seeds)} × {found.epochs}" if found else MISSING)


def effect_cell(variant: Variant) -> Cell:
    """The effect with its mark."""
    return Cell(variant.outcome, mark=EFFECT_MARKS[variant.effect], style=variant.effect.replace(" ", "-"))


RECIPES: tuple[Column[RecipeRow], ...] = (
    Column("recipe", "Recipe", lambda each: each, lambda each: _named(each.row.recipe, each.row.variant), READERS),
    Column("published_mean", "Published", lambda each: each.row.published.mean, numeral, READERS, "number"),
    Column("best_mean", "Reproduced", lambda each: each.row.best and each.row.best.mean, numeral, READERS, "number"),
    Column("best_std", "Stddev", lambda each: each.row.best and each.row.best.std, numeral, READERS, "number"),
    Column("difference", "Difference", lambda each: each.row.comparison, difference_cell, READERS),
    Column("verdict", "Verdict", lambda each: each.row, verdict_cell, READERS),
    Column("final_mean", "Last epoch", lambda each: each.row.final and each.row.final.mean, numeral, READERS, "number"),
    Column("best_minus_final", "Best − last", lambda each: each.row.best_minus_final, lambda value: Cell(signed(value)), READERS, "number"),
    Column("extent", "Seeds × epochs", lambda each: each.row.extent, formats=READERS),
)


def _of_row(value: Callable[[ResultRow], Any]) -> Callable[[Variant], Any]:
    return lambda variant: value(variant.row)


_MEASURED = {"seeds", "epochs", "best_mean", "best_std", "best_max", "final_mean", "final_std"}
_ORIGIN = {"data_checksum", "code_digest", "present_code", "git_commit", "device", "hours", "versions", "run_ids"}


def _from_results(names: set[str]) -> tuple[Column[Variant], ...]:
    """CSV columns of the main table, of a variant's row."""
    return tuple(Column(column.name, "", _of_row(column.value), formats=DATA) for column in RESULTS if column.name in names)


def _estimated(name: str, of: Callable[[Pairs], PairedDifference]) -> tuple[Column[Variant], ...]:
    """CSV columns of a difference and the ends of its interval."""

    def interval(variant: Variant) -> Interval | None:
        return of(variant.pairs).interval if variant.pairs else None

    return (
        Column(name, "", lambda variant: variant.pairs and of(variant.pairs).mean, formats=DATA),
        Column(f"{name}_low", "", lambda variant: (found := interval(variant)) and found.low, formats=DATA),
        Column(f"{name}_high", "", lambda variant: (found := interval(variant)) and found.high, formats=DATA),
    )


ABLATION: tuple[Column[Variant], ...] = (
    Column("model", "", lambda variant: variant.like, formats=DATA),
    Column("variant", "Variant", lambda variant: variant, lambda variant: _named(variant.name, variant.row.variant), READERS),
    Column("variant", "", lambda variant: variant.name, formats=DATA),
    Column("settings", "", lambda variant: variant.row.variant or None, formats=DATA),
    Column("best", "Best mean", lambda variant: variant.row.best and variant.row.best.mean, numeral, READERS, "number"),
    Column("std", "Stddev", lambda variant: variant.row.best and variant.row.best.std, numeral, READERS, "number"),
    Column("estimate", "Difference", lambda variant: variant.difference, _shown, ROOMY),
    Column("estimate", "Difference", lambda variant: variant.difference, _paired, PRINT),
    Column("outcome", "Effect", lambda variant: variant, effect_cell, READERS),
    Column("pairs", "Pairs", lambda variant: variant.pairs, _extent, READERS, "number"),
    Column("pairs", "", lambda variant: len(variant.difference.seeds) if variant.difference else 0, formats=DATA),
    Column("pair_epochs", "", lambda variant: variant.pairs.epochs if variant.pairs else 0, formats=DATA),
    *_estimated("difference", lambda pairs: pairs.best),
    Column("effect", "", lambda variant: variant.effect, formats=DATA),
    Column("failed_seeds", "", lambda variant: len(variant.row.origin.failures), formats=DATA),
    *_from_results(_MEASURED),
    Column("early", "First quarter", lambda variant: variant.pairs and variant.pairs.early, _paired, ROOMY),
    Column("last", "Last epoch", lambda variant: variant, _last, ROOMY, "number"),
    Column("last", "Last epoch", lambda variant: variant.row.final and variant.row.final.mean, numeral, PRINT, "number"),
    *_estimated("early_difference", lambda pairs: pairs.early),
    *_estimated("last_difference", lambda pairs: pairs.last),
    Column("extent", "Seeds × epochs", lambda variant: variant.row.extent, formats=READERS),
    *_from_results(_ORIGIN),
    Column("note", "", lambda variant: variant.note, formats=DATA),
)


def recipes_table(found: Sequence[RecipeRow]) -> Table[RecipeRow]:
    """Recipes by the published row that they were tried on."""
    return Table(
        name="recipes",
        caption="Published rows beside each recipe that was tried on them; accuracies in percent, best epochs chosen on test data. Where a "
        "row's own runs are more or longer than the recipes' can be, the same runs follow once more, cut to these seeds and epochs.",
        columns=RECIPES,
        groups=grouped(found, lambda each: f"{each.row.model}, {each.row.dataset_title}"),
        group="Row",
        note=lambda each: each.note,
        is_faint=lambda each: not each.row.was_run,
    )


def ablation_table(found: Sequence[Variant]) -> Table[Variant]:
    """Variants by the model that they are of."""
    return Table(
        name="ablation",
        caption="Best test accuracy in percent of variants, minus that of the unchanged model, paired by seed, with 95 % intervals.",
        columns=ABLATION,
        groups=grouped(found, lambda variant: f"{variant.like}, {variant.row.dataset_title}"),
        group="Model",
        note=lambda variant: variant.note,
        is_faint=lambda variant: not variant.row.was_run,
    )
