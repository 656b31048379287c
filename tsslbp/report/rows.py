"""One row per model: what was published, what was measured, how the two stand to each other, and where the number comes from.

Every table, the page's opening sentences and the README take their numbers from these rows, so no two can disagree. A new column of
the tables is computed here and named in tables/results.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from tsslbp.report.departures import MORE_EPOCHS, OLDER_CODE, SUBSET, departures_of, missing_seeds, names_settings, remarks_on
from tsslbp.report.frame import Measured, aggregate, runs_frame
from tsslbp.report.operations import Operations, operations_of
from tsslbp.report.origin import IsPresent, Origin, Run, origin_of
from tsslbp.report.sampling import Sampling, sampling
from tsslbp.report.statistics import Comparison, Summary, compare
from tsslbp.settings import Dataset, Published, Settings
from tsslbp.storage.records import ModelRecord, SeedRecord
from tsslbp.storage.summary import counted_seeds, whole_epochs

UNPUBLISHED = Published(mean=None, std=None, best=None, runs=None)


@dataclass(frozen=True)
class ResultRow:
    """One model beside its published row.

    Attributes:
        architecture, time_steps, recipe: as run; where nothing was, as params.yaml has them now.
        study: "protocol" for the published rows, otherwise the study that ran it.
        variant: what differs from the published row, with values, as in params.yaml; "" where nothing does.
        seeds: seeds that finished and count, see `storage.summary.counted_seeds`; 0 where the model was not run.
        epochs: epochs that every one of them ran.
        longest: epochs of the seed that ran most.
        protocol_seeds: seeds that params.yaml asks for, or the published number of runs where that is larger.
        protocol_epochs: epochs that params.yaml asks for, or the published number where that is larger.
        bests: of each seed, the accuracy at its best epoch.
        best: over seeds, of the best test accuracy over the epochs: the published protocol.
        sampling: what `final` says of all test data; None where it was measured on all of them.
        final: over seeds, of the test accuracy after the last epoch.
        best_minus_final: what choosing the epoch on test data was worth, in points, mean over seeds.
        comparison: `best` beside `published`; without an interval where it was measured on a part of the test data, for Welch's knows
            of the runs' spread alone.
        operations: per inference, see operations.py; None where the records do not say.
        departures: how the runs differ from the protocol; empty for a full reproduction.
        remarks: what else a reader of the row should know.
    """

    dataset: str
    dataset_title: str
    class_names: tuple[str, ...]
    model: str
    architecture: str
    time_steps: int
    recipe: str
    study: str
    variant: str
    seeds: int
    epochs: int
    longest: int
    protocol_seeds: int
    protocol_epochs: int
    bests: tuple[float, ...]
    best: Summary | None
    sampling: Sampling | None
    final: Summary | None
    best_minus_final: float | None
    published: Published
    comparison: Comparison
    operations: Operations | None
    departures: tuple[str, ...]
    remarks: tuple[str, ...]
    origin: Origin

    @property
    def was_run(self) -> bool:
        """Whether at least one seed finished."""
        return self.seeds > 0

    @property
    def follows_protocol(self) -> bool:
        """Whether every seed and epoch ran on the full data, with the settings of params.yaml."""
        return self.was_run and not self.departures

    @property
    def has_whole_seeds(self) -> bool:
        """Whether the row is the protocol's but for the number of seeds, of which it has one at least."""
        return self.was_run and set(self.departures) <= {missing_seeds(self.seeds, self.protocol_seeds)}

    def counted(self, run: Run) -> tuple[SeedRecord, ...]:
        """The seeds of the row's run that its numbers are of."""
        return counted_seeds(run[0], self.protocol_epochs)

    @property
    def is_compared(self) -> bool:
        """Whether there is a Welch interval to judge by."""
        return self.comparison.interval is not None

    @property
    def judgement(self) -> str:
        """The verdict; in parentheses where the row departs from the protocol, so that unlike is compared with unlike."""
        return f"({self.comparison.verdict})" if self.is_compared and self.departures else self.comparison.verdict

    @property
    def note(self) -> str:
        """Departures, then remarks, on one line."""
        return "; ".join((*self.departures, *self.remarks))

    @property
    def outdated(self) -> tuple[str, ...]:
        """Why the numbers are not those of the present settings and code, in words; empty where they are."""
        others = tuple(filter(names_settings, self.departures))
        return (*others, OLDER_CODE) if self.origin.is_present_code is False else others

    @property
    def failed(self) -> str:
        """How many seeds could not be trained to the end: "2 of 5 seeds"; "" where none did."""
        failed = len(self.origin.failures)
        return f"{failed} of {self.seeds + failed} seeds" if failed else ""

    @property
    def has_other_settings(self) -> bool:
        """Whether the runs are of other settings than params.yaml has now."""
        return any(map(names_settings, self.departures))

    @property
    def has_more_epochs(self) -> bool:
        """Whether a seed chose its best from more epochs than the published runs had."""
        return any(departure.startswith(MORE_EPOCHS) for departure in self.departures)

    @property
    def other_data(self) -> str:
        """What stood in for the official data: "100 of the 10,000 test recordings"; "" where they are official."""
        return next((departure.removeprefix(f"{SUBSET}: ") for departure in self.departures if departure.startswith(SUBSET)), "")

    @property
    def extent(self) -> str:
        """Seeds times epochs, as run and, where that is less than the protocol, of how many; "" where not run."""
        if not self.was_run:
            return ""
        seeds = _part(self.seeds, self.protocol_seeds)
        span = f"{self.epochs}" if self.epochs == self.longest else f"{self.epochs}–{self.longest}"
        epochs = span if self.epochs >= self.protocol_epochs else f"{span} of {self.protocol_epochs}"
        return f"{seeds} × {epochs}{', subset' if self.other_data else ''}"


def make_rows(
    settings: Settings, runs: Mapping[str, Run], is_present: IsPresent | None = None, study: str = "protocol"
) -> tuple[ResultRow, ...]:
    """One row per model, in the order of params.yaml, whether it was run or not.

    Args:
        settings: whose models.
        runs: records by model.
        is_present: compares a record's code with today's; a row of older code says so. None: nobody does.
        study: what the rows belong to.
    """
    counted = {key: _counted(run, _asked(settings, key)[1]) for key, run in runs.items()}
    measured = aggregate(runs_frame({key: run for key, (run, _) in counted.items()}))
    return tuple(_make_row(settings, key, counted.get(key, (None, ())), measured.get(key), is_present, study) for key in settings.models)


def _counted(run: Run, epochs: int) -> tuple[Run, tuple[str, ...]]:
    """The run without the seeds that no mean counts, and a remark on each of these."""
    record, provenance = run
    counted = counted_seeds(record, epochs)
    left_out = {seed.seed: len(seed.history) for seed in record.seeds if seed not in counted}
    origins = tuple(seed for seed in provenance.seeds if seed.seed not in left_out)
    whole = whole_epochs(record, epochs)
    remarks = tuple(f"seed {seed} left out, after {ran} of {whole} epochs" for seed, ran in left_out.items())
    return (record.model_copy(update={"seeds": counted}), provenance.model_copy(update={"seeds": origins})), remarks


def _make_row(
    settings: Settings,
    key: str,
    counted: tuple[Run | None, tuple[str, ...]],
    measured: Measured | None,
    is_present: IsPresent | None,
    study: str,
) -> ResultRow:
    """Args: `counted` as `_counted` gives it."""
    run, left_out = counted
    model, dataset = settings.model(key), settings.dataset_of(key)
    published = settings.published.get(key, UNPUBLISHED)
    bests = measured.bests if measured else ()
    sampled = _sampling(dataset, run[0], measured) if run and measured else None
    comparison = compare(bests, published)
    if sampled and comparison.interval:
        comparison = Comparison("too few samples", comparison.difference)
    origin = origin_of(run, is_present)
    asked = _asked(settings, key)
    ran = {"architecture": model.architecture, "time_steps": model.time_steps, "recipe": model.recipe, **(run[0].settings if run else {})}
    return ResultRow(
        dataset=model.dataset,
        dataset_title=dataset.title,
        class_names=_class_names(dataset, run[0]) if run else dataset.class_names,
        model=key,
        architecture=ran["architecture"],
        time_steps=ran["time_steps"],
        recipe=ran["recipe"],
        study=study,
        variant="",
        seeds=measured.seeds if measured else 0,
        epochs=measured.epochs if measured else 0,
        longest=measured.longest if measured else 0,
        protocol_seeds=asked[0],
        protocol_epochs=asked[1],
        bests=bests,
        best=measured.best if measured else None,
        sampling=sampled,
        final=measured.final if measured else None,
        best_minus_final=measured.best_minus_final if measured else None,
        published=published,
        comparison=comparison,
        operations=operations_of(run[0], dataset) if run else None,
        departures=departures_of(settings, key, run[0], measured, asked) if run else (),
        remarks=(*origin.failure_notes, *left_out, *([sampled.remark] if sampled else []), *remarks_on(published, comparison, origin)),
        origin=origin,
    )


def _class_names(dataset: Dataset, record: ModelRecord) -> tuple[str, ...]:
    """The names of the classes; none where the settings have by now another number of them than the record."""
    sizes = {len(seed.confusion) for seed in record.seeds if seed.confusion}
    return dataset.class_names if sizes <= {len(dataset.class_names)} else ()


def _sampling(dataset: Dataset, record: ModelRecord, measured: Measured) -> Sampling | None:
    """Of the last epoch: the best one was chosen on these very samples."""
    samples = record.data.test_samples
    return sampling(measured.final.mean, samples) if 0 < samples < dataset.test_samples else None


def _asked(settings: Settings, key: str) -> tuple[int, int]:
    """Seeds and epochs of the protocol: what params.yaml asks for, or what was published where that is more."""
    published = settings.published.get(key, UNPUBLISHED)
    return max(len(settings.seeds_of(key)), published.runs or 0), max(settings.model(key).epochs, published.epochs or 0)


def _part(done: int, asked: int) -> str:
    return f"{done} of {asked}" if done < asked else str(done)
