"""One row a model: what was published, what was measured, how the two stand to each other, and where the number comes from.

Every table, the page's opening sentences and the README take their numbers from these rows, so no two can disagree.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tsslbp.report import statistics
from tsslbp.report.origin import Origin, Run, origin_of
from tsslbp.report.statistics import Comparison, Summary
from tsslbp.settings import Published, Settings
from tsslbp.storage.records import ModelRecord

UNPUBLISHED = Published(mean=None, std=None, best=None, runs=None)


@dataclass(frozen=True)
class Row:
    """One model beside its published row.

    Attributes:
        seeds: seeds that finished; 0 where the model was not run.
        epochs: epochs that every finished seed ran.
        protocol_seeds: seeds that params.yaml asks for, or the published number of runs where that is larger.
        protocol_epochs: epochs that params.yaml asks for, or the published number where that is larger.
        best: over seeds, of the best test accuracy over the epochs: the published protocol.
        final: over seeds, of the test accuracy after the last epoch.
        best_minus_final: what choosing the epoch on test data was worth, in points, mean over seeds.
        comparison: `best` beside `published`.
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
    seeds: int
    epochs: int
    protocol_seeds: int
    protocol_epochs: int
    best: Summary | None
    final: Summary | None
    best_minus_final: float | None
    published: Published
    comparison: Comparison
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
    def extent(self) -> str:
        """Seeds times epochs, as run and, where that is less than the protocol, of how many; "" where not run."""
        if not self.was_run:
            return ""
        seeds = _part(self.seeds, self.protocol_seeds)
        epochs = _part(self.epochs, self.protocol_epochs)
        subset = ", subset" if any(departure.startswith(SUBSET) for departure in self.departures) else ""
        return f"{seeds} × {epochs}{subset}"


SUBSET = "subset of the data"


def make_rows(settings: Settings, runs: Mapping[str, Run]) -> tuple[Row, ...]:
    """One row a model, in the order of params.yaml, whether it was run or not."""
    return tuple(_make_row(settings, key, runs.get(key)) for key in settings.models)


def _make_row(settings: Settings, key: str, run: Run | None) -> Row:
    model = settings.model(key)
    published = settings.published.get(key, UNPUBLISHED)
    seeds = run[0].seeds if run else ()
    best, final = [seed.best for seed in seeds], [seed.final for seed in seeds]
    comparison = statistics.compare(best, published)
    origin = origin_of(run)
    protocol_seeds = max(len(settings.seeds_of(key)), published.runs or 0)
    protocol_epochs = max(model.epochs, published.epochs or 0)
    return Row(
        dataset=model.dataset,
        dataset_title=settings.dataset(model.dataset).title,
        class_names=settings.dataset(model.dataset).class_names,
        model=key,
        architecture=model.architecture,
        time_steps=model.time_steps,
        recipe=model.recipe,
        seeds=len(seeds),
        epochs=min((len(seed.history) for seed in seeds), default=0),
        protocol_seeds=protocol_seeds,
        protocol_epochs=protocol_epochs,
        best=statistics.summarize(best) if best else None,
        final=statistics.summarize(final) if final else None,
        best_minus_final=statistics.optimism(best, final) if best else None,
        published=published,
        comparison=comparison,
        departures=_departures(settings, key, run[0], protocol_seeds, protocol_epochs) if run else (),
        remarks=(*origin.failures, *_remarks(published, comparison)),
        origin=origin,
    )


def _departures(settings: Settings, key: str, record: ModelRecord, protocol_seeds: int, protocol_epochs: int) -> tuple[str, ...]:
    found: list[str] = []
    if record.data.subset:
        found.append(f"{SUBSET}: {', '.join(record.data.subset)}")
    if len(record.seeds) < protocol_seeds:
        found.append(f"{len(record.seeds)} of {protocol_seeds} seeds")
    epochs = [len(seed.history) for seed in record.seeds]
    if min(epochs, default=0) < protocol_epochs and epochs:
        span = f"{min(epochs)}" if min(epochs) == max(epochs) else f"{min(epochs)} to {max(epochs)}"
        found.append(f"{span} of {protocol_epochs} epochs")
    if changed := _changed_settings(settings, key, record.settings):
        found.append(f"other settings than params.yaml has now: {', '.join(changed)}")
    return tuple(found)


def _changed_settings(settings: Settings, key: str, recorded: Mapping[str, Any]) -> list[str]:
    """Names of the settings that were changed since the runs; epochs have a note of their own."""
    model = settings.model(key)
    recipe, shared = settings.recipes[model.recipe].model_dump(mode="json"), settings.training.model_dump(mode="json")
    now = {**model.model_dump(mode="json"), "recipe_settings": recipe, "training": shared}
    return [name for name, value in now.items() if name != "epochs" and name in recorded and recorded[name] != value]


def _remarks(published: Published, comparison: Comparison) -> list[str]:
    found: list[str] = []
    if comparison.verdict != "not run" and (published.mean is None or published.std is None):
        found.append("no published mean and stddev to compare with")
    if comparison.hinges_on_rounding:
        found.append("the verdict hinges on how the published numbers were rounded")
    check = statistics.check_published(published)
    if check and not check.possible:
        found.append(f"published best {published.best:.2f} cannot belong to mean {published.mean:.2f} and stddev {published.std:.2f}")
    return found


def _part(done: int, asked: int) -> str:
    return f"{done} of {asked}" if done < asked else str(done)
