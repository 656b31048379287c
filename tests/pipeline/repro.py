"""`dvc repro` at work in a copy of the project, and ways in which it ends."""

import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from tests.pipeline.project_copy import Copy
from tests.support.killing import MARKER, processes_of

REPORT = ("quickstart/dvc.yaml:report",)
RWLOCK = ".dvc/tmp/rwlock"
BUSY = "is already at work in another process"


def announced(stage: str) -> str:
    return f"Running stage 'quickstart/dvc.yaml:{stage}'"


class Repro:
    """`dvc repro` at work in a copy of the project."""

    def __init__(self, project: Copy, arguments: tuple[str, ...] = REPORT, command: tuple[str, ...] = ("repro",)) -> None:
        self._folder = project.folder
        self._output = project.folder.parent / f"repro-{time.monotonic_ns()}.output"
        environment = {**project.environment, MARKER: str(project.folder)}
        # A file, and no pipe: a stage that has lost its DVC still has somewhere to print to.
        with self._output.open("w") as file:
            self.process = subprocess.Popen(
                ["dvc", *command, *arguments], cwd=self._folder, env=environment, stdout=file, stderr=subprocess.STDOUT
            )

    @property
    def output(self) -> str:
        return self._output.read_text()

    def reaches(self, text: str, seconds: float = 400) -> bool:
        """Wait until it has printed this; False where it ends before."""
        deadline = time.monotonic() + seconds
        while text not in self.output:
            if self.process.poll() is not None:
                return text in self.output
            assert time.monotonic() < deadline, self.output
            time.sleep(0.01)
        return True

    def says_that_it_is_busy(self) -> bool:
        """Whether it ended with one line that says so."""
        assert self.process.wait(400) != 0, self.output
        assert "Traceback" not in self.output
        return sum(BUSY in line for line in self.output.splitlines()) == 1

    def damaged(self) -> Path | None:
        """The file for which it ended: DVC writes two in place, and a kill may cut them off."""
        assert self.process.wait(400) != 0, self.output
        if any(f"dvc.lock' {what}" in self.output for what in ("validation failed", "is invalid")):
            return self._folder / "quickstart/dvc.lock"
        return self._folder / RWLOCK if f"Unable to read RWLock-file '{RWLOCK}'" in self.output else None

    def stages(self) -> list[int]:
        """All processes but DVC itself."""
        return [pid for pid in processes_of(self._folder) if pid != self.process.pid]


def send(processes: list[int], number: int) -> None:
    for pid in processes:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def everything(repro: Repro) -> None:
    """A power cut."""
    repro.process.kill()
    send(repro.stages(), signal.SIGKILL)


def dvc_alone(repro: Repro) -> None:
    repro.process.kill()


def stage_alone(repro: Repro) -> None:
    send(repro.stages(), signal.SIGKILL)
