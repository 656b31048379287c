"""Who a run is: the parameters and tags that make it findable, the same whether it is logged live or from its record."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tsslbp.settings import digest
from tsslbp.storage.records import DataRecord, ModelRecord, SeedProvenance

LONGEST_VALUE = 5000
"""Characters of a parameter or tag that are kept; MLflow's own limits are 6000 and 8000."""


@dataclass(frozen=True)
class Identity:
    """One run as MLflow shows it.

    Attributes:
        experiment: name of the experiment, one a pipeline.
        model: key of the model.
        seed: the seed; None for the parent run that holds a model's seeds together.
        run_id: 32 hexadecimal digits, chosen by the pipeline, never by MLflow.
        parameters: what decides the result. MLflow never lets them change.
        tags: how the run came about; a repeated run replaces them.
    """

    experiment: str
    model: str
    seed: int | None
    run_id: str
    parameters: dict[str, str]
    tags: dict[str, str]

    @property
    def name(self) -> str:
        """The name that the run list shows."""
        return self.model if self.seed is None else f"{self.model} seed {self.seed}"

    def parent(self) -> "Identity":
        """The run that holds together all seeds of this model on this dataset with this recipe."""
        shared = {name: self.parameters[name] for name in ("dataset", "model", "recipe")}
        run_id = digest({"experiment": self.experiment, **shared})
        tags = {name: value for name, value in self.tags.items() if name in ("tsslbp.model", "subset", "mlflow.note.content")}
        return Identity(self.experiment, self.model, None, run_id, shared, tags)


def identity(record: ModelRecord, seed: int, run_id: str, provenance: SeedProvenance) -> Identity:
    """Build the identity of one seed's run.

    Args:
        record: of the model; its `seeds` are not read and may be empty still.
        seed: the seed.
        run_id: the run's own id, as in `SeedRecord.run_id`.
        provenance: of this seed; its `seconds` may be empty still.
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
    tags = {"tsslbp.model": record.model, **_data_tags(record.data), **_run_tags(provenance)}
    return Identity(record.experiment, record.model, seed, run_id, _cut(parameters), _cut(tags))


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
    if not data.subset:
        return {"subset": "no"}
    note = "; ".join(data.subset)
    return {"subset": note, "mlflow.note.content": f"**Not the official data of {data.title}:** {note}."}


def _run_tags(provenance: SeedProvenance) -> dict[str, str]:
    return {
        "mlflow.source.git.commit": provenance.git_commit,
        "mlflow.source.name": "stages/train.py",
        "mlflow.source.type": "LOCAL",
        "device": provenance.device,
        "threads": str(provenance.threads),
        **{f"version.{name}": version for name, version in provenance.versions.items()},
    }


def _cut(values: Mapping[str, str]) -> dict[str, str]:
    return {name: value[:LONGEST_VALUE] for name, value in values.items()}
