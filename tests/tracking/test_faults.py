"""Faults of tracking, through the real stages: no epoch is lost, and `python -m stages.report` completes the log afterwards."""

import shutil
import sqlite3
import time
from contextlib import closing
from functools import partial
from urllib.request import urlopen

import pytest

from tests.support.faulty_server import Handler, redirect, serving
from tests.support.in_process import printed_by, printed_by_training, run_stage, train
from tests.support.project import MODEL, Project
from tests.support.servers import free_port, running, wait_until
from tests.support.tracking_helpers import active_runs, client_of, history
from tests.tracking.cable import Cable, silence
from tsslbp.storage.record_files import read_record
from tsslbp.tracking import LiveLog, Store, tracking_store

pytestmark = pytest.mark.slow
EXPERIMENT = "tsslbp-quickstart"


@pytest.fixture(scope="module")
def trained(tmp_path_factory, empty_database):
    """A project that was trained while nothing went wrong."""
    project = Project(tmp_path_factory.mktemp("trained") / "project", empty_database)
    project.prepare()
    assert train(project.folder, MODEL) == 0
    return project


@pytest.fixture
def project(trained, tmp_path, empty_database):
    """A project with the same data, in which nothing was trained."""
    fresh = Project(tmp_path / "project", empty_database)
    shutil.copytree(trained.folder / "data", fresh.folder / "data")
    return fresh


@pytest.fixture(scope="module")
def server(tmp_path_factory, empty_database):
    """The port of a real MLflow server."""
    port, folder = free_port(), tmp_path_factory.mktemp("server")
    shutil.copy(empty_database, folder / "mlflow.db")
    files = ("--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--artifacts-destination", folder)
    with running("mlflow", "server", "--host", "127.0.0.1", "--port", port, "--workers", 1, *files, is_read=False):
        wait_until(lambda: urlopen(f"http://127.0.0.1:{port}/health", timeout=2).status == 200, "the server is up", 180)
        yield port


def measured(project: Project) -> tuple[bytes, ...]:
    """Every epoch's numbers, to the last digit."""
    return tuple((project.folder / "reports/runs" / MODEL / name).read_bytes() for name in ("history.csv", "metrics.json"))


def assert_log_is_complete(project: Project, store: Store, experiment: str = EXPERIMENT, status: str = "FINISHED") -> None:
    """MLflow holds each seed once, with every epoch of its record once, and pictures and weights."""
    runs = active_runs(store, experiment)
    record, _ = read_record(project.folder / "reports/runs" / MODEL)
    assert set(runs) == {MODEL, *(f"{MODEL} seed {seed.seed}" for seed in record.seeds)}
    assert {run.info.status for run in runs.values()} == {status}
    for seed in record.seeds:
        run = runs[f"{MODEL} seed {seed.seed}"]
        assert history(store, run) == [(row.epoch, row.test_accuracy) for row in seed.history]
        files = {file.path for folder in ("", "weights") for file in client_of(store).list_artifacts(run.info.run_id, folder)}
        assert {"learning_curve.png", "confusion.csv", "weights/best.safetensors", "weights/final.safetensors"} <= files


MOMENTS = {"start": "", "middle": "seed 0 epoch 2/3", "end": "seed 1: best"}


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_server_that_goes_down_costs_no_epoch_and_the_report_completes_its_log(moment, project, trained, server, monkeypatch):
    cable, experiment = Cable(server), f"server down at the {moment}"
    project.change(f"experiment: {EXPERIMENT}", f"experiment: {experiment}")
    monkeypatch.setenv("PROJECT_TRACKING_URI", f"http://127.0.0.1:{cable.port}")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    if moment == "start":
        cable.cut()
    process = project.start("fit", "--model", MODEL)
    for line in process.stdout:
        if MOMENTS[moment] and MOMENTS[moment] in line:
            cable.cut()
    _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert "does not answer; start the server" in err
    assert err.count("warning: MLflow at") == 1
    assert "`python -m stages.report --params params.yaml` completes MLflow" in err
    assert run_stage(project.folder, "train", "--model", MODEL) == 0
    assert measured(project) == measured(trained)
    cable.join()
    assert run_stage(project.folder, "report") == 0
    assert_log_is_complete(project, tracking_store(project.folder, f"http://127.0.0.1:{cable.port}"), experiment)
    cable.cut()


def test_a_server_that_never_answers_costs_no_epoch(project, trained, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    with silence() as port:
        monkeypatch.setenv("PROJECT_TRACKING_URI", f"http://127.0.0.1:{port}")
        out = printed_by_training(project.folder, MODEL)
    assert "does not answer; start the server" in out
    assert project.results() == trained.results()
    monkeypatch.setenv("PROJECT_TRACKING_URI", "")
    assert run_stage(project.folder, "report") == 0
    assert_log_is_complete(project, tracking_store(project.folder))


def refusing(handler: Handler) -> None:
    handler.reply(429, b"slow down", Retry_After="3600")


HOSTILE = {
    "asks to come back in an hour": (refusing, "takes no more requests for now"),
    "redirects in a loop": (redirect("/again"), "redirects without end"),
    "is another service": (lambda handler: handler.reply(200, b'{"status": "ok"}'), "not as an MLflow server does"),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_server_that_does_something_else_costs_no_epoch_and_no_time(what, project, trained, monkeypatch, caplog):
    answer, said = HOSTILE[what]
    is_process = answer is refusing  # it alone asks for waiting: a process shows that nothing keeps it from its end
    with serving() as server:
        server.otherwise = answer
        monkeypatch.setenv("PROJECT_TRACKING_URI", server.at("", answer))
        begin = time.monotonic()
        out = project.train() if is_process else printed_by_training(project.folder, MODEL) + caplog.text
        assert time.monotonic() - begin < 120
        assert out.count("warning: MLflow at") == 1
        assert said in out
        assert "Retry" not in out
        assert project.results() == trained.results()
        failed = project.run("report", code=1) if is_process else printed_by(project.folder, "report", code=1)
    assert said in failed
    assert len(failed.splitlines()) == 1


@pytest.mark.parametrize("uri", ["http://127.0.0.1:5000\n", "sqlite:///:memory:", "postgresql+none://127.0.0.1/x", "sqlite:///."])
def test_a_uri_that_cannot_work_ends_no_training(uri, project, trained, monkeypatch, capsys):
    monkeypatch.setenv("PROJECT_TRACKING_URI", uri)
    assert train(project.folder, MODEL) == 0
    assert project.results() == trained.results()
    said = capsys.readouterr().err.splitlines()
    assert sum("completes MLflow" in line for line in said) == 1
    assert all(line.startswith("warning: ") for line in said)
    assert run_stage(project.folder, "report") == 1
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_damaged_database_costs_no_epoch_and_is_written_anew(project, trained):
    database = project.folder / "mlflow.db"
    database.write_bytes(b"no database " * 1000)
    out = printed_by_training(project.folder, MODEL)
    assert "mlflow.db is damaged; move the file away" in out
    assert project.results() == trained.results()
    assert "mlflow.db is damaged; move the file away" in printed_by(project.folder, "report", code=1)
    database.rename(database.with_suffix(".damaged"))
    assert run_stage(project.folder, "report") == 0
    assert_log_is_complete(project, tracking_store(project.folder))


def test_a_database_that_stays_locked_costs_no_epoch_and_the_report_completes_it(project, trained, monkeypatch, capsys):
    monkeypatch.setattr("tsslbp.tracking.LiveLog", partial(LiveLog, exit_seconds=60.0))
    monkeypatch.setattr("tsslbp.tracking.store.DATABASE_SECONDS", 2.0)
    with closing(sqlite3.connect(project.folder / "mlflow.db", isolation_level=None)) as other_program:
        other_program.execute("BEGIN EXCLUSIVE")
        assert train(project.folder, MODEL) == 0
        other_program.execute("ROLLBACK")
    err = capsys.readouterr().err
    assert "is locked by another program; close what holds it open" in err
    assert "completes MLflow" in err
    assert project.results() == trained.results()
    assert not active_runs(tracking_store(project.folder), EXPERIMENT)
    assert run_stage(project.folder, "report") == 0
    assert_log_is_complete(project, tracking_store(project.folder))


def test_a_project_that_moves_keeps_its_log_and_goes_on(project, trained):
    project.change("epochs: 3", "epochs: 2")
    project.train()
    old = project.folder
    project.folder = old.rename(old.with_name("moved to # another 100% place"))
    project.change("epochs: 2", "epochs: 3")
    assert "seed 0 epoch 1/3" not in project.train()
    assert run_stage(project.folder, "report") == 0
    assert project.results() == trained.results()
    assert not old.exists()
    store = tracking_store(project.folder)
    client = client_of(store)
    for run in client.search_runs([client.get_experiment_by_name(EXPERIMENT).experiment_id]):
        assert run.info.artifact_uri.startswith(str(store.artifacts))
        assert client.list_artifacts(run.info.run_id)
