"""Run records and MLflow side by side: log what MLflow lacks, read back what it holds, and refuse where the two disagree."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

from tsslbp.storage.records import ModelRecord, Provenance, SeedProvenance, SeedRecord
from tsslbp.tracking import mlflow_runs
from tsslbp.tracking.finishing import Finished, finish_model, finish_seed
from tsslbp.tracking.identity import identity
from tsslbp.tracking.store import Store, TrackingError, connect, explained

if TYPE_CHECKING:
    import pandas as pd
    from mlflow import MlflowClient

Weights = Callable[[str, int], Mapping[str, Path]]
"""(model, seed) -> artifact names, such as "best.safetensors", and where these files would be."""


def no_weights(_model: str, _seed: int) -> Mapping[str, Path]:
    """For records without checkpoints."""
    return {}


def prepare(store: Store, experiment: str) -> str:
    """Make the store ready to be looked at: create it, or follow its folder where that was moved.

    Returns:
        MLflow's id of the experiment, which is part of the address of its page.

    Raises:
        TrackingError: the store cannot be opened; the message says what to do.
    """
    with explained(store):
        return mlflow_runs.experiment_id(connect(store), store, experiment)


def complete(store: Store, record: ModelRecord, provenance: Provenance, weights: Weights = no_weights) -> None:
    """Log everything of a model that MLflow lacks. The record is the truth: a run with other numbers under the same id is replaced.

    Args:
        store: where to.
        record: of the model, fresh from training.
        provenance: of the model.
        weights: where checkpoints are; those that do not exist are passed over.

    Raises:
        TrackingError: the store cannot be written; the message says what to do. What was logged until then stays.
    """
    with explained(store):
        log_model(connect(store), store, record, provenance, weights, replace=True)


def import_records(store: Store, records: Sequence[tuple[ModelRecord, Provenance]], weights: Weights = no_weights) -> None:
    """Log every run, or part of a run, that MLflow does not know yet, as in a fresh clone. What it knows stays as it is.

    Args:
        store: where to.
        records: as `records.read_record` returns them.
        weights: where checkpoints are; those that do not exist are passed over.

    Raises:
        TrackingError: the store cannot be written; the message says what to do.
    """
    with explained(store):
        client = connect(store)
        for record, provenance in records:
            log_model(client, store, record, provenance, weights, replace=False)


def log_model(
    client: "MlflowClient", store: Store, record: ModelRecord, provenance: Provenance, weights: Weights, *, replace: bool
) -> None:
    """Log what MLflow lacks of a model's seeds and of their parent run; `replace` as in `finishing.finish_seed`."""
    origins = {seed.seed: seed for seed in provenance.seeds}
    seeds = [_finished(record, seed, origins.get(seed.seed), weights) for seed in record.seeds]
    for seed in seeds:
        finish_seed(client, store, seed, replace)
    finished = {seed.seed for seed in record.seeds}
    failures = [f"seed {seed.seed}: {seed.failed}" for seed in provenance.seeds if seed.failed and seed.seed not in finished]
    if seeds:
        finish_model(client, store, record, seeds, failures)


def _finished(record: ModelRecord, seed: SeedRecord, origin: SeedProvenance | None, weights: Weights) -> Finished:
    origin = origin or SeedProvenance(seed=seed.seed, started="", git_commit="", device="", threads=0, versions={}, seconds=())
    try:
        started = int(datetime.fromisoformat(origin.started).timestamp() * 1000)
    except ValueError:
        started = 0
    # Seconds are missing where provenance.json is of another state than history.csv; the epochs count all the same.
    seconds = [*origin.seconds, *[0.0] * len(seed.history)]
    epochs = [
        mlflow_runs.Measured(epoch, started + int(1000 * elapsed), record.data.train_samples / duration if duration > 0 else None)
        for epoch, elapsed, duration in zip(seed.history, accumulate(seconds), seconds, strict=False)
    ]
    who = identity(record, seed.seed, seed.run_id, origin)
    return Finished(who, seed, started, epochs, weights(record.model, seed.seed), origin.failed)


def accuracies(store: Store, experiment: str, run_ids: Sequence[str]) -> "pd.DataFrame":
    """Read the test accuracies of runs from MLflow.

    Args:
        store: where from.
        experiment: name of the experiment.
        run_ids: our own ids of the runs, as in `SeedRecord.run_id`.

    Returns:
        A row per run and epoch: run_id, model, seed, epoch, test_accuracy (percent), in the order of `run_ids`.

    Raises:
        TrackingError: the store cannot be read, does not know a run, or holds two accuracies for one epoch.
    """
    import pandas as pd

    rows: list[tuple[str, str, int, int, float]] = []
    with explained(store):
        client = connect(store)
        experiment_id = mlflow_runs.experiment_id(client, store, experiment)
        for run_id in run_ids:
            run = mlflow_runs.find(client, experiment_id, run_id)
            if run is None:
                raise TrackingError(f"MLflow at {store.shown} does not know run {run_id} in experiment {experiment!r}")
            for epoch, values in mlflow_runs.logged_accuracies(client, run).items():
                if len(values) > 1:
                    raise TrackingError(_dispute(store, f"run {run_id}, epoch {epoch}", f"{values} in MLflow, where one number belongs"))
                rows.append((run_id, run.data.params["model"], int(run.data.params["seed"]), epoch, values[0]))
    return pd.DataFrame(rows, columns=["run_id", "model", "seed", "epoch", "test_accuracy"])


def verify(store: Store, records: Sequence[ModelRecord]) -> None:
    """Check that MLflow and the run records hold the same test accuracies.

    Raises:
        TrackingError: they do not; the message names run, epoch and both numbers. Or the store cannot be read.
    """
    for record in records:
        table = accuracies(store, record.experiment, [seed.run_id for seed in record.seeds])
        logged = {(str(run), int(epoch)): float(value) for run, epoch, value in table[["run_id", "epoch", "test_accuracy"]].to_numpy()}
        recorded = {(seed.run_id, row.epoch): row.test_accuracy for seed in record.seeds for row in seed.history}
        seeds = {seed.run_id: seed.seed for seed in record.seeds}
        for run_id, epoch in sorted(logged.keys() | recorded.keys()):
            in_mlflow, in_record = logged.get((run_id, epoch)), recorded.get((run_id, epoch))
            if in_mlflow != in_record:
                where = f"{record.model} seed {seeds[run_id]} (run {run_id}), epoch {epoch}"
                raise TrackingError(
                    _dispute(store, where, f"test accuracy {_shown(in_mlflow)} in MLflow, {_shown(in_record)} in the run record")
                )


def _dispute(store: Store, where: str, what: str) -> str:
    return (
        f"{where}: {what}; no table is made of numbers that disagree. If the record is right, delete the run in MLflow at "
        f"{store.shown}, and the report logs it anew; if MLflow is right, restore the record from git"
    )


def _shown(accuracy: float | None) -> str:
    return "missing" if accuracy is None else f"{accuracy!r} %"
