"""Worker processes as the driver sees them: started, spoken to, and ended."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from pathlib import Path

from tsslbp.engines.jobs import Job

_ROOT = Path(__file__).parents[2]


class WorkerProcess:
    """A new Python process that waits for jobs; nothing is forked, so it inherits no thread's lock and no compiled kernel's state.

    Attributes:
        connection: to it.
        job: what it works on; None while it waits.
    """

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        self.connection = Connection(ours.detach())
        self.job: Job | None = None
        command = [sys.executable, "-m", "tsslbp.worker", str(theirs.fileno()), str(os.getpid())]
        with theirs, _interrupts_are_ours():
            self._process = subprocess.Popen(
                command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=_environment()
            )

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    def begin(self, job: Job) -> None:
        """Hand it a job; where it has ended already, the next receive says so."""
        self.job = job
        with suppress(BrokenPipeError, ConnectionResetError):
            self.connection.send(job)

    def describe_end(self) -> str:
        """What ended a process whose pipe is closed: "was killed by signal 9 (SIGKILL)"."""
        self.connection.close()
        code = self._process.wait()
        if code >= 0:
            return f"ended with exit code {code}"
        with suppress(ValueError):
            return f"was killed by signal {-code} ({signal.Signals(-code).name})"
        return f"was killed by signal {-code}"

    def end(self) -> None:
        """End it, wherever it is."""
        self.connection.close()
        self._process.kill()
        self._process.wait()


@contextmanager
def _interrupts_are_ours() -> Iterator[None]:
    """Start a process that Ctrl-C does not reach, though it is in the terminal's group: the driver ends it.

    The mask is inherited. An interrupt that comes in between reaches the driver after the block.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _environment() -> dict[str, str]:
    """The driver's, with this very package found first."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])}
