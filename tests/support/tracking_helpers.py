"""What the tests of tracking share: MLflow as a user finds it."""

import time
from collections.abc import Callable
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Run

from tests.support.record_builders import make_provenance, make_record, make_seed
from tsslbp.storage.records import ModelRecord
from tsslbp.tracking import Store, TrackedRun, tracked_run

OF_THE_LOGGING = ("mlflow.parentRunId", "tsslbp.checkout", "tsslbp.created")
"""Tags that say who logged a run and when, and nothing of what it measured."""


def client_of(store: Store) -> MlflowClient:
    return MlflowClient(tracking_uri=store.uri)


def active_runs(store: Store, experiment: str = "quickstart") -> dict[str, Run]:
    """All runs by name; a name that stands there twice fails the test."""
    client = client_of(store)
    found = client.get_experiment_by_name(experiment)
    runs = [] if found is None else list(client.search_runs([found.experiment_id]))
    names = [run.info.run_name for run in runs]
    assert len(set(names)) == len(names), f"doubled runs: {names}"
    return dict(zip(names, runs, strict=True))


def history(store: Store, run: Run, metric: str = "accuracy/test") -> list[tuple[int, float]]:
    return sorted((point.step, point.value) for point in client_of(store).get_metric_history(run.info.run_id, metric))


def contents(store: Store) -> dict[str, Any]:
    """Everything that MLflow shows of a project, apart from ids and the time of logging."""
    client = client_of(store)
    shown = {}
    for name, run in active_runs(store).items():
        metrics = {metric: history(store, run, metric) for metric in run.data.metrics}
        tags = {tag: value for tag, value in run.data.tags.items() if tag not in OF_THE_LOGGING}
        files = sorted(file.path for folder in ("", "weights", "pipeline") for file in client.list_artifacts(run.info.run_id, folder))
        data = [found.dataset.name for found in run.inputs.dataset_inputs]
        shown[name] = (run.info.status, run.info.start_time, run.info.end_time, run.data.params, tags, metrics, files, data)
    return shown


def expected(record: ModelRecord, seed: int) -> list[tuple[int, float]]:
    found = next(one for one in record.seeds if one.seed == seed)
    return [(row.epoch, row.test_accuracy) for row in found.history]


def changed(record: ModelRecord, epoch: int, accuracy: float) -> ModelRecord:
    """The record of seed 0 with another accuracy after one epoch."""
    seed = record.seeds[0]
    rows = tuple(row.model_copy(update={"test_accuracy": accuracy}) if row.epoch == epoch else row for row in seed.history)
    return record.model_copy(update={"seeds": (seed.model_copy(update={"history": rows}), *record.seeds[1:])})


def wait_for(condition: Callable[[], bool], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def who(seed: int = 0) -> TrackedRun:
    record, _ = make_record()
    return tracked_run(record, seed, make_seed(seed).run_id, make_provenance(seed))
