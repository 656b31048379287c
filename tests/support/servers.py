"""Processes that tests start, end and wait for."""

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from tests.support.paths import ROOT


def free_port() -> int:
    """A port that nothing listens on, from outside the range out of which the system gives a client its own."""
    while True:
        port = random.SystemRandom().randint(20_000, 32_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@contextmanager
def running(*command: object, is_read: bool = True) -> Iterator[subprocess.Popen[str]]:
    """Run a command in the project's root, and end it with SIGTERM; where nobody reads what it says, that goes nowhere and fills no pipe."""
    environment = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
    environment |= {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    output = subprocess.PIPE if is_read else subprocess.DEVNULL
    process = subprocess.Popen([sys.executable, "-m", *map(str, command)], cwd=ROOT, env=environment, stdout=output, text=True)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(120)


def wait_until(condition: Callable[[], bool], what: str, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            if condition():
                return
        except Exception:  # an element may go while it is looked at
            if time.monotonic() > deadline:
                raise
        assert time.monotonic() < deadline, what
        time.sleep(0.3)
