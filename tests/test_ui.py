"""`make ui`: the MLflow UI on a project's database, in a real browser, and every way in which it may not start."""

import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import psutil
import pytest

from stages.common import run
from stages.ui import main, make_parser
from tests.record_builders import make_record
from tests.servers import ROOT, free_port, running, wait_until
from tsslbp.storage.records import ModelRecord, Provenance
from tsslbp.tracking import Store, import_records

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


def params_in(folder: Path) -> Path:
    return Path(shutil.copy(ROOT / "params.yaml", folder / "params.yaml"))


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


# --- the slow rest: a real server, a real browser


def models() -> list[tuple[ModelRecord, Provenance]]:
    return [make_record(seeds=(0, 1), epochs=8, model=model, experiment="tsslbp") for model in ("digits-mlp", "digits-cnn")]


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
    import_records(store, models(), lambda _model, _seed: {"best.safetensors": tmp_path / "weights"})
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
    assert psutil.wait_procs(family, timeout=5)[1] == [], "processes are left behind"
    assert server.returncode == 0


def _filtered(runs: str, query: str) -> str:
    return runs + "&" + urlencode({"searchFilter": query, "orderByKey": "params.`model`"})


def _open(page: Any, address: str) -> None:
    # Addresses that differ behind the # alone would not be loaded anew.
    page.get("about:blank")
    page.get(address)


def _see_models(page: Any, runs: str) -> None:
    _open(page, runs)
    wait_until(lambda: "digits-cnn" in text_of(page) and "digits-mlp" in text_of(page), "both models are listed")


def _see_filters(page: Any, runs: str) -> None:
    for query, matching in {"params.model = 'digits-cnn'": 3, "params.seed = '1'": 2, "params.dataset = 'digits'": 6}.items():
        _open(page, _filtered(runs, query))
        wait_until(lambda n=matching: f"{n} matching runs" in text_of(page), f"{query}: {matching} runs")


def _see_curves(page: Any, curves: str) -> None:
    _open(page, curves)
    wait_until(lambda: "digits-mlp seed 1" in text_of(page), "seeds stand one by one")
    wait_until(lambda: _type(page, "input[placeholder='Search metric charts']", "test_accuracy"), "charts can be chosen")
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
