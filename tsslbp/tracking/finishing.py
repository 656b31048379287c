"""What a run gets when it is done: whatever epochs it still lacks, its best and final accuracy, pictures, weights and files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tsslbp.settings import digest
from tsslbp.storage.files import checksum
from tsslbp.storage.records import ModelRecord, SeedRecord
from tsslbp.storage.summary import counted_seeds, metrics
from tsslbp.tracking import artifacts, mlflow_runs, models
from tsslbp.tracking.epoch_metrics import Measured
from tsslbp.tracking.experiments import experiment_id
from tsslbp.tracking.store import Connection, locked
from tsslbp.tracking.tracked_run import DESCRIPTION, LONGEST_VALUE, NO_CONTEXT, ModelContext, TrackedRun, describe

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

LOGGED = "tsslbp.logged"
"""Tag of a run that has everything: a digest of what was logged."""
WEIGHTS = "tsslbp.weights"
"""Tag of a run that has its weights: their checksums."""
FINAL_WEIGHTS = "final.safetensors"
"""The name of the weights after the last epoch; `models.WEIGHTS` is that of the best epoch's."""
FAILURE = "tsslbp.failure"
"""Tag of a run that failed: the reason."""


@dataclass(frozen=True)
class Finished:
    """One finished run with all that is to be logged of it.

    Attributes:
        run: which one.
        record: what it measured.
        started: when it began, milliseconds since 1970.
        epochs: the history of `record`, with times.
        weights: names, such as "best.safetensors", and the files.
        failed: why the run ended early; None where it did not.
        sample: what a model of the weights takes; None: no model is logged.
    """

    run: TrackedRun
    record: SeedRecord
    started: int
    epochs: Sequence[Measured]
    weights: Mapping[str, Path] = field(default_factory=dict)
    failed: str | None = None
    sample: models.Sample | None = None

    @property
    def ended(self) -> int:
        """When the last epoch ended, milliseconds since 1970."""
        return self.epochs[-1].timestamp

    @property
    def own_weights(self) -> dict[str, Path]:
        """Those of the files that are there and the record's: beside a record from git, there may be those of another training."""
        expected = {models.WEIGHTS: self.record.best_weights_sha256, FINAL_WEIGHTS: self.record.final_weights_sha256}
        return {name: path for name, path in self.weights.items() if path.is_file() and checksum(path, "sha256") == expected.get(name)}

    @property
    def contents(self) -> str:
        """Names everything but weights and times: equal for equal results."""
        return digest([self.record.model_dump(mode="json"), self.run.parameters, self.failed])


def finish_seed(connection: Connection, finished: Finished, replace: bool) -> None:
    """Bring a run to what its record says.

    Args:
        connection: to the store.
        finished: the run.
        replace: where MLflow holds other numbers under this id (the last epoch before a kill may come out different on another
            machine), replace this checkout's run; False leaves such a run alone, for `verify` to find.
    """
    client = connection.client
    experiment = experiment_id(connection, finished.run.experiment)
    with locked(connection.store):
        run = _settled(connection, experiment, finished, replace)
        if run is None:
            return
        mlflow_runs.add_epochs(client, run, finished.epochs)
        record = finished.record
        mlflow_runs.set_summary(client, run, {"best": record.best, "best_epoch": record.best_epoch, "final": record.final})
        parent = mlflow_runs.ensure(connection, experiment, finished.run.parent(), run.info.start_time)
        parents = mlflow_runs.replace_shorter(connection, run, len(record.history)) - {parent.info.run_id}
        mlflow_runs.set_name(client, run, finished.run.name)
    # Files are sent without the lock: they may be large, and sending them twice does no harm.
    artifacts.send_pictures(client, run, finished.run.name, record, again=run.data.tags.get(LOGGED) != finished.contents)
    checksums = f"{record.best_weights_sha256} {record.final_weights_sha256}"
    new, weights = run.data.tags.get(WEIGHTS) != checksums, finished.own_weights
    artifacts.send_weights(client, run, weights, again=new)
    if finished.sample is not None and models.WEIGHTS in weights:
        models.send_model(client, run, weights[models.WEIGHTS], finished.sample, again=new)
    tags = {**finished.run.tags, mlflow_runs.PARENT: parent.info.run_id, LOGGED: finished.contents}
    if weights:
        tags[WEIGHTS] = checksums
    _set_outcome(client, run, tags, finished.failed or "", finished.ended)
    if parents:
        with locked(connection.store):
            mlflow_runs.replace_empty(connection, experiment, parents)


def _settled(connection: Connection, experiment: str, finished: Finished, replace: bool) -> "Run | None":
    """The run to add to; None where MLflow's numbers contradict the record and are to stay."""
    run = mlflow_runs.ensure(connection, experiment, finished.run, finished.started)
    expected = {row.epoch: [row.test_accuracy] for row in finished.record.history}
    accuracies = mlflow_runs.logged_accuracies(connection.client, run)
    if not replace and any(expected.get(epoch) != values for epoch, values in accuracies.items()):
        return None
    # MLflow neither changes a parameter nor takes a number back. Other parameters under the same id are a raised number of epochs.
    parameters = finished.run.parameters
    if all(expected.get(epoch) == values for epoch, values in accuracies.items()) and parameters.items() <= run.data.params.items():
        return run
    mlflow_runs.replace(connection, run)
    return mlflow_runs.ensure(connection, experiment, finished.run, finished.started)


def fail_seed(connection: Connection, run: TrackedRun, reason: str, ended: int) -> None:
    """Mark a run as failed, with its reason; `ended` in milliseconds since 1970."""
    experiment = experiment_id(connection, run.experiment)
    with locked(connection.store):
        found = mlflow_runs.ensure(connection, experiment, run, ended)
        mlflow_runs.set_tags(connection.client, found, {FAILURE: reason[:LONGEST_VALUE]})
        mlflow_runs.set_status(connection.client, found, "FAILED", ended)


def finish_model(
    connection: Connection, record: ModelRecord, seeds: Sequence[Finished], failures: Sequence[str], context: ModelContext = NO_CONTEXT
) -> None:
    """Log what all seeds of a model came to into their parent run.

    Args:
        connection: to the store.
        record: the model's record.
        seeds: its finished seeds, at least one.
        failures: what went wrong with the others.
        context: what else is known of the model.
    """
    client, parent = connection.client, seeds[0].run.parent()
    values = {name: value for name, value in metrics(record).items() if value is not None}
    values |= {"finished_seeds": float(len(counted_seeds(record))), **context.metrics}
    contents = digest([[seed.contents for seed in seeds], list(failures), dict(context.metrics), dict(context.tags)])
    experiment = experiment_id(connection, record.experiment)
    with locked(connection.store):
        run = mlflow_runs.ensure(connection, experiment, parent, min(seed.started for seed in seeds))
        mlflow_runs.set_summary(client, run, values)
    published = context.metrics.get("published_mean")
    artifacts.send_curves(client, run, parent.title, counted_seeds(record), published, again=run.data.tags.get(LOGGED) != contents)
    artifacts.send_files(client, run, context.files)
    tags = {**parent.tags, **context.tags, LOGGED: contents, DESCRIPTION: _description(record, context)}
    _set_outcome(client, run, tags, "; ".join(failures), max(seed.ended for seed in seeds))
    if parent.title == record.model:  # not an experiment with fewer epochs
        _register_best(connection, experiment, record, seeds)


def _register_best(connection: Connection, experiment: str, record: ModelRecord, seeds: Sequence[Finished]) -> None:
    """Register the model of the best seed in the means, the first of them where several are equal."""
    counted = {seed.seed for seed in counted_seeds(record)}
    best = max((seed for seed in seeds if seed.record.seed in counted), key=lambda seed: seed.record.best)
    run = mlflow_runs.find(connection, experiment, best.run.run_id)
    if run is not None and best.sample is not None:
        name = models.registered_name(record.experiment, record.model, connection.checkout)
        models.register(connection, name, run, best.record, describe(record))


def _description(record: ModelRecord, context: ModelContext) -> str:
    counted = counted_seeds(record)
    lengths = sorted({len(seed.history) for seed in counted})
    epochs = f"{lengths[0]}" if len(lengths) == 1 else f"{lengths[0]} to {lengths[-1]}"
    left_out = f"; unfinished, in no mean: {len(record.seeds) - len(counted)}" if len(counted) < len(record.seeds) else ""
    extent = f"{len(counted)} seed{'s' if len(counted) != 1 else ''} × {epochs} epochs{left_out}."
    words = [f"{name}: {value}." for name, value in context.tags.items()]
    numbers = [f"{name.replace('_', ' ')}: {value:.2f} %." for name, value in context.metrics.items()]
    return describe(record, " ".join([extent, *numbers, *words]))[:LONGEST_VALUE]


def _set_outcome(client: "MlflowClient", run: "Run", tags: dict[str, str], failure: str, ended: int) -> None:
    """Set the tags and the status: FAILED with its reason, or FINISHED and no reason left from an earlier attempt."""
    if failure:
        tags[FAILURE] = failure[:LONGEST_VALUE]
    elif FAILURE in run.data.tags:
        client.delete_tag(run.info.run_id, FAILURE)
    mlflow_runs.set_tags(client, run, tags)
    mlflow_runs.set_status(client, run, "FAILED" if failure else "FINISHED", ended)
