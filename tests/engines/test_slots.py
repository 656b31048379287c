"""Cores shared by several trainings, through lock files."""

import errno
import fcntl
import os
import signal
import subprocess
import sys
import time

import pytest

from tests.support.paths import ROOT
from tsslbp.engines.slots import CoreBudget


def test_what_is_taken_is_gone_until_it_is_given_back(tmp_path):
    budget = CoreBudget(tmp_path, range(2))
    one, other = budget.take(1), budget.take(1)
    assert one and other
    assert CoreBudget(tmp_path, range(2)).take(1) is None
    one.close()
    assert CoreBudget(tmp_path, range(2)).take(1) is not None


def test_all_or_nothing(tmp_path):
    budget = CoreBudget(tmp_path, range(3))
    two = budget.take(2)
    assert budget.take(2) is None
    one = budget.take(1)  # which the attempt before left free
    assert one
    two.close()
    assert budget.take(2) is not None


def test_who_was_given_other_cores_does_not_wait(tmp_path):
    held = CoreBudget(tmp_path, [0, 1]).take(2)
    assert CoreBudget(tmp_path, [1, 2]).take(2) is None
    one = CoreBudget(tmp_path, [1, 2]).take(1)
    assert held
    assert one
    assert CoreBudget(tmp_path, [2]).take(1) is None
    assert CoreBudget(tmp_path, ["beyond-0"]).take(1) is not None


def test_who_wants_more_than_there_is_gets_all(tmp_path):
    held = CoreBudget(tmp_path, range(2)).take(8)
    assert held
    assert CoreBudget(tmp_path, range(2)).take(1) is None
    held.close()


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOTSUP, errno.ENOLCK])
def test_without_locks_nobody_waits(tmp_path, monkeypatch, number):
    def refuse(*_):
        raise OSError(number, os.strerror(number))

    budget = CoreBudget(tmp_path, range(2))
    assert budget.counts()
    monkeypatch.setattr(fcntl, "flock", refuse)
    assert not budget.counts()
    held = budget.take(2)
    assert held is not None
    assert CoreBudget(tmp_path, range(2)).take(2) is not None
    held.close()


def test_a_killed_process_gives_back_what_it_took(tmp_path):
    program = (
        "import sys, time\nfrom pathlib import Path\nfrom tsslbp.engines.slots import CoreBudget\n"
        f"held = CoreBudget(Path({str(tmp_path)!r}), range(2)).take(2)\nprint('held', flush=True)\ntime.sleep(60)"
    )
    holder = subprocess.Popen([sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE)
    assert holder.stdout.readline() == b"held\n"
    budget = CoreBudget(tmp_path, range(2))
    assert budget.take(1) is None
    holder.send_signal(signal.SIGKILL)
    holder.communicate()
    deadline = time.monotonic() + 60
    while budget.take(2) is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
