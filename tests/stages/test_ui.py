"""`make ui`: the MLflow UI on a project's database, in a real browser, and every way in which it may not start."""

import io
import json
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import Mock
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import psutil
import pytest

from stages.common import run
from stages.ui import Address, _wait_until_up, main, make_parser
from tests.stages.ui_settings import params_in
from tests.support.faulty_server import serving
from tests.support.record_builders import make_record, of_weights
from tests.support.servers import free_port, running, wait_until
from tsslbp.storage.records import ModelRecord, Provenance
from tsslbp.tracking import ModelContext, Store, import_records, tracking_store

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")


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
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
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


@contextmanager
def browser(profile: Path) -> Iterator[Any]:
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    quiet = ("disable-background-networking", "disable-component-update", "disable-sync", "no-first-run", "disable-quic", "disable-gpu")
    for flag in ("headless", "no-sandbox", *quiet, f"user-data-dir={profile}", "window-size=1500,1200"):
        options.add_argument(f"--{flag}")
    driver = webdriver.Chrome(options=options, service=Service(str(DRIVER)))
    try:
        yield driver
    finally:
        driver.quit()


def text_of(page: Any) -> str:
    return str(page.find_element("tag name", "body").text)


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
            _see_models(page, runs)
            _see_filters(page, runs)
            _see_curves(page, curves)
            _see_a_run(page, runs)
    assert psutil.wait_procs(family, timeout=60)[1] == [], "processes are left behind"
    assert server.returncode == 0


@pytest.mark.slow
def test_an_open_address_is_warned_of_and_a_folder_may_have_any_name(tmp_path: Path, empty_database: Path) -> None:
    folder = tmp_path / "my%20project"
    folder.mkdir()
    shutil.copy(empty_database, folder / "mlflow.db")
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


def _filtered(runs: str, query: str) -> str:
    return runs + "&" + urlencode({"searchFilter": query, "orderByKey": "params.`model`"})


def _open(page: Any, address: str) -> None:
    # Addresses that differ behind the # alone would not be loaded anew.
    page.get("about:blank")
    page.get(address)


def _see_models(page: Any, runs: str) -> None:
    _open(page, runs)
    wait_until(lambda: "digits-cnn" in text_of(page) and "digits-mlp" in text_of(page), "both models are listed")
    for column in ("best_mean", "published_mean", "98.5"):
        wait_until(lambda shown=column: shown in text_of(page), f"the list shows {column}")


def _see_filters(page: Any, runs: str) -> None:
    for query, matching in {"params.model = 'digits-cnn'": 3, "params.seed = '1'": 2, "params.dataset = 'digits'": 6}.items():
        _open(page, _filtered(runs, query))
        wait_until(lambda n=matching: f"{n} matching runs" in text_of(page), f"{query}: {matching} runs")


def _see_curves(page: Any, curves: str) -> None:
    _open(page, curves)
    wait_until(lambda: "digits-mlp seed 1" in text_of(page), "seeds stand one by one")
    for section in ("accuracy\n(2)", "firing_rate\n(2)", "loss\n(1)", "accuracy/train"):
        wait_until(lambda shown=section: shown in text_of(page), f"the charts have a section {section}")
    wait_until(lambda: _type(page, "input[placeholder='Search metric charts']", "accuracy/test"), "charts can be chosen")
    wait_until(
        lambda: len(page.find_elements("css selector", ".js-plotly-plot .scatterlayer .trace")) >= 4, "one chart shows all four seeds"
    )


def _see_a_run(page: Any, runs: str) -> None:
    _open(page, _filtered(runs, "params.model = 'digits-mlp' and params.seed = '0'"))
    wait_until(lambda: _click(page, "digits-mlp seed 0"), "the run can be opened")
    wait_until(lambda: "Parent run" in text_of(page) and "2021-03" in page.page_source, "its parameters and parent are shown")
    wait_until(lambda: _click(page, "Model metrics"), "its charts can be opened")
    wait_until(lambda: len(page.find_elements("css selector", ".js-plotly-plot .point")) >= 8, "its curves are drawn")
    wait_until(lambda: _click(page, "Artifacts"), "its files can be opened")
    wait_until(lambda: _click(page, "confusion.png"), "the confusion matrix is listed")
    wait_until(
        lambda: any(image.size["width"] > 300 for image in page.find_elements("css selector", "img")), "the confusion matrix is shown"
    )
    wait_until(lambda: _click(page, "weights"), "the weights are listed")
    wait_until(lambda: "best.safetensors" in text_of(page), "the weights are there")


def _type(page: Any, selector: str, text: str) -> bool:
    page.find_element("css selector", selector).send_keys(text)
    return True


def _click(page: Any, label: str) -> bool:
    for element in page.find_elements("xpath", f"//*[normalize-space(text())='{label}']"):
        if element.is_displayed():
            element.click()
            return True
    return False
