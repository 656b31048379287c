"""The near end of a process of JAX, which has an environment of its own: one line of JSON per question and answer, arrays in files."""

import contextlib
import json
import os
import subprocess
import tempfile
import traceback
from collections import deque
from collections.abc import Callable
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Self

from benchmarks import ROOT
from benchmarks.cases import Case, NetworkCase
from benchmarks.processes.commands import Findings, Turn
from benchmarks.processes.job import GRACE, Job, WorkerError, without_interrupts
from benchmarks.roster import JAX_ENVIRONMENT

ERRORS = "errors"
"""The file, among a process's inputs, with what it or the process that writes them stopped with."""
ALLOCATOR = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(2**31 - 1), "MALLOC_TOP_PAD_": str(2**28)}
"""glibc's settings that the processes of PyTorch get from `tsslbp.system.keep_large_blocks`."""
_ANSWERS: dict[str, Callable[[Any], Any]] = {
    "turn": lambda answer: Turn(**answer),
    "once": lambda answer: Turn(**answer),
    "findings": lambda answer: Findings(**answer | {"rates": tuple(answer["rates"])}),
}


class JaxWorker:
    """A `Worker` in the environment of JAX. Its samples and weights are written by a process of this environment meanwhile."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._case: Case = job.case if job.setting else job.case.trial
        self._folder = tempfile.TemporaryDirectory(prefix="benchmark-")
        self._asked: deque[str] = deque()
        self._inputs = get_context("spawn").Process(target=_write_inputs, args=(self._case, Path(self._folder.name)), daemon=True)
        self._process: subprocess.Popen[str] | None = None
        self._failure = ""
        if isinstance(self._case, NetworkCase):
            with without_interrupts():
                self._inputs.start()

    def send(self, command: str, *arguments: object) -> None:
        """See `Worker`."""
        self._asked.append(command)
        if self._process is None:
            self._failure = self._wait_for_inputs() or self._begin()
            if self._failure:
                return
        assert self._process is not None and self._process.stdin is not None
        with contextlib.suppress(ConnectionError):
            self._process.stdin.write(json.dumps([command, *arguments], default=asdict) + "\n")
            self._process.stdin.flush()

    def _wait_for_inputs(self) -> str:
        """Wait until samples and weights are written; returns what went wrong."""
        if not isinstance(self._case, NetworkCase):
            return ""
        self._inputs.join()
        errors = Path(self._folder.name) / ERRORS
        if errors.exists():
            return errors.read_text()
        return f"the process that writes its samples ended with code {self._inputs.exitcode}" if self._inputs.exitcode else ""

    def _begin(self) -> str:
        """Start the process; returns what went wrong."""
        try:
            self._process = self._start()
        except OSError as error:
            return f"{type(error).__name__}: {error}"
        return ""

    def _start(self) -> "subprocess.Popen[str]":
        folder, case, job = Path(self._folder.name), self._case, self._job
        layer = None if isinstance(case, NetworkCase) else asdict(case)
        assert job.entry.peer is not None
        task = {"peer": job.entry.peer.name, "threads": job.threads, "layer": layer, "setting": job.setting and asdict(job.setting)}
        return subprocess.Popen(
            [JAX_ENVIRONMENT.absolute() / "bin/python", "-m", "benchmarks.jax.worker", json.dumps(task)],
            cwd=folder,
            env=os.environ | ALLOCATOR | {"PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=(folder / ERRORS).open("wb"),
            text=True,
            start_new_session=True,  # an interrupt from the keyboard is for the process that reports
        )

    def receive(self) -> Any:
        """See `Worker`."""
        if self._failure:
            raise WorkerError(self._failure)
        assert self._process is not None and self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            last = (Path(self._folder.name) / ERRORS).read_text(errors="replace").strip().splitlines()[-1:]
            code = self._process.wait()
            raise WorkerError(f"the process ended with code {code}, perhaps for want of memory{': ' if last else ''}{''.join(last)}")
        good, answer = json.loads(line)
        if not good:
            raise WorkerError(answer)
        return _ANSWERS.get(self._asked.popleft(), lambda found: found)(answer)

    def ask(self, command: str, *arguments: object) -> Any:
        """See `Worker`."""
        self.send(command, *arguments)
        return self.receive()

    def dismiss(self) -> None:
        """See `Worker`."""
        if self._process is not None and self._process.stdin is not None:
            with contextlib.suppress(ConnectionError):
                self._process.stdin.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.dismiss()
        if self._inputs.is_alive():
            self._inputs.terminate()
        if self._process is not None:
            self._end(self._process, 0.0 if kind is not None else GRACE)
        self._folder.cleanup()

    @staticmethod
    def _end(process: "subprocess.Popen[str]", grace: float) -> None:
        for seconds, stop in ((grace, process.terminate), (GRACE, process.kill)):
            try:
                process.wait(seconds)
            except subprocess.TimeoutExpired:
                stop()
        process.wait()


def _write_inputs(case: NetworkCase, folder: Path) -> None:
    try:
        from benchmarks.jax.inputs import write_inputs

        write_inputs(case, folder)
    except Exception as error:  # whatever it is, it is for the table
        (folder / ERRORS).write_text(traceback.format_exception_only(error)[-1].strip())
