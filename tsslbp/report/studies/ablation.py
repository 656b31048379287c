"""What does each part of the method do? Variants that differ in one thing from the published settings, compared seed by seed."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from tsslbp.report.origin import IsPresent, Run
from tsslbp.report.rows import ResultRow, make_rows
from tsslbp.report.statistics import PairedDifference
from tsslbp.report.studies.pairs import Pairs, Side, pairs_of, unlike
from tsslbp.report.studies.variants import changed, cut, described, extent_of, groups, variant_names
from tsslbp.settings import Settings, SettingsError

STUDY = "ablation"
UNCHANGED = "unchanged"
"""The name of the variant that differs in nothing."""

Effect = Literal["unchanged", "real", "not shown", "all pairs agree", "too few pairs", "too few samples", "training fails", "not run"]
EFFECTS: tuple[Effect, ...] = ("training fails", "real", "not shown", "all pairs agree", "too few pairs", "too few samples", "not run")
"""All that a sentence tells of, in its order."""


@dataclass(frozen=True)
class Variant:
    """One variant of one model.

    Attributes:
        like: the base's model.
        name: the study's name for what differs, "unchanged" where nothing does.
        row: its runs, as in the tables; `row.model` is the study's own key, `row.variant` what differs, as in params.yaml.
        pairs: what it is compared by; None where one of the two was not run.
        effect: "training fails" where a seed could not be trained to the end, whatever the others came to; "real" where the interval
            of the best accuracy's difference excludes 0.00, as printed, "not shown" where it does not; "all pairs agree" where two
            pairs or more have the same difference, so that there is no interval; "too few samples" where a part of the test data was
            there, of which the interval knows nothing.
        unlike: what else differs from the unchanged runs, although it should not.
        note: why the difference may be of something else.
        from_base: whether these are the base's own runs, cut to the extent of its variants.
    """

    like: str
    name: str
    row: ResultRow
    pairs: Pairs | None
    effect: Effect
    unlike: tuple[str, ...]
    note: str
    from_base: bool = False

    @property
    def difference(self) -> PairedDifference | None:
        """Of the best accuracies; None where there is no pair."""
        return self.pairs.best if self.pairs else None

    @property
    def outcome(self) -> str:
        """The effect; of failed training, how many seeds failed."""
        return f"{self.effect} ({self.row.failed})" if self.effect == "training fails" else self.effect


def variants(
    study: Settings,
    runs: Mapping[str, Run],
    base: Settings,
    base_runs: Mapping[str, Run],
    is_present: IsPresent | None = None,
) -> tuple[Variant, ...]:
    """Every model of the study, the unchanged one of each group first; where that was not run, it is the base's own, cut to their extent.

    Raises:
        SettingsError: a group has two unchanged models.
    """
    # What is published is of more epochs: no verdict on it belongs here.
    rows = {row.model: row for row in make_rows(study.model_copy(update={"published": {}}), runs, is_present, STUDY)}
    found: list[Variant] = []
    for like, keys in groups(study).items():
        names = variant_names(study, keys, base, like)
        unchanged = _unchanged(study, like, names)
        if unchanged is None or unchanged not in runs:
            reference, row = _from_base(base, like, base_runs.get(like), extent_of(study, keys, runs), is_present)
        else:
            reference, row = runs[unchanged], rows[unchanged]
        found.append(replace(_variant(like, UNCHANGED, row, None, None), from_base=unchanged not in runs))
        theirs = Side(reference, row) if reference else None
        for key in (key for key in keys if key != unchanged):
            row = replace(rows[key], variant=described(study, key, changed(study, [key], base, like)))
            found.append(_variant(like, names[key], row, Side(runs[key], row) if key in runs else None, theirs))
    return tuple(found)


def _unchanged(study: Settings, like: str, names: Mapping[str, str]) -> str | None:
    """The model of a group that differs in nothing from the base's; None where there is none."""
    found = [key for key, name in names.items() if not name]
    if len(found) > 1:
        raise SettingsError(f"{study.experiment}: {', '.join(found)} are all {like} unchanged; one is enough to compare the others with")
    return found[0] if found else None


def _from_base(
    base: Settings, like: str, run: Run | None, extent: tuple[set[int], int], is_present: IsPresent | None
) -> tuple[Run | None, ResultRow]:
    """The base's run with the seeds and epochs of its variants, and its row, as a model of the study would have it."""
    seeds, epochs = extent
    reference = cut(run, seeds, epochs)
    model = base.model(like).model_copy(update={"epochs": epochs, "seeds": tuple(sorted(seeds))})
    settings = base.model_copy(update={"models": {like: model}, "published": {}})
    (row,) = make_rows(settings, {like: reference} if reference else {}, is_present, STUDY)
    return reference, row


def _variant(like: str, name: str, row: ResultRow, own: Side | None, theirs: Side | None) -> Variant:
    """Args: `own` and `theirs` the variant's side and the unchanged one; without both of them there are no pairs."""
    pairs = pairs_of(own, theirs) if own and theirs else None
    others = unlike(own, theirs, pairs.best.seeds) if own and theirs and pairs else ()
    note = "; ".join((*row.departures, *row.remarks, *others))
    return Variant(like, name, row, pairs, _effect(row, pairs, is_reference=name == UNCHANGED), others, note)


def _effect(row: ResultRow, pairs: Pairs | None, *, is_reference: bool) -> Effect:
    if row.origin.failures:
        return "training fails"
    if not row.was_run:
        return "not run"
    if is_reference:
        return "unchanged"
    if pairs is None or len(pairs.best.seeds) == 1:
        return "too few pairs"
    if row.sampling:
        return "too few samples"
    if pairs.best.interval is None:
        return "all pairs agree"
    return "real" if pairs.best.interval.side else "not shown"
