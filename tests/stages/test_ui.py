"""`make ui`: the MLflow UI on a project's database, in a real browser, and every way in which it may not start."""

import io
import json
import shutil
import socket
from pathlib import Path
from unittest.mock import Mock
from urllib.request import Request, urlopen

import psutil
import pytest

from stages.common import run
from stages.ui import Address, _wait_until_up, main, make_parser
from tests.stages.ui_pages import CHROMIUM, DRIVER, browser, see_a_run, see_curves, see_filters, see_models
from tests.stages.ui_settings import params_in
from tests.support.faulty_server import serving
from tests.support.record_builders import make_record, of_weights
from tests.support.servers import free_port, running
from tsslbp.storage.records import ModelRecord, Provenance
from tsslbp.tracking import ModelContext, Store, import_records, tracking_store


@pytest.fixture(autouse=True)
def _default_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def ui(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    """Run the command; its exit code, what it said, and what it complained about."""
    with pytest.raises(SystemExit) as end:
        run(main, make_parser(), [str(argument) for argument in arguments])
    output = capsys.readouterr()
    return int(end.value.code or 0), output.out, output.err


def test_a_proxy_is_not_asked_for_the_server_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with serving() as server:
        server.otherwise = lambda handler: handler.reply(200, b"OK")
        port = int(server.at("", server.otherwise).split(":")[2].split("/")[0])
        _wait_until_up(Mock(poll=lambda: None), Address("127.0.0.1", port), io.StringIO())


def test_a_port_in_use_is_named_with_the_way_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        code, _, error = ui(capsys, "--params", params_in(tmp_path), "--port", port)
    assert code == 1
    assert f"port {port} on 127.0.0.1 cannot be used" in error
    assert "make ui" in error
    assert len(error.splitlines()) == 1


@pytest.mark.parametrize("port", ["0", "65536", "http", "-1", "²"])
def test_no_port_is_an_unknown_argument(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, error = ui(capsys, f"--port={port}")
    assert code == 2
    assert "allowed: 1 to 65535" in error


def test_a_server_elsewhere_is_pointed_to(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:secret@tracking.example:5000")
    code, output, error = ui(capsys, "--params", params_in(tmp_path))
    assert code == 0
    assert "http://tracking.example:5000" in output
    assert "secret" not in output + error


def test_a_damaged_database_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mlflow.db").write_bytes(b"no database " * 1000)
    code, _, error = ui(capsys, "--params", params_in(tmp_path), "--port", free_port())
    assert code == 1
    assert "is damaged; move the file away" in error
    assert len(error.splitlines()) == 1


@pytest.mark.parametrize("host", ["192.0.2.1", "no such host", "nowhere.invalid"])
def test_an_address_of_another_machine_is_one_line(host: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, error = ui(capsys, "--params", params_in(tmp_path), "--port", free_port(), "--host", host)
    assert code == 1
    assert f"--host {host}: not an address of this machine" in error
    assert len(error.splitlines()) == 1


@pytest.mark.parametrize(
    ("host", "is_loopback", "url"),
    [
        ("127.0.0.1", True, "http://127.0.0.1:5000"),
        ("127.0.0.2", True, "http://127.0.0.2:5000"),
        ("localhost", True, "http://localhost:5000"),
        ("::1", True, "http://[::1]:5000"),
        ("0.0.0.0", False, "http://127.0.0.1:5000"),
        ("::", False, "http://[::1]:5000"),
        ("10.0.0.7", False, "http://10.0.0.7:5000"),
        ("cluster-head", False, "http://cluster-head:5000"),
    ],
)
def test_an_address_says_who_can_reach_it(host: str, is_loopback: bool, url: str) -> None:
    address = Address(host, 5000)
    assert (address.is_loopback, address.url) == (is_loopback, url)


# --- the slow rest: a real server, a real browser


def models() -> list[tuple[ModelRecord, Provenance]]:
    made = (make_record(seeds=(0, 1), epochs=8, model=model, experiment="tsslbp") for model in ("digits-mlp", "digits-cnn"))
    return [(of_weights(record, b"weights"), provenance) for record, provenance in made]


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None or DRIVER is None, reason="needs chromium and chromedriver")
def test_a_browser_finds_filters_and_opens_the_runs(store: Store, tmp_path: Path) -> None:
    (tmp_path / "weights").write_bytes(b"weights")
    context = ModelContext(metrics={"published_mean": 98.5}, tags={"verdict": "consistent"})
    files = {"best.safetensors": tmp_path / "weights"}
    import_records(store, models(), lambda _model, _seed: files, {"digits-mlp": context, "digits-cnn": context})
    port = free_port()
    with running("stages.ui", "--params", params_in(store.folder), "--port", port) as server:
        assert server.stdout is not None
        server.stdout.readline()
        runs, curves = (server.stdout.readline().split()[-1] for _ in range(2))
        family = psutil.Process(server.pid).children(recursive=True)
        assert family
        with browser(tmp_path / "profile") as page:
            see_models(page, runs)
            see_filters(page, runs)
            see_curves(page, curves)
            see_a_run(page, runs)
    assert psutil.wait_procs(family, timeout=60)[1] == [], "processes are left behind"
    assert server.returncode == 0


@pytest.mark.slow
def test_an_open_address_is_warned_of_and_a_folder_may_have_any_name(tmp_path: Path, empty_database: Path) -> None:
    folder = tmp_path / "my%20project"
    folder.mkdir()
    shutil.copy(empty_database, folder / "mlflow.db")
    with running("stages.ui", "--params", params_in(folder), "--port", free_port()) as server:
        assert server.stdout is not None
        *_, nothing = (server.stdout.readline() for _ in range(4))
    assert nothing.startswith("No run of the experiment tsslbp is logged yet: ")
    assert f"`python -m stages.report --params {folder / 'params.yaml'}` logs the records that are in git" in nothing
    import_records(tracking_store(folder), [make_record(seeds=(0,), experiment="tsslbp")])
    port = free_port()
    with running("stages.ui", "--params", params_in(folder), "--port", port, "--host", "0.0.0.0") as server:
        assert server.stdout is not None
        said = [server.stdout.readline() for _ in range(4)]
        assert said[3].startswith("warning: everyone who reaches 0.0.0.0 can read, change and delete these runs")
        query = json.dumps({"experiment_ids": [said[1].split("/experiments/")[1].split("/")[0]]}).encode()
        request = Request(f"http://127.0.0.1:{port}/api/2.0/mlflow/runs/search", query, {"Content-Type": "application/json"})
        with urlopen(request, timeout=30) as answer:
            names = {run["info"]["run_name"] for run in json.load(answer)["runs"]}
    assert names == {"digits-mlp", "digits-mlp seed 0"}
    assert [path.name for path in tmp_path.iterdir()] == ["my%20project"]
