"""The runs of a store: find or create this checkout's own by our ids, and add to them what they lack.

Nothing here is done twice: every function looks first and adds what is missing. Call them while holding `store.locked`.
"""

import getpass
import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from tsslbp.tracking.epoch_metrics import ACCURACY, Measured
from tsslbp.tracking.store import CHECKOUT, Connection
from tsslbp.tracking.tracked_run import TrackedRun

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Run

RUN_ID = "tsslbp.run_id"
CREATED = "tsslbp.created"
"""Tag: when the run was created, milliseconds since 1970. A run's start time is that of the training, which several may share."""
PARENT = "mlflow.parentRunId"
"""MLflow's own tag of a run that belongs to another."""
REPLACED = "tsslbp.replaced"
"""Tag of a run that was deleted because another one took its place."""
BATCH = 1000
"""Metrics that MLflow takes in one call."""


def find(connection: Connection, experiment: str, run_id: str) -> "Run | None":
    """This checkout's run that carries our id.

    There may be several: processes on different machines can create one each at once, and when MLflow restores an experiment,
    it restores the runs that were deleted before it, too. The one created last took the place of the others, which are deleted (again).
    """
    found = connection.client.search_runs([experiment], filter_string=f"tags.`{RUN_ID}` = '{run_id}'")
    own = sorted(filter(connection.owns, found), key=_age)
    living = [run for run in own if REPLACED not in run.data.tags]
    for run in own:
        if run not in living[-1:]:
            replace(connection, run)
    return living[-1] if living else None


def _age(run: "Run") -> tuple[int, str]:
    return int(run.data.tags.get(CREATED, 0)), run.info.run_id


def replace(connection: Connection, run: "Run") -> None:
    """Delete one of this checkout's own runs for another one to take its place; marked first, so that it is never taken again."""
    connection.client.set_tag(run.info.run_id, REPLACED, "yes")
    connection.client.delete_run(run.info.run_id)


def replace_shorter(connection: Connection, run: "Run", epochs: int) -> set[str]:
    """Delete this checkout's finished runs of the same seed with fewer epochs, which `--so-far` recorded: the training has gone on.

    Args:
        connection: to the store.
        run: the seed's, with all that is to be logged of it.
        epochs: how many `run` has.

    Returns:
        MLflow's ids of the parents that may have no run any more: of those that were deleted, and the one that `run` had.
    """
    parents = {run.data.tags.get(PARENT)}
    where = f"params.model = '{run.data.params['model']}' AND params.seed = '{run.data.params['seed']}'"
    for other in connection.client.search_runs([run.info.experiment_id], filter_string=where):
        # Of one training: the same settings, data and code.
        is_another = other.info.run_id != run.info.run_id and connection.owns(other) and other.data.params == run.data.params
        # A run that is RUNNING may be one that a training is writing to.
        if is_another and other.info.status == "FINISHED" and len(logged_accuracies(connection.client, other)) < epochs:
            parents.add(other.data.tags.get(PARENT))
            replace(connection, other)
    return {parent for parent in parents if parent is not None}


def replace_empty(connection: Connection, experiment: str, parents: Iterable[str]) -> None:
    """Delete those of these parent runs of this checkout that hold no run together any more."""
    for parent in parents:
        if not connection.client.search_runs([experiment], filter_string=f"tags.`{PARENT}` = '{parent}'", max_results=1):
            found = connection.client.get_run(parent)
            if found.info.lifecycle_stage == "active" and connection.owns(found):
                replace(connection, found)


def ensure(connection: Connection, experiment: str, run: TrackedRun, started: int) -> "Run":
    """This checkout's run in MLflow, created with its parent where it is not there yet.

    Args:
        connection: to the store.
        experiment: MLflow's id of the experiment.
        run: which one.
        started: start time of a run that is created, milliseconds since 1970.
    """
    found = find(connection, experiment, run.run_id)
    if found is None:
        _create(connection, experiment, run, started)
        return ensure(connection, experiment, run, started)
    if run.seed is not None and not (found.inputs and found.inputs.dataset_inputs):
        _add_dataset(connection.client, found, run)
    if run.parameters.keys() <= found.data.params.keys():
        return found
    _add_parameters(connection.client, found, run)
    return ensure(connection, experiment, run, started)


def _create(connection: Connection, experiment: str, run: TrackedRun, started: int) -> None:
    # The tags are written with the run, so that a kill right after this line leaves a run that is found again.
    tags = {**run.tags, RUN_ID: run.run_id, CHECKOUT: connection.checkout, CREATED: str(now()), "mlflow.user": _user()}
    if run.seed is not None:
        tags[PARENT] = ensure(connection, experiment, run.parent(), started).info.run_id
    connection.client.create_run(experiment, start_time=started, tags=tags, run_name=run.name)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # a container whose user id has no name
        return "unknown"


def _add_parameters(client: "MlflowClient", found: "Run", run: TrackedRun) -> None:
    from mlflow.entities import Param

    missing = [Param(name, value) for name, value in run.parameters.items() if name not in found.data.params]
    for start in range(0, len(missing), 100):
        client.log_batch(found.info.run_id, params=missing[start : start + 100])


def _add_dataset(client: "MlflowClient", found: "Run", run: TrackedRun) -> None:
    """Name the data in the place where the UI's own dataset column and filter look for it.

    MLflow keeps a dataset once an experiment: it looks for it and then writes it, and where somebody else has written it in between it
    fails. The second time it is found.
    """
    from mlflow.entities import Dataset, DatasetInput
    from mlflow.exceptions import MlflowException

    # MLflow takes digests of up to 36 characters.
    checksum = run.parameters["data_checksum"][:36]
    dataset = Dataset(name=run.parameters["dataset"], digest=checksum, source_type="dvc", source="stages/preprocess.py")
    inputs = [DatasetInput(dataset=dataset, tags=[])]
    try:
        client.log_inputs(found.info.run_id, datasets=inputs)
    except MlflowException as error:
        if error.error_code != "BAD_REQUEST":  # a server that is down is not asked again
            raise
        client.log_inputs(found.info.run_id, datasets=inputs)


def logged_accuracies(client: "MlflowClient", run: "Run") -> dict[int, list[float]]:
    """The test accuracies that MLflow holds, by epoch; more than one value only where something else wrote to the run."""
    accuracies: dict[int, list[float]] = {}
    for metric in client.get_metric_history(run.info.run_id, ACCURACY):
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

    # At step 0 the UI draws bars, one per run, and of several values at one step MLflow shows the youngest.
    new = [Metric(name, value, now(), 0) for name, value in values.items() if run.data.metrics.get(name) != value]
    if new:
        client.log_batch(run.info.run_id, metrics=new)


def set_tags(client: "MlflowClient", run: "Run", tags: dict[str, str]) -> None:
    """Set the tags that differ."""
    from mlflow.entities import RunTag

    new = [RunTag(name, value) for name, value in tags.items() if run.data.tags.get(name) != value]
    if new:
        client.log_batch(run.info.run_id, tags=new)


def set_name(client: "MlflowClient", run: "Run", name: str) -> None:
    """Give a run the name that it has by now: others may have been recorded since it was created, with more epochs or fewer."""
    if run.info.run_name != name:
        client.update_run(run.info.run_id, name=name)


def set_status(client: "MlflowClient", run: "Run", status: str, ended: int | None = None) -> None:
    """Set RUNNING, FINISHED or FAILED; `ended` in milliseconds since 1970."""
    if status == "RUNNING" and run.info.status != status:
        client.update_run(run.info.run_id, status=status)
    elif run.info.status != status:
        client.set_terminated(run.info.run_id, status=status, end_time=ended)


def now() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000
