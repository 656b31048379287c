"""What MLflow shows of a run: the parameters and tags that make it findable, the same whether it is logged live or from its record."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tsslbp.settings import Dataset, digest
from tsslbp.storage.records import DataRecord, ModelRecord, SeedProvenance
from tsslbp.storage.summary import counted_seeds

LONGEST_VALUE = 5000
"""Characters of a parameter or tag that are kept; MLflow's own limits are 6000 and 8000."""
DESCRIPTION = "mlflow.note.content"
"""Tag that MLflow shows as the description of a run, in Markdown."""


@dataclass(frozen=True)
class ModelContext:
    """What the caller knows of a model beside its record; all of it is shown on the model's parent run.

    Attributes:
        protocol_epochs: epochs of the published protocol; a run of another length has its epochs in its name. None: those of the settings.
        metrics: numbers to compare with, such as `published_mean`.
        tags: words, such as the `verdict`.
        files: kept as artifacts in the state in which they are when they are logged first; those that do not exist are passed over.
        dataset: how the samples are shaped and scaled, which makes models of the weights; None: none are made.
    """

    protocol_epochs: int | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    files: tuple[Path, ...] = ()
    dataset: Dataset | None = None


NO_CONTEXT = ModelContext()


@dataclass(frozen=True)
class TrackedRun:
    """One run as MLflow shows it.

    Attributes:
        experiment: name of the experiment, one per pipeline.
        model: key of the model.
        title: name of the model's parent run: the key, with the epochs where they are not the protocol's.
        seed: the seed; None for the parent run that holds a model's seeds together.
        run_id: 32 hexadecimal digits, chosen by the pipeline, never by MLflow.
        parameters: what decides the result. MLflow never lets them change.
        tags: how the run came about; a repeated run replaces them.
        extent: what the run's name says of its epochs in place of the title's; empty where these are its own.
    """

    experiment: str
    model: str
    title: str
    seed: int | None
    run_id: str
    parameters: dict[str, str]
    tags: dict[str, str]
    extent: str = ""

    @property
    def name(self) -> str:
        """The name that the list of runs shows."""
        if self.seed is None:
            return self.title
        return f"{self.model if self.extent else self.title} seed {self.seed}{self.extent}"

    def parent(self) -> "TrackedRun":
        """The run that holds together all seeds of equal model, settings, data, code and number of epochs."""
        shared = {name: value for name, value in self.parameters.items() if name != "seed"}
        run_id = digest({"experiment": self.experiment, "title": self.title, **shared})
        tags = {name: value for name, value in self.tags.items() if name in ("tsslbp.model", "subset", DESCRIPTION)}
        return TrackedRun(self.experiment, self.model, self.title, None, run_id, shared, tags)


def tracked_run(record: ModelRecord, seed: int, run_id: str, provenance: SeedProvenance, context: ModelContext = NO_CONTEXT) -> TrackedRun:
    """Build what MLflow shows of one seed's run.

    Args:
        record: the model's record; its `seeds` may still be empty.
        seed: the seed.
        run_id: the run's own id, as in `SeedRecord.run_id`.
        provenance: the provenance of this seed; its `seconds` may still be empty.
        context: what else is known of the model.
    """
    parameters = {
        **_flat(record.settings),
        "dataset": record.data.dataset,
        "model": record.model,
        "recipe": record.recipe,
        "seed": str(seed),
        "data_checksum": record.data.checksum,
        "train_samples": str(record.data.train_samples),
        "test_samples": str(record.data.test_samples),
        "code": record.code,
    }
    tags = {"tsslbp.model": record.model, DESCRIPTION: describe(record), **_data_tags(record.data), **_run_tags(provenance)}
    title, extent = _title(record, context), _extent(record, seed)
    return TrackedRun(record.experiment, record.model, title, seed, run_id, _cut(parameters), _cut(tags), extent)


def _title(record: ModelRecord, context: ModelContext) -> str:
    """The model's key; with the epochs that all seeds of its means ran where the settings or the protocol ask for another number."""
    asked, ran = record.settings.get("epochs"), _ran(record)
    usual = {ran, asked, context.protocol_epochs or asked} == {ran}
    return record.model if usual else f"{record.model}, {ran} epochs"


def _ran(record: ModelRecord) -> Any:
    """Epochs that all seeds of the means ran; those of the settings before there is one."""
    return min((len(seed.history) for seed in counted_seeds(record)), default=record.settings.get("epochs"))


def _extent(record: ModelRecord, seed: int) -> str:
    """The epochs of a seed that ran others than the title says: once it is whole it is another run, with a name of its own."""
    own = next((len(one.history) for one in record.seeds if one.seed == seed), _ran(record))
    return "" if own == _ran(record) else f", {own} of {record.settings['epochs']} epochs"


def describe(record: ModelRecord, *more: str) -> str:
    """A description in Markdown: the network, its data, a warning where these are not the official ones, and `more` sentences."""
    architecture = f"`{record.settings['architecture']}` on " if "architecture" in record.settings else ""
    lines = [f"{architecture}{record.data.title}, recipe {record.recipe}."]
    if record.data.subset:
        lines.append(f"**Not the official data of {record.data.title}:** {'; '.join(record.data.subset)}.")
    return "\n\n".join([*lines, *more])


def _flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """{"loss": {"kind": "count"}} -> {"loss.kind": "count"}; lists and numbers as JSON."""
    flat: dict[str, str] = {}
    for name, value in settings.items():
        if isinstance(value, Mapping):
            flat.update(_flat(value, f"{prefix}{name}."))
        else:
            flat[f"{prefix}{name}"] = value if isinstance(value, str) else json.dumps(value)
    return flat


def _data_tags(data: DataRecord) -> dict[str, str]:
    return {"subset": "; ".join(data.subset) or "no"}


def _run_tags(provenance: SeedProvenance) -> dict[str, str]:
    return {
        "mlflow.source.git.commit": provenance.git_commit,
        "mlflow.source.name": "stages/fit.py",
        "mlflow.source.type": "LOCAL",
        "device": provenance.device,
        "threads": str(provenance.threads),
        **{f"version.{name}": version for name, version in provenance.versions.items()},
    }


def _cut(values: Mapping[str, str]) -> dict[str, str]:
    return {name: value[:LONGEST_VALUE] for name, value in values.items()}
