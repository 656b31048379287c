"""Tracking URIs that cannot work, and servers that do not do what MLflow's does: each a plain line, and training ends as if nothing were."""

import time
from pathlib import Path

import pytest

from tests.support.faulty_server import Answer, FaultyServer, Handler, literally, redirect, serving, slow, status, whole
from tests.support.record_builders import make_epoch, make_record
from tests.support.servers import free_port
from tests.support.tracking_helpers import who
from tests.tracking import postgres
from tsslbp.tracking import LiveLog, TrackingError, import_records, tracking_store

PATIENCE = 60
"""Seconds that a fault may take: on a quiet machine most take none, and those that are tried three times take five."""


def json_of(body: bytes, code: int = 200) -> Answer:
    return lambda handler: handler.reply(code, body, Content_Type="application/json")


def too_many_requests(handler: Handler) -> None:
    handler.reply(429, b"slow down", Retry_After="3600")


SERVERS: dict[str, tuple[Answer, str]] = {
    "429 with Retry-After": (too_many_requests, "takes no more requests for now"),
    "redirects in a loop": (redirect("/again"), "redirects without end"),
    "never answers": (slow(60), "does not answer"),
    "500": (status(500), "does not answer"),
    "401": (status(401), "refuses access"),
    "404": (status(404), "not as an MLflow server does"),
    "another service's 404": (json_of(b'{"detail": "Not Found"}', 404), "not as an MLflow server does"),
    "JSON of another service": (json_of(b'{"status": "ok"}'), "not as an MLflow server does"),
    "JSON with an experiment": (json_of(b'{"experiment": {"name": "other"}}'), "not as an MLflow server does"),
    "JSON with a number": (json_of(b'{"experiment": 5}'), "not as an MLflow server does"),
    "a list": (json_of(b"[1]"), "not as an MLflow server does"),
    "nothing": (whole(b""), "not as an MLflow server does"),
    "a page": (whole(b"<html>hello</html>"), "not as an MLflow server does"),
    "no HTTP": (literally(b"SSH-2.0-OpenSSH\r\n"), "not as an MLflow server does"),
}


@pytest.fixture
def server() -> FaultyServer:
    with serving() as server:
        yield server


@pytest.fixture(autouse=True)
def _short_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    for name in ("MAX_RETRIES", "BACKOFF_FACTOR"):
        monkeypatch.delenv(f"MLFLOW_HTTP_REQUEST_{name}", raising=False)


@pytest.mark.parametrize("name", SERVERS)
def test_a_server_that_is_not_as_it_should_be_is_one_line(server: FaultyServer, tmp_path: Path, name: str) -> None:
    server.otherwise, said = SERVERS[name]
    begin = time.monotonic()
    with pytest.raises(TrackingError) as error:
        import_records(tracking_store(tmp_path, server.at("", server.otherwise)), [make_record()])
    assert time.monotonic() - begin < PATIENCE
    assert said in str(error.value)
    assert f"http://127.0.0.1:{server.server_port}" in str(error.value)
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize("name", ["429 with Retry-After", "redirects in a loop", "never answers", "JSON of another service"])
def test_such_a_server_neither_delays_nor_ends_a_training(server: FaultyServer, tmp_path: Path, name: str) -> None:
    server.otherwise, said = SERVERS[name]
    warnings: list[str] = []
    begin = time.monotonic()
    with LiveLog(tracking_store(tmp_path, server.at("", server.otherwise)), warnings.append) as log:
        for epoch in range(1, 100):
            log.epoch(who(), make_epoch(epoch), 100.0)
        assert time.monotonic() - begin < 4
    assert time.monotonic() - begin < PATIENCE
    (warning,) = warnings
    assert said in warning
    assert "`python -m stages.report` completes MLflow" in warning


URIS = {
    "a line break": ("http://127.0.0.1:5000\n", r"'\\n' at character 22 cannot stand in a URI"),
    "a line break in a database": ("postgresql://a\nb/c", r"'\\n' at character 15 cannot stand in a URI"),
    "a missing driver": ("postgresql+no_such_driver://127.0.0.1/x", "driver postgresql.no_such_driver, which is not installed"),
    "a driver that is not installed": ("mysql+pymysql://127.0.0.1/x", "driver pymysql, which is not installed"),
    "a folder": ("sqlite:///{folder}", "is a folder where a file belongs"),
    "memory": ("sqlite:///:memory:", "expected sqlite:///"),
    "no path": ("sqlite://", "expected sqlite:///"),
    "options": ("sqlite:///a.db?mode=ro", "without '\\?'"),
    "a database that cannot be read": ("postgresql://127.0.0.1:port/x", "cannot be read"),
    "the old file store": ("{folder}/mlruns", "old file store; set MLFLOW_TRACKING_URI"),
    "a password and a space": ("http://ann:a/secret@127.0.0.1:5000/a b", r"'http://127.0.0.1:5000/a b': ' ' at character 37 cannot stand"),
    "a password where a file belongs": ("sqlite://ann:a@secret@127.0.0.1/x", "URI sqlite://127.0.0.1/x: expected sqlite:///"),
    "an unknown scheme with a password": ("gopher://ann:a/secret@127.0.0.1/x", "MLflow at gopher://127.0.0.1/x"),
    "an unknown scheme": ("gopher://127.0.0.1/x", "MLflow at gopher"),
}
"""URI, with {folder} for a folder that is there, and what is said of it."""


@pytest.mark.parametrize("name", URIS)
def test_a_uri_that_cannot_work_is_one_line_at_once(tmp_path: Path, name: str) -> None:
    uri, said = URIS[name]
    store = tracking_store(tmp_path, uri.format(folder=tmp_path))
    begin = time.monotonic()
    with pytest.raises(TrackingError, match=said) as error:
        import_records(store, [make_record()])
    assert time.monotonic() - begin < PATIENCE / 2
    assert "secret" not in str(error.value)
    assert len(str(error.value).splitlines()) == 1
    warnings: list[str] = []
    with LiveLog(store, warnings.append) as log:
        log.start(who())
    assert len(warnings) == 1
    assert len(warnings[0].splitlines()) == 1


def test_a_database_that_is_a_folder_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").mkdir()
    with pytest.raises(TrackingError, match=r"mlflow\.db is a folder where a file belongs; move it away"):
        import_records(tracking_store(tmp_path), [make_record()])


@pytest.mark.skipif(bool(postgres.missing()), reason=str(postgres.missing()))
def test_a_database_server_that_is_down_is_one_line_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(postgres.driver_path(tmp_path / "driver"))
    begin = time.monotonic()
    with pytest.raises(TrackingError, match="does not answer; start the server") as error:
        import_records(tracking_store(tmp_path, f"postgresql+psycopg2://me:secret@127.0.0.1:{free_port()}/x"), [make_record()])
    assert time.monotonic() - begin < PATIENCE / 2
    assert "secret" not in str(error.value)
