"""The runs of a store: find or create them by our own ids, and add to them what they lack.

Nothing here is done twice: every function looks first and adds what is missing. Call them while holding `store.locked`.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tsslbp.storage.records import Epoch
from tsslbp.tracking.identity import Identity
from tsslbp.tracking.store import Store

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Run

RUN_ID = "tsslbp.run_id"
EXPERIMENT_TAGS = {
    # Without it the UI opens an experiment on its pages for language models, where there is nothing to see.
    "mlflow.experimentKind": "custom_model_development",
    "mlflow.note.content": 'A run per model holds its seeds. To compare seeds, filter `params.model = "..."`, sort by `seed`, take the chart view.',
}
BATCH = 1000
"""Metrics that MLflow takes in one call."""


@dataclass(frozen=True)
class Measured:
    """One epoch, when it ended (milliseconds since 1970) and how fast it went, where that is known."""

    epoch: Epoch
    timestamp: int
    samples_per_second: float | None = None

    def values(self) -> dict[str, float]:
        """The metrics of this epoch by name."""
        values = {
            "train_loss": self.epoch.train_loss,
            "train_accuracy": self.epoch.train_accuracy,
            "test_accuracy": self.epoch.test_accuracy,
            **{f"firing_rate_{layer}": rate for layer, rate in enumerate(self.epoch.firing_rates, start=1)},
        }
        return values if self.samples_per_second is None else {**values, "samples_per_second": self.samples_per_second}


def experiment_id(client: "MlflowClient", store: Store, name: str) -> str:
    """MLflow's id of an experiment; creates it, or brings it back where it was deleted."""
    found = client.get_experiment_by_name(name)
    if found is None:
        return str(client.create_experiment(name, artifact_location=store.artifacts, tags=EXPERIMENT_TAGS))
    if found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
    return str(found.experiment_id)


def find(client: "MlflowClient", experiment: str, run_id: str) -> "Run | None":
    """The run that carries our id. Of several, which processes on different machines can create at once, the first one stays."""
    found = client.search_runs([experiment], filter_string=f"tags.`{RUN_ID}` = '{run_id}'")
    runs = sorted(found, key=lambda run: (run.info.start_time, run.info.run_id))
    for double in runs[1:]:
        client.delete_run(double.info.run_id)
    return runs[0] if runs else None


def ensure(client: "MlflowClient", experiment: str, identity: Identity, started: int) -> "Run":
    """The run of an identity, created with its parent where it is not there yet.

    Args:
        client: of the store.
        experiment: MLflow's id of the experiment.
        identity: of the run.
        started: start time of a run that is created, milliseconds since 1970.
    """
    run = find(client, experiment, identity.run_id)
    if run is None:
        tags = {**identity.tags, RUN_ID: identity.run_id}
        if identity.seed is not None:
            tags["mlflow.parentRunId"] = ensure(client, experiment, identity.parent(), started).info.run_id
        # The tag is written with the run, so that a kill right after this line leaves a run that is found again.
        client.create_run(experiment, start_time=started, tags=tags, run_name=identity.name)
        return ensure(client, experiment, identity, started)
    if identity.seed is not None and not (run.inputs and run.inputs.dataset_inputs):
        _add_dataset(client, run, identity)
    if identity.parameters.keys() <= run.data.params.keys():
        return run
    _add_parameters(client, run, identity)
    return ensure(client, experiment, identity, started)


def _add_parameters(client: "MlflowClient", run: "Run", identity: Identity) -> None:
    from mlflow.entities import Param

    missing = [Param(name, value) for name, value in identity.parameters.items() if name not in run.data.params]
    for start in range(0, len(missing), 100):
        client.log_batch(run.info.run_id, params=missing[start : start + 100])


def _add_dataset(client: "MlflowClient", run: "Run", identity: Identity) -> None:
    """Name the data in the place where the UI's own dataset column and filter look for it."""
    from mlflow.entities import Dataset, DatasetInput

    # MLflow takes digests of up to 36 characters.
    checksum = identity.parameters["data_checksum"][:36]
    dataset = Dataset(name=identity.parameters["dataset"], digest=checksum, source_type="dvc", source="stages/preprocess.py")
    client.log_inputs(run.info.run_id, datasets=[DatasetInput(dataset=dataset, tags=[])])


def logged_accuracies(client: "MlflowClient", run: "Run") -> dict[int, list[float]]:
    """The test accuracies that MLflow holds, by epoch; more than one value only where something else wrote to the run."""
    accuracies: dict[int, list[float]] = {}
    for metric in client.get_metric_history(run.info.run_id, "test_accuracy"):
        values = accuracies.setdefault(metric.step, [])
        if metric.value not in values:
            values.append(metric.value)
    return dict(sorted(accuracies.items()))


def add_epochs(client: "MlflowClient", run: "Run", epochs: Sequence[Measured]) -> bool:
    """Log the epochs that the run lacks, in as few calls as possible; False where it lacks none.

    MLflow writes a call's metrics together or not at all, and no epoch is split over two calls: the accuracy stands for the rest.
    """
    present = logged_accuracies(client, run)
    missing = [_metrics(measured) for measured in epochs if measured.epoch.epoch not in present]
    batch: list[Metric] = []
    for metrics in missing:
        if len(batch) + len(metrics) > BATCH:
            client.log_batch(run.info.run_id, metrics=batch)
            batch = []
        batch += metrics
    if batch:
        client.log_batch(run.info.run_id, metrics=batch)
    return bool(missing)


def _metrics(measured: Measured) -> "list[Metric]":
    from mlflow.entities import Metric

    return [Metric(name, value, measured.timestamp, measured.epoch.epoch) for name, value in measured.values().items()]


def set_summary(client: "MlflowClient", run: "Run", values: dict[str, float]) -> None:
    """Log numbers that describe a whole run, unless they stand there already."""
    from mlflow.entities import Metric

    # At step 0 the UI draws bars, one a run, and of several values at one step MLflow shows the youngest.
    new = [Metric(name, value, now(), 0) for name, value in values.items() if run.data.metrics.get(name) != value]
    if new:
        client.log_batch(run.info.run_id, metrics=new)


def set_tags(client: "MlflowClient", run: "Run", tags: dict[str, str]) -> None:
    """Set the tags that differ."""
    from mlflow.entities import RunTag

    new = [RunTag(name, value) for name, value in tags.items() if run.data.tags.get(name) != value]
    if new:
        client.log_batch(run.info.run_id, tags=new)


def set_status(client: "MlflowClient", run: "Run", status: str, ended: int | None = None) -> None:
    """Set RUNNING, FINISHED or FAILED; `ended` in milliseconds since 1970."""
    if status == "RUNNING" and run.info.status != status:
        client.update_run(run.info.run_id, status=status)
    elif run.info.status != status:
        client.set_terminated(run.info.run_id, status=status, end_time=ended)


def now() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000
