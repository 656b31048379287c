"""What does each part of the method do? Variants that differ in one thing from the published settings, compared seed by seed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Literal

from tsslbp.report.origin import IsPresent, Run, library_of
from tsslbp.report.rows import ResultRow, make_rows
from tsslbp.report.statistics import PairedDifference, paired_difference
from tsslbp.report.studies.selection import Selection, selection_of
from tsslbp.report.studies.variants import changed, cut, described, groups, shortened, variant_names
from tsslbp.settings import Settings, SettingsError
from tsslbp.storage.records import SeedRecord

STUDY = "ablation"
UNCHANGED = "unchanged"
"""The name of the variant that differs in nothing."""

Effect = Literal["unchanged", "real", "not shown", "too few pairs", "too few samples", "training fails", "not run"]
EFFECTS: tuple[Effect, ...] = ("training fails", "real", "not shown", "too few pairs", "too few samples", "not run")
"""All that a sentence tells of, in its order."""


@dataclass(frozen=True)
class Pairs:
    """A variant minus the unchanged model, seed by seed, over the seeds and epochs that both have; test accuracies, in points.

    Attributes:
        epochs: how many; a longer run would have more to choose the best from.
        best: at each seed's best epoch.
        quarter: of the epochs, at least one.
        early: at the best epoch of the first quarter: a difference in speed shows here.
        last: after the last epoch, where nothing is chosen.
        selection: the parts of `best`, where the variant chooses its epoch on held-out samples.
    """

    epochs: int
    quarter: int
    best: PairedDifference
    early: PairedDifference
    last: PairedDifference
    selection: Selection | None

    @property
    def looks(self) -> tuple[PairedDifference, PairedDifference, PairedDifference]:
        """All that is told of these pairs; each look is one more chance that an interval excludes 0 for no reason."""
        return self.early, self.best, self.last


@dataclass(frozen=True)
class Variant:
    """One variant of one model.

    Attributes:
        like: the base's model.
        name: the study's name for what differs, "unchanged" where nothing does.
        row: its runs, as in the tables; `row.model` is the study's own key, `row.variant` what differs, as in params.yaml.
        pairs: what it is compared by; None where one of the two was not run.
        effect: "training fails" where a seed could not be trained to the end, whatever the others came to; "real" where the interval
            of the best accuracy's difference excludes 0.00, as printed, "not shown" where it does not; "too few samples" where a part
            of the test data was there, of which the interval knows nothing.
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
        failed = len(self.row.origin.failures)
        return f"{self.effect} ({failed} of {self.row.seeds + failed} seeds)" if self.effect == "training fails" else self.effect


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
            reference, row = _from_base(study, keys, base, like, base_runs.get(like), is_present)
            found.append(replace(_variant(like, "", row, (reference, reference)), from_base=True))
        else:
            reference = runs[unchanged]
            found.append(_variant(like, "", rows[unchanged], (reference, reference)))
        for key in (key for key in keys if key != unchanged):
            row = replace(rows[key], variant=described(study, key, changed(study, [key], base, like)))
            found.append(_variant(like, names[key], row, (runs.get(key), reference)))
    return tuple(found)


def _unchanged(study: Settings, like: str, names: Mapping[str, str]) -> str | None:
    """The model of a group that differs in nothing from the base's; None where there is none."""
    found = [key for key, name in names.items() if not name]
    if len(found) > 1:
        raise SettingsError(f"{study.experiment}: {', '.join(found)} are all {like} unchanged; one is enough to compare the others with")
    return found[0] if found else None


def _from_base(
    study: Settings, keys: Sequence[str], base: Settings, like: str, run: Run | None, is_present: IsPresent | None
) -> tuple[Run | None, ResultRow]:
    """The base's run with the seeds and epochs of its variants, and its row, as a model of the study would have it."""
    seeds = {seed for key in keys for seed in study.seeds_of(key)}
    epochs = max(study.model(key).epochs for key in keys)
    reference = cut(run, seeds, epochs)
    model = base.model(like).model_copy(update={"epochs": epochs, "seeds": tuple(sorted(seeds))})
    settings = base.model_copy(update={"models": {like: model}, "published": {}})
    (row,) = make_rows(settings, {like: reference} if reference else {}, is_present, STUDY)
    return reference, row


def _variant(like: str, name: str, row: ResultRow, pair: tuple[Run | None, Run | None]) -> Variant:
    """Args: `name` empty for the unchanged variant; `pair` its run and the unchanged one."""
    run, reference = pair
    pairs = _pairs(run, reference) if name else None
    unlike = _unlike(run, reference) if pairs else ()
    effect = _effect(row, pairs.best if pairs else None, is_reference=not name)
    note = "; ".join((*row.departures, *row.remarks, *unlike))
    return Variant(like, name or UNCHANGED, row, pairs, effect, unlike, note)


def _effect(row: ResultRow, difference: PairedDifference | None, *, is_reference: bool) -> Effect:
    if row.origin.failures:
        return "training fails"
    if not row.was_run:
        return "not run"
    if is_reference:
        return "unchanged"
    if difference is None or difference.interval is None:
        return "too few pairs"
    if row.sampling:
        return "too few samples"
    return "real" if difference.interval.side else "not shown"


def _pairs(run: Run | None, reference: Run | None) -> Pairs | None:
    if run is None or reference is None:
        return None
    seeds = {seed.seed for seed in run[0].seeds} & {seed.seed for seed in reference[0].seeds}
    epochs = min((len(seed.history) for each in (run, reference) for seed in each[0].seeds if seed.seed in seeds), default=0)
    if not epochs:
        return None

    def difference(length: int, accuracy: Callable[[SeedRecord], float]) -> PairedDifference:
        own, theirs = ({seed.seed: accuracy(seed) for seed in shortened(each, seeds, length)} for each in (run, reference))
        return paired_difference(own, theirs)

    best, last, quarter = attrgetter("best"), attrgetter("final"), max(1, epochs // 4)
    selection = selection_of(*(shortened(each, seeds, epochs) for each in (run, reference)))
    return Pairs(epochs, quarter, difference(epochs, best), difference(quarter, best), difference(epochs, last), selection)


def _unlike(run: Run | None, reference: Run | None) -> tuple[str, ...]:
    """What differs between two runs although it should not."""
    if run is None or reference is None:
        return ()
    own, theirs = ({seed.seed: seed for seed in each[1].seeds} for each in (run, reference))
    pairs = [(own[seed], theirs[seed]) for seed in own.keys() & theirs.keys()]
    differs = {
        "data": run[0].data.checksum != reference[0].data.checksum,
        "code": run[0].code != reference[0].code,
        "processor": any(one.device != other.device for one, other in pairs),
        "library of products": any(len({library_of(one), library_of(other)} - {""}) > 1 for one, other in pairs),
        "number of threads": any(one.threads != other.threads for one, other in pairs if one.device.startswith("cpu")),
    }
    return tuple(f"other {what} than the unchanged runs" for what, is_so in differs.items() if is_so)
