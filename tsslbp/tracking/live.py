"""Logging while training runs, in the background: training never waits for MLflow and never fails because of it."""

import re
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from tsslbp.storage.records import Epoch, ModelRecord, Provenance, SeedRecord
from tsslbp.tracking import mlflow_runs
from tsslbp.tracking.finishing import FAILURE, Finished, finish_seed
from tsslbp.tracking.identity import LONGEST_VALUE, Identity
from tsslbp.tracking.ledger import Weights, log_model, no_weights
from tsslbp.tracking.store import Store, connect, explain, locked

if TYPE_CHECKING:
    from mlflow import MlflowClient

FIRST_PAUSE, LONGEST_PAUSE, LAST_PAUSE = 1.0, 30.0, 2.0
"""Seconds between tries while the store cannot be written: doubled every time up to the second, up to the third on the way out."""
LAST_TRIES = 3
"""Tries in a row that may fail on the way out."""
INTERRUPTED_SECONDS = 5.0
"""How long an interrupted program waits for the log."""


@dataclass
class _Entry:
    """Something to be written. Epochs of one run that wait together are written together; `run_id` is theirs."""

    write: "Callable[[MlflowClient], None]"
    run_id: str | None = None
    epochs: list[mlflow_runs.Measured] = field(default_factory=list)


class LiveLog:
    """A context manager that logs what it is told in a thread of its own.

    Whatever goes wrong with MLflow becomes a warning, one for each distinct fault; what could not be written is kept and tried
    again. Nothing is doubled when a run is logged again, and what is left over at the end, `import_records` logs.
    """

    def __init__(
        self, store: Store, warn: Callable[[str], None], remedy: str = "python -m stages.report", drain_seconds: float = 60.0
    ) -> None:
        """Prepare a log; nothing is opened before the `with` block.

        Args:
            store: where to log.
            warn: takes a warning of one line; called from the logging thread too.
            remedy: the command that completes the log, for the last warning.
            drain_seconds: how long the end of the `with` block waits for what is still to be written.
        """
        self._store, self._warn, self._remedy, self._drain_seconds = store, warn, remedy, drain_seconds
        self._entries: deque[_Entry] = deque()
        self._measured: dict[str, dict[int, mlflow_runs.Measured]] = {}
        self._started: dict[str, int] = {}
        self._warned: set[str] = set()
        self._changed = threading.Condition()
        self._unwritten = 0
        self._closing = False
        self._client: MlflowClient | None = None
        self._thread = threading.Thread(target=self._work, name="tracking", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        interrupted = error is not None and not isinstance(error, Exception)
        self._thread.join(min(INTERRUPTED_SECONDS, self._drain_seconds) if interrupted else self._drain_seconds)
        if self._unwritten:
            self._warn(
                f"MLflow at {self._store.shown} lacks a part of the log; the run records have all of it: `{self._remedy}` completes it"
            )

    def start(self, identity: Identity) -> None:
        """Show a run as running, before its first epoch is done."""
        started = self._started.setdefault(identity.run_id, mlflow_runs.now())
        self._put(_Entry(lambda client: self._write_epochs(client, identity, started, [])))

    def epoch(self, identity: Identity, epoch: Epoch, samples_per_second: float) -> None:
        """Log one epoch. Epochs that MLflow has already, from before an interruption, are passed over."""
        measured = mlflow_runs.Measured(epoch, mlflow_runs.now(), samples_per_second)
        self._measured.setdefault(identity.run_id, {})[epoch.epoch] = measured
        started = self._started.setdefault(identity.run_id, measured.timestamp)
        with self._changed:
            for entry in self._entries:
                if entry.run_id == identity.run_id:
                    entry.epochs.append(measured)
                    return
        epochs = [measured]
        self._put(_Entry(lambda client: self._write_epochs(client, identity, started, epochs), identity.run_id, epochs))

    def finish(self, identity: Identity, record: SeedRecord, weights: Mapping[str, Path]) -> None:
        """Log a finished run: the epochs that are missing still, summary, pictures and weights.

        Args:
            identity: of the run.
            record: what it measured; where MLflow holds other numbers under this id, its run is replaced.
            weights: names, such as "best.safetensors", and the files.
        """
        now, known = mlflow_runs.now(), self._measured.get(identity.run_id, {})
        epochs = [known.get(epoch.epoch, mlflow_runs.Measured(epoch, now)) for epoch in record.history]
        finished = Finished(identity, record, self._started.get(identity.run_id, now), epochs, weights)
        self._put(_Entry(lambda client: finish_seed(client, self._store, finished, replace=True)))

    def fail(self, identity: Identity, reason: str) -> None:
        """Log that a run failed, and why. A later `epoch` or `finish` of the same run takes it back."""
        now = mlflow_runs.now()
        self._put(_Entry(lambda client: self._write_failure(client, identity, reason, now)))

    def model(self, record: ModelRecord, provenance: Provenance, weights: Weights = no_weights) -> None:
        """Log the parent run of a model when its seeds are done, and whatever MLflow lacks of them."""
        self._put(_Entry(lambda client: log_model(client, self._store, record, provenance, weights, replace=True)))

    def _put(self, entry: _Entry) -> None:
        with self._changed:
            self._entries.append(entry)
            self._unwritten += 1
            self._changed.notify_all()

    def _work(self) -> None:
        pause, failures = FIRST_PAUSE, 0
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._entries or self._closing or self._client is None)
                if not self._entries and self._closing:
                    return
                entry = self._entries.popleft() if self._entries else None
            try:
                self._client = self._client or connect(self._store)
                if entry is not None:
                    entry.write(self._client)
            except Exception as error:
                self._report(error)
                failures = failures + 1 if self._closing else 0
                if failures >= LAST_TRIES:
                    return
                self._put_back(entry, pause)
                pause = min(2 * pause, LONGEST_PAUSE)
            else:
                pause, failures = FIRST_PAUSE, 0
                with self._changed:
                    self._unwritten -= entry is not None

    def _put_back(self, entry: _Entry | None, pause: float) -> None:
        """Try an entry again after all others, so that one which MLflow refuses does not hold them up. Order does not matter."""
        self._client = None
        with self._changed:
            if entry is not None:
                self._entries.append(entry)
            closing = self._closing
            self._changed.wait_for(lambda: self._closing != closing, timeout=min(pause, LAST_PAUSE) if closing else pause)

    def _report(self, error: Exception) -> None:
        text = str(explain(self._store, error))
        fault = re.sub(r"[0-9a-f]*\d[0-9a-f]*", "", text)
        if fault not in self._warned:
            self._warned.add(fault)
            self._warn(f"{text}. Training goes on; the log is kept and tried again")

    def _write_epochs(self, client: "MlflowClient", identity: Identity, started: int, epochs: list[mlflow_runs.Measured]) -> None:
        experiment = mlflow_runs.experiment_id(client, self._store, identity.experiment)
        with locked(self._store):
            run = mlflow_runs.ensure(client, experiment, identity, started)
            if not epochs or mlflow_runs.add_epochs(client, run, epochs):
                mlflow_runs.set_status(client, run, "RUNNING")

    def _write_failure(self, client: "MlflowClient", identity: Identity, reason: str, timestamp: int) -> None:
        experiment = mlflow_runs.experiment_id(client, self._store, identity.experiment)
        with locked(self._store):
            run = mlflow_runs.ensure(client, experiment, identity, timestamp)
            mlflow_runs.set_tags(client, run, {FAILURE: reason[:LONGEST_VALUE]})
            mlflow_runs.set_status(client, run, "FAILED", timestamp)
