"""One real MLflow server that several drivers and people share, on PostgreSQL where that is installed and on SQLite."""

import multiprocessing
import os
import shutil
import traceback
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run, ViewType

from tests.support.killing import WARM
from tests.support.record_builders import make_provenance, make_record, make_seed, of_weights
from tests.support.servers import free_port, running, wait_until
from tests.support.tracking_helpers import changed
from tests.tracking import postgres
from tsslbp.storage.records import ModelRecord
from tsslbp.tracking import LiveLog, TrackedRun, import_records, tracked_run, tracking_store, verify

pytestmark = pytest.mark.slow
MODELS = ("digits-mlp", "digits-cnn")
PEOPLE = ("ann", "bob")
EPOCHS = 3


@pytest.fixture(
    scope="module",
    params=["sqlite", pytest.param("postgresql", marks=pytest.mark.skipif(bool(postgres.missing()), reason=str(postgres.missing())))],
)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Iterator[str]:
    """The URI of a server that keeps its runs in the database that is asked for."""
    folder, port = tmp_path_factory.mktemp("server"), free_port()
    shutil.copy(empty_database, folder / "mlflow.db")
    with ExitStack() as stack:
        database = f"sqlite:///{folder}/mlflow.db"
        if request.param == "postgresql":
            database = stack.enter_context(postgres.postgres())
            stack.enter_context(pytest.MonkeyPatch.context()).setenv("PYTHONPATH", postgres.driver_path(folder / "driver"))
        where = ("--host", "127.0.0.1", "--port", port, "--workers", 2)
        files = ("--backend-store-uri", database, "--artifacts-destination", folder / "artifacts")
        stack.enter_context(running("mlflow", "server", *where, *files, is_read=False))
        wait_until(lambda: urlopen(f"http://127.0.0.1:{port}/health", timeout=2).status == 200, "the server is up", 180)
        yield f"http://127.0.0.1:{port}"


def weights_of(person: str) -> bytes:
    return b"weights of " + person.encode()


def record_of(person: str, model: str) -> ModelRecord:
    """Settings and run ids are equal for all people; a machine of another kind gives one of them another number."""
    record, _ = make_record(seeds=(0, 1), epochs=EPOCHS, model=model, experiment="shared")
    record = of_weights(record, weights_of(person))
    return changed(record, 2, 12.5) if person == "bob" else record


def _train(folder: Path, uri: str, model: str, start: Any) -> None:
    """What one driver does: it logs two seeds that take turns, then their parent; on a busy machine the server may take its time."""
    os.environ |= {"MLFLOW_HTTP_REQUEST_TIMEOUT": "120", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "5"}
    record = record_of(folder.name, model)
    (folder / f"{model}.safetensors").write_bytes(weights_of(folder.name))
    runs = [
        tracked_run(record.model_copy(update={"seeds": ()}), seed.seed, seed.run_id, make_provenance(seed.seed)) for seed in record.seeds
    ]
    start.wait()
    try:
        _log(folder, uri, record, runs)
    except BaseException:
        (folder / f"{model}.error").write_text(traceback.format_exc())
        raise


def _log(folder: Path, uri: str, record: ModelRecord, runs: list[TrackedRun]) -> None:
    warnings: list[str] = []
    with LiveLog(tracking_store(folder, uri), warnings.append, exit_seconds=300) as log:
        for epoch in range(EPOCHS):
            for run, seed in zip(runs, record.seeds, strict=True):
                log.epoch(run, seed.history[epoch], 100.0)
        for run, seed in zip(runs, record.seeds, strict=True):
            log.finish(run, seed, {"best.safetensors": folder / f"{record.model}.safetensors"})
        log.model(record, make_record(seeds=(0, 1))[1])
    if warnings:
        raise AssertionError(warnings)  # pytest spells an assertion out in its own process alone


@pytest.fixture(scope="module")
def trained(server: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Path]]:
    """Two people with a checkout each have trained two models each, all four at the same time."""
    parent = tmp_path_factory.mktemp("people")
    folders = {person: parent / person for person in PEOPLE}
    context = multiprocessing.get_context("forkserver")  # they begin closer to each other than processes that still import
    context.set_forkserver_preload(list(WARM))
    start = context.Event()
    drivers = []
    for folder in folders.values():
        folder.mkdir()
        drivers += [context.Process(target=_train, args=(folder, server, model, start)) for model in MODELS]
    for driver in drivers:
        driver.start()
    start.set()
    for driver in drivers:
        driver.join(400)
    assert [error.read_text() for folder in folders.values() for error in folder.glob("*.error")] == []
    assert [driver.exitcode for driver in drivers] == [0] * 4
    return server, folders


def runs_of(uri: str) -> list[Run]:
    client = MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name("shared")
    return list(client.search_runs([experiment.experiment_id], run_view_type=ViewType.ALL))


def test_everyone_has_all_runs_and_nothing_is_deleted(trained: tuple[str, dict[str, Path]]) -> None:
    uri, folders = trained
    runs = runs_of(uri)
    assert len(runs) == len(PEOPLE) * len(MODELS) * 3
    assert {(run.info.lifecycle_stage, run.info.status) for run in runs} == {("active", "FINISHED")}
    assert len({run.data.tags["tsslbp.checkout"] for run in runs}) == len(folders)
    client = MlflowClient(tracking_uri=uri)
    for run in runs:
        if "seed" in run.data.params:
            assert [point.step for point in client.get_metric_history(run.info.run_id, "accuracy/test")] == [1, 2, 3]
            assert [file.path for file in client.list_artifacts(run.info.run_id, "weights")] == ["weights/best.safetensors"]


def report(folder: Path, uri: str, records: list[ModelRecord]) -> None:
    """What the report does with MLflow."""
    store = tracking_store(folder, uri)
    pairs = [(record, make_record()[1]) for record in records]
    import_records(store, pairs, lambda model, _seed: {"best.safetensors": folder / f"{model}.safetensors"})
    verify(store, records)


def shown(uri: str) -> dict[str, Any]:
    return {run.info.run_id: (run.data.metrics, run.data.tags, run.info.end_time, run.info.lifecycle_stage) for run in runs_of(uri)}


def test_each_report_verifies_its_own_and_changes_nothing(trained: tuple[str, dict[str, Path]]) -> None:
    uri, folders = trained
    before = shown(uri)
    for person, folder in folders.items():
        report(folder, uri, [record_of(person, model) for model in MODELS])
    assert shown(uri) == before


def test_a_fresh_clone_logs_runs_of_its_own(trained: tuple[str, dict[str, Path]], tmp_path: Path) -> None:
    uri, _ = trained
    before = {run.info.run_id for run in runs_of(uri)}
    report(tmp_path, uri, [record_of("ann", "digits-mlp")])
    after = runs_of(uri)
    assert len(after) == len(before) + 3
    assert before < {run.info.run_id for run in after}
    assert make_seed(0).run_id in {run.data.tags["tsslbp.run_id"] for run in after}
