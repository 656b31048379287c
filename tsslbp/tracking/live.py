"""Logging while training runs, in a thread of its own: training never waits for MLflow and never fails because of it.

The log is best effort. At the first fault there is one warning and no more tries; what MLflow lacks then, `import_records` logs from
the run records, which hold all of it. A retry queue stood here before: it made the same promise a second time, in 80 lines.
"""

import threading
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from tsslbp.storage.records import Epoch, ModelRecord, Provenance, SeedRecord
from tsslbp.tracking import mlflow_runs
from tsslbp.tracking.epoch_metrics import Measured
from tsslbp.tracking.experiments import experiment_id
from tsslbp.tracking.faults import explain
from tsslbp.tracking.finishing import Finished, fail_seed, finish_seed
from tsslbp.tracking.ledger import Weights, log_model, no_weights
from tsslbp.tracking.store import Connection, Store, connect, locked
from tsslbp.tracking.tracked_run import NO_CONTEXT, ModelContext, TrackedRun

EXIT_SECONDS = 60.0
"""How long a program that is done waits for a log that is still being written; a server that does not answer is given up before."""
INTERRUPTED_SECONDS = 5.0
"""The same for an interrupted program."""

Write = Callable[[Connection], None]


class LiveLog:
    """A context manager that logs what it is told, of any number of seeds at the same time and in any order.

    Example:
        with LiveLog(store, print) as log:
            log.start(run)
            log.epoch(run, epoch, samples_per_second=1000.0)
            log.finish(run, record, weights)
    """

    def __init__(
        self, store: Store, warn: Callable[[str], None], remedy: str = "python -m stages.report", exit_seconds: float = EXIT_SECONDS
    ) -> None:
        """Prepare a log; nothing is opened before the `with` block.

        Args:
            store: where to log.
            warn: takes the one warning, of one line; may be called from the logging thread.
            remedy: the command that completes the log, for the warning.
            exit_seconds: how long the end of the `with` block waits for what is still to be written.
        """
        self._store, self._warn, self._remedy, self._exit_seconds = store, warn, remedy, exit_seconds
        self._changed = threading.Condition()
        self._waiting: deque[Write] = deque()
        self._epochs: dict[str, list[Measured]] = {}
        self._measured: dict[str, dict[int, Measured]] = {}
        self._started: dict[str, int] = {}
        self._closing = False
        self._given_up = False
        self._thread = threading.Thread(target=self._work, name="tracking", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with self._changed:
            self._closing = True
            self._changed.notify()
        interrupted = error is not None and not isinstance(error, Exception)
        seconds = min(INTERRUPTED_SECONDS, self._exit_seconds) if interrupted else self._exit_seconds
        self._thread.join(seconds)
        if self._thread.is_alive():
            self._give_up(f"MLflow at {self._store.shown} has not taken the whole log after {seconds:.0f} s")

    def start(self, run: TrackedRun) -> None:
        """Show a run as running, before its first epoch is done."""
        started = self._started.setdefault(run.run_id, mlflow_runs.now())
        self._put(partial(self._write_epochs, run, started))

    def epoch(self, run: TrackedRun, epoch: Epoch, samples_per_second: float) -> None:
        """Log one epoch. Epochs that MLflow has already, from before an interruption, are passed over.

        Args:
            run: which run.
            epoch: what it measured.
            samples_per_second: how fast it went.
        """
        measured = Measured(epoch, mlflow_runs.now(), samples_per_second)
        self._measured.setdefault(run.run_id, {})[epoch.epoch] = measured
        started = self._started.setdefault(run.run_id, measured.timestamp)
        with self._changed:
            self._epochs.setdefault(run.run_id, []).append(measured)
        self._put(partial(self._write_epochs, run, started))

    def finish(self, run: TrackedRun, record: SeedRecord, weights: Mapping[str, Path]) -> None:
        """Log a finished run: the epochs that are missing still, summary, pictures and weights.

        Args:
            run: which run.
            record: what it measured; where MLflow holds other numbers under this id, its run is replaced.
            weights: names, such as "best.safetensors", and the files.
        """
        now, known = mlflow_runs.now(), self._measured.get(run.run_id, {})
        epochs = [known.get(epoch.epoch, Measured(epoch, now)) for epoch in record.history]
        finished = Finished(run, record, self._started.get(run.run_id, now), epochs, weights)
        self._put(lambda connection: finish_seed(connection, finished, replace=True))

    def fail(self, run: TrackedRun, reason: str) -> None:
        """Log that a run failed, and why. A later `epoch` has it running again, and `finish` takes the reason back."""
        ended = mlflow_runs.now()
        self._put(lambda connection: fail_seed(connection, run, reason, ended))

    def model(self, record: ModelRecord, provenance: Provenance, weights: Weights = no_weights, context: ModelContext = NO_CONTEXT) -> None:
        """Log the parent run of a model when its seeds are done, and whatever MLflow lacks of them; arguments as in `complete`."""
        self._put(lambda connection: log_model(connection, record, provenance, weights, context, replace=True))

    def _put(self, write: Write) -> None:
        with self._changed:
            if not self._given_up:
                self._waiting.append(write)
                self._changed.notify()

    def _work(self) -> None:
        try:
            connection = connect(self._store)
            while write := self._next():
                write(connection)
        except Exception as error:
            self._give_up(str(explain(self._store.uri, self._store.shown, error)))

    def _next(self) -> Write | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closing)
            return self._waiting.popleft() if self._waiting else None

    def _give_up(self, what: str) -> None:
        with self._changed:
            if self._given_up:
                return
            self._given_up = True
            self._waiting.clear()
        self._warn(
            f"{what}. No more is logged from here; nothing is lost: the run records have all of it, `{self._remedy}` completes MLflow"
        )

    def _write_epochs(self, run: TrackedRun, started: int, connection: Connection) -> None:
        """Write all epochs of a run that have come together: where MLflow is slower than training, it is told of several at once."""
        with self._changed:
            epochs = self._epochs.pop(run.run_id, [])
        experiment = experiment_id(connection, run.experiment)
        with locked(self._store):
            found = mlflow_runs.ensure(connection, experiment, run, started)
            if not epochs or mlflow_runs.add_epochs(connection.client, found, epochs):
                mlflow_runs.set_status(connection.client, found, "RUNNING")
