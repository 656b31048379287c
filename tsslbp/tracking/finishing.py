"""What a run gets when it is done: whatever epochs it still lacks, its best and final accuracy, pictures and weights."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tsslbp.settings import digest
from tsslbp.storage.records import ModelRecord, SeedRecord, metrics
from tsslbp.tracking import mlflow_runs
from tsslbp.tracking.identity import LONGEST_VALUE, Identity
from tsslbp.tracking.pictures import draw_confusion, draw_learning_curves, write_confusion
from tsslbp.tracking.store import Store, locked

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

LOGGED = "tsslbp.logged"
"""Tag of a run that has everything: a digest of what was logged."""
WEIGHTS = "tsslbp.weights"
"""Tag of a run that has its weights: their checksums."""
FAILURE = "tsslbp.failure"
"""Tag of a run that failed: the reason."""


@dataclass(frozen=True)
class Finished:
    """One finished run with all that is to be logged of it.

    Attributes:
        identity: of the run.
        record: what it measured.
        started: when it began, milliseconds since 1970.
        epochs: the history of `record`, with times.
        weights: names, such as "best.safetensors", and the files; those that do not exist are passed over.
        failed: why the run ended early; None where it did not.
    """

    identity: Identity
    record: SeedRecord
    started: int
    epochs: Sequence[mlflow_runs.Measured]
    weights: Mapping[str, Path] = field(default_factory=dict)
    failed: str | None = None

    @property
    def ended(self) -> int:
        """When the last epoch ended, milliseconds since 1970."""
        return self.epochs[-1].timestamp

    @property
    def contents(self) -> str:
        """Names everything but weights and times: equal for equal results."""
        return digest([self.record.model_dump(mode="json"), self.identity.parameters, self.failed])


def finish_seed(client: "MlflowClient", store: Store, finished: Finished, replace: bool) -> None:
    """Bring a run to what its record says.

    Args:
        client: of the store.
        store: the store.
        finished: the run.
        replace: where MLflow holds other numbers under this id (the last epoch before a kill may come out different on another
            machine), delete its run and log all anew; False leaves such a run alone, for `verify` to find.
    """
    experiment = mlflow_runs.experiment_id(client, store, finished.identity.experiment)
    with locked(store):
        run = _settled(client, experiment, finished, replace)
        if run is None:
            return
        mlflow_runs.add_epochs(client, run, finished.epochs)
        record = finished.record
        mlflow_runs.set_summary(client, run, {"best": record.best, "best_epoch": record.best_epoch, "final": record.final})
        parent = mlflow_runs.ensure(client, experiment, finished.identity.parent(), run.info.start_time)
    # Files are sent without the lock: they may be large, and sending them twice does no harm.
    if run.data.tags.get(LOGGED) != finished.contents:
        _send_pictures(client, run, finished)
    tags = {**finished.identity.tags, "mlflow.parentRunId": parent.info.run_id, LOGGED: finished.contents}
    if weights := _send_weights(client, run, finished):
        tags[WEIGHTS] = weights
    _set_outcome(client, run, tags, finished.failed or "", finished.ended)


def _settled(client: "MlflowClient", experiment: str, finished: Finished, replace: bool) -> "Run | None":
    """The run to add to; None where MLflow's numbers contradict the record and are to stay."""
    run = mlflow_runs.ensure(client, experiment, finished.identity, finished.started)
    expected = {row.epoch: [row.test_accuracy] for row in finished.record.history}
    accuracies = mlflow_runs.logged_accuracies(client, run)
    if not replace and any(expected.get(epoch) != values for epoch, values in accuracies.items()):
        return None
    # MLflow neither changes a parameter nor takes a number back. Other parameters under the same id are a raised number of epochs.
    parameters = finished.identity.parameters
    if all(expected.get(epoch) == values for epoch, values in accuracies.items()) and parameters.items() <= run.data.params.items():
        return run
    client.delete_run(run.info.run_id)
    return mlflow_runs.ensure(client, experiment, finished.identity, finished.started)


def _send_pictures(client: "MlflowClient", run: "Run", finished: Finished) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder, title, record = Path(name), finished.identity.name, finished.record
        draw_learning_curves(folder / "learning_curve.png", title, {title: record.history})
        if record.confusion:
            draw_confusion(folder / "confusion.png", f"{title}, after epoch {record.history[-1].epoch}", record.confusion)
            write_confusion(folder / "confusion.csv", record.confusion)
        client.log_artifacts(run.info.run_id, str(folder))


def _send_weights(client: "MlflowClient", run: "Run", finished: Finished) -> str | None:
    """Log the weights that are there and not logged yet; the value of their tag, None where nothing was to be done."""
    there = {name: path for name, path in finished.weights.items() if path.is_file()}
    checksums = f"{finished.record.best_weights_sha256} {finished.record.final_weights_sha256} {' '.join(sorted(there))}"
    if not there or run.data.tags.get(WEIGHTS) == checksums:
        return None
    with tempfile.TemporaryDirectory() as folder:
        for name, path in there.items():
            # MLflow takes an artifact's name from the file's.
            link = Path(folder) / name
            link.symlink_to(path.resolve())
            client.log_artifact(run.info.run_id, str(link), "weights")
    return checksums


def finish_model(client: "MlflowClient", store: Store, record: ModelRecord, seeds: Sequence[Finished], failures: Sequence[str]) -> None:
    """Log what all seeds of a model came to into their parent run.

    Args:
        client: of the store.
        store: the store.
        record: of the model.
        seeds: its finished seeds, at least one.
        failures: what went wrong with the others.
    """
    values = {name: float(value) for name, value in metrics(record).items() if isinstance(value, float | int)}
    values["finished_seeds"] = float(len(record.seeds))
    contents = digest([[seed.contents for seed in seeds], list(failures)])
    ended = max(seed.ended for seed in seeds)
    parent = seeds[0].identity.parent()
    experiment = mlflow_runs.experiment_id(client, store, record.experiment)
    with locked(store):
        run = mlflow_runs.ensure(client, experiment, parent, min(seed.started for seed in seeds))
        if run.data.tags.get(LOGGED) == contents and run.info.status == ("FAILED" if failures else "FINISHED"):
            return
        mlflow_runs.set_summary(client, run, values)
    with tempfile.TemporaryDirectory() as folder:
        histories = {f"seed {seed.seed}": seed.history for seed in record.seeds}
        draw_learning_curves(Path(folder) / "learning_curves.png", record.model, histories)
        client.log_artifacts(run.info.run_id, folder)
    _set_outcome(client, run, {**parent.tags, LOGGED: contents}, "; ".join(failures), ended)


def _set_outcome(client: "MlflowClient", run: "Run", tags: dict[str, str], failure: str, ended: int) -> None:
    """Set the tags and the status: FAILED with its reason, or FINISHED and no reason left from an earlier attempt."""
    if failure:
        tags[FAILURE] = failure[:LONGEST_VALUE]
    elif FAILURE in run.data.tags:
        client.delete_tag(run.info.run_id, FAILURE)
    mlflow_runs.set_tags(client, run, tags)
    mlflow_runs.set_status(client, run, "FAILED" if failure else "FINISHED", ended)
