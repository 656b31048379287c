"""The answers in short: one sentence per question that a reader can quote, before the numbers that it rests on."""

from collections.abc import Sequence

from tsslbp.report.studies.ablation import Variant
from tsslbp.report.studies.answers import by_name, pairs_and_epochs
from tsslbp.report.studies.recipes import RecipeRow, judged_recipes

BETTER, WORSE, NEITHER = "the variant is better on", "the variant is worse on", "no difference is shown on"
FAILS, UNTOLD, NOTHING = "training fails on", "too little was run to tell on", "nothing was run on"
OUTCOMES = (BETTER, WORSE, NEITHER, FAILS, UNTOLD, NOTHING)
"""In the order in which a sentence tells of them."""


def variant_summaries(found: Sequence[Variant]) -> dict[str, str]:
    """Return a sentence per variant that was run, by its name: on which models it is better, worse or neither.

    It is the interval of the difference of the best accuracies that tells.
    """
    return {name: _sentence(group) for name, group in by_name(found).items() if any(each.effect != "not run" for each in group)}


def _sentence(group: Sequence[Variant]) -> str:
    told = {outcome: ", ".join(_model(each) for each in group if _outcome(each) == outcome) for outcome in OUTCOMES}
    return f"In short: {'; '.join(f'{outcome} {models}' for outcome, models in told.items() if models)}."


def _outcome(variant: Variant) -> str:
    if variant.effect == "real" and variant.pairs is not None and variant.pairs.best.interval is not None:
        return BETTER if variant.pairs.best.interval.side == "above" else WORSE
    return {"not shown": NEITHER, "training fails": FAILS, "not run": NOTHING}.get(variant.effect, UNTOLD)


def _model(variant: Variant) -> str:
    """The model, and by how many pairs and epochs the two were compared, where they were."""
    compared = variant.pairs is not None and variant.effect != "training fails"
    return f"{variant.like} ({pairs_and_epochs(variant)})" if compared else variant.like


def recipes_summary(rows: Sequence[RecipeRow]) -> tuple[str, ...]:
    """Return one sentence: how many of the recipes that can be judged are consistent with each published row; none without rows."""
    if not rows:
        return ()
    groups = {model: [each for each in rows if each.row.model == model] for model in dict.fromkeys(each.row.model for each in rows)}
    return (f"In short: {'; '.join(_consistent(model, group) for model, group in groups.items())}.",)


def _consistent(model: str, rows: Sequence[RecipeRow]) -> str:
    judged = judged_recipes(rows)
    if not judged:
        return f"for {model}, none can be judged yet"
    consistent = sum(row.comparison.verdict == "consistent" for row in judged.values())
    if len(judged) == 1:
        return f"for {model}, the one recipe judged is {'' if consistent else 'not '}consistent with what was published"
    verb = "is" if consistent == 1 else "are"
    return f"for {model}, {consistent or 'none'} of the {len(judged)} recipes judged {verb} consistent with what was published"
