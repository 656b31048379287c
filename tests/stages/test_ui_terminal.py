"""How `make ui` ends where its terminal is closed: with all its processes, or not at all."""

import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import psutil
import pytest

from tests.stages.ui_settings import params_in
from tests.support.servers import free_port, running

pytestmark = pytest.mark.slow


@pytest.fixture(params=[False, True], ids=["plain", "nohup"])
def is_nohup(request: pytest.FixtureRequest) -> Iterator[bool]:
    """Whether programs that are started from here are to ignore SIGHUP; the tests themselves may have been started either way."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN if request.param else signal.SIG_DFL)
    yield bool(request.param)
    signal.signal(signal.SIGHUP, before)


def test_a_closed_terminal_ends_all_its_processes_unless_nohup_keeps_them(is_nohup: bool, tmp_path: Path, empty_database: Path) -> None:
    if is_nohup:  # the other time it makes its database
        shutil.copy(empty_database, tmp_path / "mlflow.db")
    port = free_port()
    with running("stages.ui", "--params", params_in(tmp_path), "--port", port) as server:
        assert server.stdout is not None
        server.stdout.readline()
        family = psutil.Process(server.pid).children(recursive=True)
        for _ in range(2):  # the system's and the shell's
            server.send_signal(signal.SIGHUP)
            time.sleep(0.5)
        if is_nohup:
            with urlopen(f"http://127.0.0.1:{port}/health", timeout=30) as answer:
                assert answer.status == 200
        else:
            assert server.wait(60) == 0
    assert psutil.wait_procs(family, timeout=60)[1] == [], "processes are left behind"
    assert server.returncode == 0
