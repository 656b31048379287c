"""Run records and MLflow side by side: log what MLflow lacks, read back what it holds, and refuse where the two disagree."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from itertools import accumulate
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from tsslbp.storage.records import ModelRecord, Provenance, SeedProvenance, SeedRecord
from tsslbp.tracking import mlflow_runs
from tsslbp.tracking.epoch_metrics import Measured
from tsslbp.tracking.experiments import experiment_id, renew_views
from tsslbp.tracking.faults import TrackingError
from tsslbp.tracking.finishing import Finished, fail_seed, finish_model, finish_seed
from tsslbp.tracking.models import Sample
from tsslbp.tracking.store import Connection, Store, connect, explained
from tsslbp.tracking.tracked_run import NO_CONTEXT, ModelContext, tracked_run

if TYPE_CHECKING:
    import pandas as pd

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
        connection = connect(store)
        found = experiment_id(connection, experiment)
        renew_views(connection, found)
        return found


def has_runs(store: Store, experiment: str) -> bool:
    """Whether anything is logged in an experiment.

    Args:
        store: where to look.
        experiment: MLflow's id of it, from `prepare`.

    Raises:
        TrackingError: the store cannot be read; the message says what to do.
    """
    with explained(store):
        return bool(connect(store).client.search_runs([experiment], max_results=1))


def complete(
    store: Store, record: ModelRecord, provenance: Provenance, weights: Weights = no_weights, context: ModelContext = NO_CONTEXT
) -> None:
    """Log everything of a model that MLflow lacks. The record is the truth: a run with other numbers under the same id is replaced.

    Args:
        store: where to.
        record: the model's record, fresh from training.
        provenance: the model's provenance.
        weights: where checkpoints are; those that do not exist are passed over.
        context: what else the parent run shows.

    Raises:
        TrackingError: the store cannot be written; the message says what to do. What was logged until then stays.
    """
    with explained(store):
        log_model(connect(store), record, provenance, weights, context, replace=True)


def import_records(
    store: Store,
    records: Sequence[tuple[ModelRecord, Provenance]],
    weights: Weights = no_weights,
    contexts: Mapping[str, ModelContext] = MappingProxyType({}),
) -> None:
    """Log every run, or part of a run, that MLflow does not know yet as this checkout's. What it knows stays as it is.

    Args:
        store: where to.
        records: as `record_files.read_record` returns them.
        weights: where checkpoints are; those that do not exist are passed over.
        contexts: what else the parent runs show, by model.

    Raises:
        TrackingError: the store cannot be written; the message says what to do.
    """
    with explained(store):
        connection = connect(store)
        for record, provenance in records:
            log_model(connection, record, provenance, weights, contexts.get(record.model, NO_CONTEXT), replace=False)


def log_model(
    connection: Connection, record: ModelRecord, provenance: Provenance, weights: Weights, context: ModelContext, *, replace: bool
) -> None:
    """Log what MLflow lacks of a model's seeds and of their parent run; `replace` as in `finishing.finish_seed`."""
    origins = {seed.seed: seed for seed in provenance.seeds}
    seeds = [_finished(record, seed, origins.get(seed.seed), weights, context) for seed in record.seeds]
    for seed in seeds:
        finish_seed(connection, seed, replace)
    finished = {seed.seed for seed in record.seeds}
    failed = [seed for seed in provenance.seeds if seed.failed and seed.seed not in finished]
    _fail(connection, record, failed, context)
    if seeds:
        finish_model(connection, record, seeds, [f"seed {seed.seed}: {seed.failed}" for seed in failed], context)


def _fail(connection: Connection, record: ModelRecord, failed: Sequence[SeedProvenance], context: ModelContext) -> None:
    """Mark the runs of failed seeds, which the live log may have missed, and where no other seed is on record the model's run as well.

    Records of before `SeedProvenance.run_id` do not say which run it was.
    """
    for origin in failed:
        if origin.run_id and origin.failed:
            run, ended = tracked_run(record, origin.seed, origin.run_id, origin, context), _began(origin) + int(1000 * sum(origin.seconds))
            fail_seed(connection, run, origin.failed, ended)
            if not record.seeds:
                fail_seed(connection, run.parent(), f"every seed failed: {failed[0].failed}", ended)


def _began(origin: SeedProvenance) -> int:
    """When a seed began, milliseconds since 1970; 0 where its provenance does not say it."""
    try:
        return int(datetime.fromisoformat(origin.started).timestamp() * 1000)
    except ValueError:
        return 0


def _finished(record: ModelRecord, seed: SeedRecord, origin: SeedProvenance | None, weights: Weights, context: ModelContext) -> Finished:
    origin = origin or SeedProvenance(seed=seed.seed, started="", git_commit="", device="", threads=0, versions={}, seconds=())
    started = _began(origin)
    # Seconds are missing where provenance.json is of another state than history.csv; the epochs count all the same.
    seconds = [*origin.seconds, *[0.0] * len(seed.history)]
    epochs = [
        Measured(epoch, started + int(1000 * elapsed), _trained_samples(record) / duration if duration > 0 else None)
        for epoch, elapsed, duration in zip(seed.history, accumulate(seconds), seconds, strict=False)
    ]
    run = tracked_run(record, seed.seed, seed.run_id, origin, context)
    return Finished(run, seed, started, epochs, weights(record.model, seed.seed), origin.failed, _sample(record, context))


def _trained_samples(record: ModelRecord) -> int:
    """Training samples of an epoch: those that choose the epoch are not trained on."""
    samples = record.data.train_samples
    if record.settings.get("selection") != "held-out":
        return samples
    from tsslbp.method.batches import held_out_split

    return len(held_out_split(samples)[0])


def _sample(record: ModelRecord, context: ModelContext) -> Sample | None:
    """What a model of these weights takes: scaled as they were trained, which the settings may have changed since."""
    if context.dataset is None:
        return None
    return Sample(context.dataset.as_recorded(record.settings.get("dataset_settings", {})), record.settings["time_steps"])


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
        connection = connect(store)
        where = experiment_id(connection, experiment)
        for run_id in run_ids:
            run = mlflow_runs.find(connection, where, run_id)
            if run is None:
                raise TrackingError(f"MLflow at {store.shown} does not know run {run_id} of this checkout in experiment {experiment!r}")
            for epoch, values in mlflow_runs.logged_accuracies(connection.client, run).items():
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
