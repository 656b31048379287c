"""What an ablation found, in sentences."""

from collections.abc import Mapping, Sequence

from tsslbp.report.numbers import number, paired
from tsslbp.report.power import effect_found_mostly
from tsslbp.report.statistics import CONFIDENCE, PairedDifference, reach
from tsslbp.report.studies.ablation import EFFECTS, UNCHANGED, Variant
from tsslbp.report.studies.pairs import Pairs
from tsslbp.report.studies.selection import Selection

MANY_PAIRS = 5
"""From here on, the interval of a few pairs that happen to agree is no longer often a very short one."""

LOOKS = ("by the best of the first quarter of the epochs", "by the best of all that both ran", "after the last of these")
"""In the order of `Pairs.looks`."""


def ablation_answers(found: Sequence[Variant]) -> tuple[str, ...]:
    """A sentence per model, and one on what the intervals can and cannot show."""
    models = dict.fromkeys(variant.like for variant in found)
    sentences = [_answer([variant for variant in found if variant.like == model]) for model in models]
    return (*sentences, *caution(found))


def _answer(found: Sequence[Variant]) -> str:
    parts = []
    for effect in EFFECTS:
        names = [_named(variant) for variant in found if variant.effect == effect]
        if names:
            parts.append(f"{effect.capitalize()}: {'; '.join(names)}")
    return f"{found[0].like}, {found[0].row.dataset_title}: {'. '.join(parts) or 'only the unchanged model was run'}."


def _named(variant: Variant) -> str:
    if variant.effect == "training fails":
        return f"{variant.name} {variant.outcome.removeprefix('training fails ')}"
    if variant.pairs is None:
        return variant.name
    return f"{variant.name} {paired(variant.pairs.best)} ({', '.join((pairs_and_epochs(variant), *variant.row.outdated))})"


def variant_answers(found: Sequence[Variant]) -> dict[str, tuple[str, ...]]:
    """By the name of a variant, a sentence per model: what it does to the accuracy, in how many pairs, and what they could have shown.

    One more follows where the first quarter of the epochs, all of them and the last one tell different stories.
    """
    return {name: (*map(_sentence, group), *_in_time(group)) for name, group in by_name(found).items()}


def by_name(found: Sequence[Variant]) -> dict[str, list[Variant]]:
    """The variants of all models by their name, without the unchanged ones."""
    names = dict.fromkeys(variant.name for variant in found if variant.name != UNCHANGED)
    return {name: [variant for variant in found if variant.name == name] for name in names}


def _sentence(variant: Variant) -> str:
    course = f" {_course(variant.pairs)}" if variant.pairs and variant.effect != "training fails" else ""
    told = "; ".join((_found(variant), *variant.row.outdated, *variant.unlike))
    return f"{variant.like}, {variant.row.dataset_title}: {told}.{course}"


def _parts(found: Selection | None) -> str:
    if found is None:
        return ""
    return (
        f" Within each of these runs, the epoch chosen on held-out samples has {paired(found.chosen)} beside the best on test data; with "
        f"both at their best on test data, these runs have {paired(found.missing)} beside the unchanged ones."
    )


def _found(variant: Variant) -> str:
    pairs = variant.pairs
    if pairs is None or variant.effect == "training fails":
        return variant.outcome
    middle = f"{paired(pairs.best)} points, {pairs_and_epochs(variant)}: {variant.effect}"
    if pairs.best.interval is None or variant.effect == "too few samples":
        return middle
    least, likely = number(pairs.best.interval.half_width), number(effect_found_mostly(pairs.best))
    return f"{middle}; a difference below {least} would not have been told from zero, a true effect of {likely} is found four times in five"


def pairs_and_epochs(variant: Variant) -> str:
    """How a variant that has pairs was compared: "5 pairs of seeds, 15 epochs"."""
    assert variant.pairs is not None
    count = len(variant.pairs.best.seeds)
    return f"{count} pair{'s'[: count > 1]} of seeds, {variant.pairs.epochs} epochs{', subset' if variant.row.other_data else ''}"


def _course(pairs: Pairs) -> str:
    """How the difference stood earlier, and where no epoch is chosen."""
    return f"Best of the first {pairs.quarter}: {paired(pairs.early)}; after the last: {paired(pairs.last)}.{_parts(pairs.selection)}"


def _in_time(found: Sequence[Variant]) -> tuple[str, ...]:
    """Two pairs have intervals by luck: what they say of the course of training is left to the numbers."""
    compared = {
        variant.like: variant.pairs.looks
        for variant in found
        if variant.pairs and len(variant.pairs.best.seeds) >= MANY_PAIRS and variant.effect in ("real", "not shown")
    }
    told: dict[str, list[str]] = {}
    for look, when in enumerate(LOOKS):
        told.setdefault(_sides({model: _side(looks[look]) for model, looks in compared.items()}), []).append(when)
    if len(told) == 1:
        return ()
    parts = (f"{sides} {' and '.join(whens)}" for sides, whens in told.items())
    return (f"By the intervals of {MANY_PAIRS} pairs or more, the variant is {'; '.join(parts)}.",)


def _side(difference: PairedDifference) -> str | None:
    """Where the whole interval lies; None: zero is in it, or there is none."""
    side = difference.interval.side if difference.interval else None
    return {"above": "ahead", "below": "behind", None: None}[side]


def _sides(sides: Mapping[str, str | None]) -> str:
    groups = {side: [model for model in sides if sides[model] == side] for side in ("ahead", "behind")}
    return (
        " and ".join(f"{side} on {', '.join(models)}" for side, models in groups.items() if models)
        or "nowhere told from the unchanged method"
    )


def caution(found: Sequence[Variant]) -> tuple[str, ...]:
    """How wide the intervals are, and how many of them would exclude 0 although nothing has an effect; nothing where there are none."""
    told = [each for variant in found if variant.pairs for each in variant.pairs.differences if each.interval is not None]
    counts = sorted({len(each.seeds) for each in told})
    if not counts:
        return ()
    widths = ", ".join(f"{reach(count):.1f} standard errors with {count}" for count in counts)
    return (
        f"An interval reaches to either side, by the number of pairs: {widths}; with few pairs only a large effect can be shown, and “not shown” "
        f"is not “none”. Of the {len(told)} intervals of {100 * CONFIDENCE:.0f} % that the variants have beside the unchanged method, about "
        f"{(1 - CONFIDENCE) * len(told):.1f} would exclude zero by chance alone.",
    )
