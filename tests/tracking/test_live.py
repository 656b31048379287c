"""Logging while training runs; nothing that MLflow does reaches the training."""

import inspect
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.support.record_builders import make_epoch, make_record, make_seed
from tests.support.tracking_helpers import active_runs, history, wait_for, who
from tsslbp.tracking import LiveLog, Store, TrackingError, import_records, live, tracking_store, verify
from tsslbp.tracking.faults import explain
from tsslbp.tracking.store import locked

pytestmark = pytest.mark.usefixtures("quick_pictures")


def test_epochs_are_seen_while_training_goes_on(store: Store, capfd: pytest.CaptureFixture[str]) -> None:
    warnings: list[str] = []
    with LiveLog(store, warnings.append) as log:
        log.start(who())
        log.epoch(who(), make_epoch(1), 123.0)
        wait_for(lambda: "digits-mlp seed 0" in active_runs(store) and len(history(store, active_runs(store)["digits-mlp seed 0"])) == 1)
        run = active_runs(store)["digits-mlp seed 0"]
        assert run.info.status == "RUNNING"
        assert history(store, run, "speed/samples_per_second") == [(1, 123.0)]
        log.finish(who(), make_seed(0), {})
    assert warnings == []
    assert capfd.readouterr() == ("", "")


def test_a_resumed_run_goes_on_in_the_same_place(store: Store) -> None:
    record, provenance = make_record(seeds=(0,))
    with LiveLog(store, pytest.fail) as log:
        for epoch in (1, 2):
            log.epoch(who(), make_epoch(epoch), 100.0)
    with LiveLog(store, pytest.fail) as log:
        for epoch in (2, 3):
            log.epoch(who(), make_epoch(epoch), 100.0)
        log.finish(who(), record.seeds[0], {})
        log.model(record, provenance)
    verify(store, [record])
    assert active_runs(store)["digits-mlp seed 0"].info.status == "FINISHED"


def test_a_failure_has_its_reason_until_the_run_succeeds(store: Store) -> None:
    with LiveLog(store, pytest.fail) as log:
        log.epoch(who(), make_epoch(1), 100.0)
        log.fail(who(), "not enough memory")
    run = active_runs(store)["digits-mlp seed 0"]
    assert (run.info.status, run.data.tags["tsslbp.failure"]) == ("FAILED", "not enough memory")
    with LiveLog(store, pytest.fail) as log:
        log.finish(who(), make_seed(0), {})
    run = active_runs(store)["digits-mlp seed 0"]
    assert run.info.status == "FINISHED"
    assert "tsslbp.failure" not in run.data.tags


def test_seeds_may_come_interleaved(store: Store) -> None:
    record, provenance = make_record(seeds=(0, 1, 2))
    with LiveLog(store, pytest.fail) as log:
        for seed in (0, 1, 2):
            log.start(who(seed))
        for epoch, seed in ((1, 2), (1, 0), (2, 2), (1, 1), (2, 0), (3, 2), (2, 1), (3, 0), (3, 1)):
            log.epoch(who(seed), make_epoch(epoch, seed), 100.0 + seed)
            if epoch == 3:
                log.finish(who(seed), make_seed(seed), {})
        log.model(record, provenance)
    verify(store, [record])
    runs = active_runs(store)
    for seed in (0, 1, 2):
        assert history(store, runs[f"digits-mlp seed {seed}"], "speed/samples_per_second") == [(n, 100.0 + seed) for n in (1, 2, 3)]
    assert {run.info.status for run in runs.values()} == {"FINISHED"}


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")


@pytest.mark.usefixtures("impatient")
def test_a_server_that_is_down_costs_one_warning_and_no_time(tmp_path: Path) -> None:
    warnings: list[str] = []
    begin = time.monotonic()
    with LiveLog(tracking_store(tmp_path, "http://user:secret@127.0.0.1:9"), warnings.append, remedy="the remedy") as log:
        for epoch in range(1, 50):
            log.epoch(who(), make_epoch(epoch), 100.0)
        assert time.monotonic() - begin < 4
    assert time.monotonic() - begin < 60
    (warning,) = warnings
    assert "http://127.0.0.1:9 does not answer" in warning
    assert "MLFLOW_TRACKING_URI" in warning
    assert "`the remedy` completes MLflow" in warning
    assert "secret" not in warning


def test_after_the_first_fault_nothing_more_is_tried(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []

    def refuse(_history: object, title: str) -> None:
        tried.append(title)
        raise RuntimeError("this run cannot be drawn")

    monkeypatch.setattr("tsslbp.figures.curves.training_curves", refuse)
    warnings: list[str] = []
    record, provenance = make_record()
    with LiveLog(store, warnings.append) as log:
        log.finish(who(0), make_seed(0), {})
        wait_for(lambda: bool(warnings))
        log.finish(who(1), make_seed(1), {})
        log.model(record, provenance)
    assert tried == ["digits-mlp seed 0"]
    assert len(warnings) == 1
    assert "this run cannot be drawn" in warnings[0]
    monkeypatch.undo()
    import_records(store, [(record, provenance)])
    verify(store, [record])


def test_the_end_of_training_waits_at_most_a_minute() -> None:
    assert inspect.signature(LiveLog).parameters["exit_seconds"].default == live.EXIT_SECONDS <= 60


def test_the_end_of_training_waits_for_a_hanging_log_no_longer_than_it_says(store: Store) -> None:
    warnings: list[str] = []
    with locked(store):
        begin = time.monotonic()
        with LiveLog(store, warnings.append, exit_seconds=0.5) as log:
            log.epoch(who(), make_epoch(1), 100.0)
        assert time.monotonic() - begin < 20
        (warning,) = warnings
        assert "has not taken the whole log" in warning
        assert "nothing is lost" in warning


@pytest.mark.usefixtures("impatient")
def test_a_damaged_database_is_written_anew_once_it_is_out_of_the_way(store: Store, empty_database: Path) -> None:
    assert store.database is not None
    store.database.write_bytes(b"no database " * 1000)
    warnings: list[str] = []
    record, provenance = make_record(seeds=(0,))
    with LiveLog(store, warnings.append) as log:
        log.finish(who(), record.seeds[0], {})
    assert len(warnings) == 1
    assert "is damaged; move the file away" in warnings[0]
    with pytest.raises(TrackingError, match="is damaged"):
        import_records(store, [(record, provenance)])
    # A process that had the damaged file open keeps it; the report is a process of its own.
    (store.folder / "clean").mkdir()
    shutil.copy(empty_database, store.folder / "clean" / "mlflow.db")
    clean = tracking_store(store.folder / "clean")
    import_records(clean, [(record, provenance)])
    verify(clean, [record])


@contextmanager
def exclusive(database: Path) -> Iterator[None]:
    """Lock a SQLite database as another program may do."""
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        yield
        connection.execute("ROLLBACK")


def test_a_database_that_is_locked_for_a_while_is_waited_for(store: Store) -> None:
    assert store.database is not None
    with LiveLog(store, pytest.fail) as log:
        log.epoch(who(), make_epoch(1), 100.0)
        wait_for(lambda: "digits-mlp seed 0" in active_runs(store))
        with exclusive(store.database):
            log.epoch(who(), make_epoch(2), 100.0)
            time.sleep(1)
    assert len(history(store, active_runs(store)["digits-mlp seed 0"])) == 2


def test_an_interrupted_program_does_not_wait_for_the_log(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "INTERRUPTED_SECONDS", 0.2)
    warnings: list[str] = []
    with locked(store):
        begin = time.monotonic()
        with pytest.raises(KeyboardInterrupt), LiveLog(store, warnings.append) as log:
            log.epoch(who(), make_epoch(1), 100.0)
            raise KeyboardInterrupt
        assert time.monotonic() - begin < 4
    assert "has not taken the whole log" in warnings[-1]


def test_a_lock_that_is_held_for_ever_is_named(store: Store) -> None:
    with locked(store), pytest.raises(TrackingError, match=r"mlflow\.db\.lock: held by another process"), locked(store, seconds=0.1):
        pytest.fail("two holders")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (sqlite3.OperationalError("database is locked"), "is locked by another program"),
        (sqlite3.OperationalError("attempt to write a readonly database"), "cannot be written; check the rights"),
        (PermissionError(13, "Permission denied", "mlflow.db.lock"), "cannot be written; check the rights"),
        (sqlite3.DatabaseError("file is not a database"), "is damaged"),
        (OSError(28, "No space left on device"), "the disk is full"),
        (RuntimeError("Detected out-of-date database schema (found version a, but expected b)"), "mlflow db upgrade"),
        (RuntimeError("API request to /api failed with error code 401 != 200"), "MLFLOW_TRACKING_USERNAME"),
        (ValueError("something else\nwith details"), "ValueError: something else"),
    ],
)
def test_a_fault_is_one_line_with_a_remedy(tmp_path: Path, error: Exception, said: str) -> None:
    store = tracking_store(tmp_path)
    text = str(explain(store.uri, store.shown, error))
    assert said in text
    assert str(tmp_path) in text
    assert "\n" not in text


def test_the_old_file_store_is_explained(tmp_path: Path) -> None:
    with pytest.raises(TrackingError, match="old file store; set MLFLOW_TRACKING_URI"):
        import_records(tracking_store(tmp_path, str(tmp_path / "mlruns")), [make_record()])
