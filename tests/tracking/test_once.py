"""MLflow holds each run once and every epoch once, whatever was interrupted, repeated or done at the same time."""

import multiprocessing
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from tests.support.record_builders import make_epoch, make_record, make_seed, of_weights
from tests.support.tracking_helpers import active_runs, client_of, contents, history, who
from tsslbp.settings import digest
from tsslbp.tracking import LiveLog, ModelContext, Store, complete, import_records, ledger, tracking_store, verify
from tsslbp.tracking.store import connect

pytestmark = pytest.mark.usefixtures("quick_pictures")

WRITES = (
    "create_experiment",
    "create_run",
    "log_batch",
    "log_inputs",
    "log_artifact",
    "log_artifacts",
    "set_terminated",
    "update_run",
    "set_tag",
    "delete_run",
)


def test_logging_again_changes_nothing(store: Store) -> None:
    record, provenance = make_record()
    import_records(store, [(record, provenance)])
    before = contents(store)
    import_records(store, [(record, provenance)])
    complete(store, record, provenance)
    assert contents(store) == before


class Killed(BaseException):
    """Stands for SIGKILL: nothing catches it."""


class MortalClient:
    """A client that dies right after a number of writes; `written` names them."""

    def __init__(self, client: MlflowClient, writes: int) -> None:
        self._client, self._writes, self.written = client, writes, list[str]()

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._client, name)
        return self._mortal(name, attribute) if name in WRITES else attribute

    def _mortal(self, name: str, write: Callable[..., Any]) -> Callable[..., Any]:
        def dying(*arguments: Any, **named: Any) -> Any:
            result = write(*arguments, **named)
            self.written.append(name)
            if len(self.written) == self._writes:
                raise Killed
            return result

        return dying


def test_kills_after_every_write_leave_no_trace(
    store: Store, empty_database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "weights").write_bytes(b"weights")
    record, provenance = make_record(seeds=(0,))
    records = [(of_weights(record, b"weights"), provenance)]
    files: Callable[[str, int], dict[str, Path]] = lambda _model, _seed: {"best.safetensors": tmp_path / "weights"}  # noqa: E731
    import_records(store, records, files)

    (tmp_path / "killed").mkdir()
    shutil.copy(empty_database, tmp_path / "killed" / "mlflow.db")
    killed = tracking_store(tmp_path / "killed")
    connection, clients = connect(killed), [MortalClient(client_of(killed), 1)]
    monkeypatch.setattr(ledger, "connect", lambda _: replace(connection, client=clients[-1]))
    for _ in range(100):
        try:
            import_records(killed, records, files)
            break
        except Killed:
            # One write an attempt, or one more than the last time where that only sent the same files again.
            again = len(clients) > 1 and clients[-1].written == clients[-2].written
            clients.append(MortalClient(client_of(killed), len(clients[-1].written) + again))
    assert len({tuple(client.written) for client in clients}) > 7
    assert len(clients) > 12
    assert contents(killed) == contents(store)


def _log_everything(folder: Path, start: Any) -> None:
    start.wait()
    store = tracking_store(folder)
    warnings: list[str] = []
    with LiveLog(store, warnings.append, exit_seconds=300) as log:  # the last of four waits for all
        for epoch in (1, 2, 3):
            log.epoch(who(), make_epoch(epoch), 100.0)
        log.finish(who(), make_seed(0), {})
        log.model(*make_record(seeds=(0,)))
    assert warnings == []


def test_processes_racing_on_a_new_project_log_a_run_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    start = context.Event()
    workers = [context.Process(target=_log_everything, args=(tmp_path, start)) for _ in range(4)]
    for worker in workers:
        worker.start()
    start.set()
    for worker in workers:
        worker.join(400)
    assert [worker.exitcode for worker in workers] == [0, 0, 0, 0]
    store = tracking_store(tmp_path)
    record, _ = make_record(seeds=(0,))
    runs = active_runs(store)
    assert set(runs) == {"digits-mlp", "digits-mlp seed 0"}
    for metric in ("accuracy/test", "speed/samples_per_second", "loss/train"):
        assert [step for step, _ in history(store, runs["digits-mlp seed 0"], metric)] == [1, 2, 3]
    verify(store, [record])


def test_runs_doubled_by_machines_without_a_common_lock_become_one(store: Store) -> None:
    client, own = client_of(store), connect(store).checkout
    experiment = client.create_experiment("quickstart", artifact_location=store.artifacts)
    for created in ("1000", "2000"):
        tags = {"tsslbp.run_id": make_seed(0).run_id, "tsslbp.checkout": own, "tsslbp.created": created}
        client.create_run(experiment, start_time=3000 - int(created), tags=tags, run_name=f"created {created}")
    import_records(store, [make_record(seeds=(0,))])
    runs = active_runs(store)
    assert set(runs) == {"digits-mlp", "digits-mlp seed 0"}
    assert runs["digits-mlp seed 0"].info.start_time == 1000, "not the one created last"


def test_a_seed_that_was_recorded_before_it_was_whole_ends_as_one_run(store: Store) -> None:
    record, provenance = make_record(seeds=(0, 1))
    begun = record.seeds[1].model_copy(update={"history": record.seeds[1].history[:1], "run_id": "1" * 32})
    import_records(store, [(record.model_copy(update={"seeds": (record.seeds[0], begun)}), provenance)])
    assert set(active_runs(store)) == {"digits-mlp", "digits-mlp seed 0", "digits-mlp seed 1, 1 of 3 epochs"}
    for _ in range(2):
        import_records(store, [(record, provenance)])
        assert set(active_runs(store)) == {"digits-mlp", "digits-mlp seed 0", "digits-mlp seed 1"}
        verify(store, [record])


def test_seeds_that_are_recorded_again_and_again_stay_one_run_each_with_its_own_epochs(store: Store) -> None:
    record, provenance = make_record(seeds=(0, 1), epochs=9)

    def import_epochs(*epochs: int) -> set[str]:
        seeds = tuple(
            seed.model_copy(update={"history": seed.history[:ran], "run_id": seed.run_id if ran == 9 else digest([seed.seed, ran])})
            for seed, ran in zip(record.seeds, epochs, strict=True)
        )
        import_records(store, [(record.model_copy(update={"seeds": seeds}), provenance)])
        return set(active_runs(store))

    assert import_epochs(2, 3) == {"digits-mlp, 2 epochs", "digits-mlp, 2 epochs seed 0", "digits-mlp seed 1, 3 of 9 epochs"}
    assert import_epochs(4, 3) == {"digits-mlp, 3 epochs", "digits-mlp seed 0, 4 of 9 epochs", "digits-mlp, 3 epochs seed 1"}
    assert import_epochs(9, 3) == {"digits-mlp", "digits-mlp seed 0", "digits-mlp seed 1, 3 of 9 epochs"}
    for _ in range(2):
        assert import_epochs(9, 9) == {"digits-mlp", "digits-mlp seed 0", "digits-mlp seed 1"}
    verify(store, [record])


def test_runs_of_others_and_those_that_may_still_be_written_to_stay(store: Store, tmp_path: Path) -> None:
    record, provenance = make_record(seeds=(0,))
    elsewhere, whole = tracking_store(tmp_path / "elsewhere", store.uri), (record, provenance)
    begun = record.seeds[0].model_copy(update={"history": record.seeds[0].history[:1], "run_id": "1" * 32})
    import_records(elsewhere, [(record.model_copy(update={"seeds": (begun,)}), provenance)], contexts={"digits-mlp": ModelContext(1)})
    with LiveLog(store, pytest.fail) as log:
        log.epoch(replace(who(), run_id="2" * 32), make_epoch(1), 100.0)
    import_records(store, [whole])
    runs = client_of(store).search_runs([client_of(store).get_experiment_by_name("quickstart").experiment_id])
    assert {"1" * 32, "2" * 32, record.seeds[0].run_id} <= {run.data.tags["tsslbp.run_id"] for run in runs}


def test_a_history_longer_than_one_call_takes_is_logged(store: Store) -> None:
    record, provenance = make_record(seeds=(0,), epochs=400)  # 6 metrics each; MLflow takes 1000 at once
    import_records(store, [(record, provenance)])
    verify(store, [record])
