"""What does each part of the method do? Variants that differ in one thing from the published settings, compared seed by seed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from tsslbp.report.origin import Run
from tsslbp.report.render import estimate
from tsslbp.report.rows import Row, make_rows
from tsslbp.report.statistics import CONFIDENCE, PairedDifference, paired_difference, reach
from tsslbp.report.studies.variants import changed, cut, described, groups
from tsslbp.settings import Settings, SettingsError

Effect = Literal["unchanged", "real", "not shown", "too few pairs", "failed", "not run"]


@dataclass(frozen=True)
class Variant:
    """One variant of one model.

    Attributes:
        like: the base's model.
        name: the study's name for what differs, "unchanged" where nothing does.
        settings: what differs, as in params.yaml.
        row: its runs, as in the tables; `row.model` is the study's own key.
        difference: best accuracy, this variant minus the unchanged one, paired by seed; None where one of them was not run.
        effect: "real" where the interval of the difference excludes 0, "not shown" where it does not; "failed" where no seed
            could be trained to the end.
        note: why the difference may be of something else.
        from_base: whether these are the base's own runs, cut to the extent of its variants.
    """

    like: str
    name: str
    settings: str
    row: Row
    difference: PairedDifference | None
    effect: Effect
    note: str
    from_base: bool = False


def variants(study: Settings, runs: Mapping[str, Run], base: Settings, base_runs: Mapping[str, Run]) -> tuple[Variant, ...]:
    """Every model of the study, the unchanged one of each group first; where a group has none, it is the base's own, cut to their extent.

    Raises:
        SettingsError: a group has two unchanged models.
    """
    # What is published is of more epochs: no verdict on it belongs here.
    rows = {row.model: row for row in make_rows(study.model_copy(update={"published": {}}), runs)}
    found: list[Variant] = []
    for like, keys in groups(study).items():
        changes = {key: described(study, key, changed(study, [key], base, like)) for key in keys}
        unchanged = [key for key, change in changes.items() if not change]
        if len(unchanged) > 1:
            raise SettingsError(
                f"{study.experiment}: {', '.join(unchanged)} are all {like} unchanged; one is enough to compare the others with"
            )
        if unchanged:
            reference = runs.get(unchanged[0])
            found.append(_variant(like, "unchanged", "", rows[unchanged[0]], (reference, reference)))
        else:
            reference, row = _from_base(study, keys, base, like, base_runs.get(like))
            found.append(replace(_variant(like, "unchanged", "", row, (reference, reference)), from_base=True))
        for key in keys:
            if key not in unchanged:
                name = study.model(key).recipe if study.model(key).recipe != base.model(like).recipe else changes[key]
                found.append(_variant(like, name, changes[key], rows[key], (runs.get(key), reference)))
    return tuple(found)


def _from_base(study: Settings, keys: Sequence[str], base: Settings, like: str, run: Run | None) -> tuple[Run | None, Row]:
    """The base's run with the seeds and epochs of its variants, and its row, as a model of the study would have it."""
    seeds = {seed for key in keys for seed in study.seeds_of(key)}
    epochs = max(study.model(key).epochs for key in keys)
    reference = cut(run, seeds, epochs)
    model = base.model(like).model_copy(update={"epochs": epochs, "seeds": tuple(sorted(seeds))})
    settings = base.model_copy(update={"models": {like: model}, "published": {}})
    (row,) = make_rows(settings, {like: reference} if reference else {})
    return reference, row


def _variant(like: str, name: str, settings: str, row: Row, pair: tuple[Run | None, Run | None]) -> Variant:
    """Args: `settings` empty for the unchanged variant; `pair` its run and the unchanged one."""
    run, reference = pair
    is_reference = not settings
    difference = None if is_reference else _difference(run, reference)
    effect: Effect
    if not row.was_run:
        effect = "failed" if row.origin.failures else "not run"
    elif is_reference:
        effect = "unchanged"
    elif difference is None or difference.interval is None:
        effect = "too few pairs"
    else:
        effect = "real" if difference.interval.low > 0 or difference.interval.high < 0 else "not shown"
    notes = (*row.departures, *row.origin.failures, *([] if is_reference else _unlike(run, reference)))
    return Variant(like, name, settings, row, difference, effect, "; ".join(notes))


def _difference(run: Run | None, reference: Run | None) -> PairedDifference | None:
    """Of the best accuracies over as many epochs as both have, as a longer run has more to choose from."""
    if run is None or reference is None:
        return None
    seeds = {seed.seed for seed in run[0].seeds} & {seed.seed for seed in reference[0].seeds}
    epochs = min((len(seed.history) for each in (run, reference) for seed in each[0].seeds if seed.seed in seeds), default=0)
    pair = cut(run, seeds, epochs), cut(reference, seeds, epochs)
    if pair[0] is None or pair[1] is None:
        return None
    own, theirs = ({seed.seed: seed.best for seed in each[0].seeds} for each in (pair[0], pair[1]))
    return paired_difference(own, theirs)


def _unlike(run: Run | None, reference: Run | None) -> list[str]:
    """What differs between two runs although it should not."""
    if run is None or reference is None:
        return []
    differs = {
        "other data than the unchanged runs": run[0].data.checksum != reference[0].data.checksum,
        "other code than the unchanged runs": run[0].code != reference[0].code,
    }
    return [what for what, is_so in differs.items() if is_so]


def ablation_answers(found: Sequence[Variant]) -> tuple[str, ...]:
    """A sentence a model, and one on what the intervals can and cannot show."""
    models = dict.fromkeys(variant.like for variant in found)
    sentences = [_answer([variant for variant in found if variant.like == model]) for model in models]
    return (*sentences, *_caution([variant.difference for variant in found if variant.difference is not None]))


def _answer(found: Sequence[Variant]) -> str:
    parts = []
    for effect in ("real", "not shown", "too few pairs", "failed", "not run"):
        names = [_named(variant) for variant in found if variant.effect == effect]
        if names:
            parts.append(f"{effect}: {'; '.join(names)}")
    return f"{found[0].like}, {found[0].row.dataset_title}: {'. '.join(_capital(part) for part in parts)}."


def _named(variant: Variant) -> str:
    difference, failed = variant.difference, len(variant.row.origin.failures)
    name = variant.name if difference is None else f"{variant.name} {estimate(difference.mean, difference.interval)}"
    return f"{name} ({failed} of {variant.row.seeds + failed} seeds failed)" if failed else name


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _caution(differences: Sequence[PairedDifference]) -> list[str]:
    """How wide the intervals are, and how many of them would exclude 0 although nothing has an effect."""
    counts = sorted({len(difference.seeds) for difference in differences if difference.interval is not None})
    if not counts:
        return []
    widths = ", ".join(f"{reach(count):.1f} standard errors with {count}" for count in counts)
    intervals = sum(difference.interval is not None for difference in differences)
    return [
        f"An interval reaches to either side, by the number of pairs: {widths}; with few pairs only a large effect can be shown, and “not shown” "
        f"is not “none”. Of {intervals} intervals of {100 * CONFIDENCE:.0f} % about {(1 - CONFIDENCE) * intervals:.1f} would exclude zero by chance alone."
    ]
