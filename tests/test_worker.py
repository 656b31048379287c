"""Where a worker process begins: it asks to end with its driver before anything that takes time."""

import os
import subprocess
import sys
import time

import pytest

from tests.support.killing import processes_of, wait_for_their_end
from tests.support.paths import ROOT

PATIENCE = 60
"""Seconds for what takes a fraction of one, on a busy machine."""

STARTS_ONE_AND_WAITS = """
import os, subprocess, sys, time
subprocess.Popen([sys.executable, "-m", "tsslbp.worker", "0", str(os.getpid())])
time.sleep(600)
"""


@pytest.fixture
def endless_torch(tmp_path):
    """An environment in which importing PyTorch never ends, and the file that is there as soon as it has begun."""
    begun = tmp_path / "begun"
    (tmp_path / "torch.py").write_text(f"import pathlib, time\npathlib.Path({str(begun)!r}).touch()\ntime.sleep(600)\n")
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}, begun


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_a_worker_that_still_imports_ends_with_its_killed_driver(endless_torch, tmp_path):
    environment, begun = endless_torch
    with subprocess.Popen([sys.executable, "-c", STARTS_ONE_AND_WAITS], cwd=tmp_path, env=environment) as driver:
        try:
            deadline = time.monotonic() + PATIENCE
            while not begun.exists():
                assert time.monotonic() < deadline
                time.sleep(0.02)
            assert len(processes_of(tmp_path)) == 2
        finally:
            driver.kill()
    wait_for_their_end(tmp_path, PATIENCE)


def test_a_worker_whose_driver_is_gone_already_ends_before_it_imports(endless_torch):
    environment, begun = endless_torch
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    worker = subprocess.run([sys.executable, "-m", "tsslbp.worker", "0", str(ended.pid)], env=environment, timeout=PATIENCE)
    assert worker.returncode == 1
    assert not begun.exists()
