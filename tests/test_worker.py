"""Where a worker process begins: it asks to end with its driver before anything that takes time."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.project import ROOT

PATIENCE = 60
"""Seconds for what takes a fraction of one, on a busy machine."""

STARTS_ONE_AND_WAITS = """
import os, subprocess, sys, time
worker = subprocess.Popen([sys.executable, "-m", "tsslbp.worker", "0", str(os.getpid())])
print(worker.pid, flush=True)
time.sleep(600)
"""


def is_running(pid: int) -> bool:
    """Whether the process exists and is more than an entry that nobody has read."""
    try:
        return "(python" in (stat := Path(f"/proc/{pid}/stat").read_text()) and stat.rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until(holds) -> None:
    """Wait for something, in vain for at most a minute."""
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.fixture
def endless_torch(tmp_path):
    """An environment in which importing PyTorch never ends, and the file that is there as soon as it has begun."""
    begun = tmp_path / "begun"
    (tmp_path / "torch.py").write_text(f"import pathlib, time\npathlib.Path({str(begun)!r}).touch()\ntime.sleep(600)\n")
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}, begun


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_a_worker_that_still_imports_ends_with_its_killed_driver(endless_torch):
    environment, begun = endless_torch
    with subprocess.Popen([sys.executable, "-c", STARTS_ONE_AND_WAITS], stdout=subprocess.PIPE, env=environment) as driver:
        worker = int(driver.stdout.readline())
        try:
            wait_until(begun.exists)
            assert is_running(worker)
            driver.kill()
            wait_until(lambda: not is_running(worker))
        finally:
            driver.kill()
            if is_running(worker):
                os.kill(worker, signal.SIGKILL)


def test_a_worker_whose_driver_is_gone_already_ends_before_it_imports(endless_torch):
    environment, begun = endless_torch
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    worker = subprocess.run([sys.executable, "-m", "tsslbp.worker", "0", str(ended.pid)], env=environment, timeout=PATIENCE)
    assert worker.returncode == 1
    assert not begun.exists()
