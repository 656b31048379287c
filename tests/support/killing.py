"""Stages in processes that tell what they are doing, so that a test can end them in the middle of it; and what is left of them.

A process is forked off a server that has imported everything and run nothing: it starts at once, and is a process like any other.
"""

import functools
import multiprocessing
import os
import runpy
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

WARM = (
    "torch",
    "sklearn.datasets",
    "sklearn.model_selection",
    "matplotlib.backends.backend_agg",
    "stages.common",
    "stages.display",
    "tsslbp.data.simulation",
    "tsslbp.data.preprocessing",
    "tsslbp.report.write",
    "tsslbp.experiment",
    "tsslbp.engines.local",
    "tsslbp.tracking",
    "mlflow",
    "mlflow.store.tracking.sqlalchemy_store",
    "tests.support.warm",
)
"""What the server imports: all that a stage needs. A module that is missing here only costs time."""

STAGE = "stage"
TRANSFER = "tsslbp.data.transfer:Downloader.download"
SIMULATION = "tsslbp.data.simulation:write_recordings"
ARRAYS = "tsslbp.data.preprocessing:preprocess"
EPOCH = "tsslbp.method.loop:_train_epoch"
CHECKPOINT = "tsslbp.engines.local:save_packed"
WEIGHTS = "tsslbp.experiment:save_weights"
RECORD = "tsslbp.storage.record_files:write_record"
PUBLISH = "tsslbp.storage.record_files:publish_record"
LOG_EPOCHS = "tsslbp.tracking.live:LiveLog._write_epochs"
LOG_SEED = "tsslbp.tracking.live:finish_seed"
LOG_MODEL = "tsslbp.tracking.live:log_model"
DATABASE = "tsslbp.tracking.ledger:connect"
IMPORT = "tsslbp.tracking.ledger:log_model"
TABLES = "tsslbp.report.write:write_reports"
PLACES = (
    TRANSFER,
    SIMULATION,
    ARRAYS,
    EPOCH,
    CHECKPOINT,
    WEIGHTS,
    RECORD,
    PUBLISH,
    LOG_EPOCHS,
    LOG_SEED,
    LOG_MODEL,
    DATABASE,
    IMPORT,
    TABLES,
)
"""The functions whose beginning and end a stage's process tells; STAGE is the whole of it, without imports."""

MARKER = "TSSLBP_TEST_PROJECT"
"""A variable in the environment of processes that a test starts by command; its value is the project's folder."""

Prepare = Callable[[], object]


def nothing() -> None:
    """Prepare nothing."""


@dataclass(frozen=True)
class Event:
    """A process began something, or was done with it; `when` in seconds of the machine's clock."""

    place: str
    began: bool
    when: float


class Running:
    """A stage in a process of its own.

    Args:
        folder: the project's, in which it runs.
        stage: its name.
        arguments: its command line.
        prepare: called in the process before the stage; it is pickled.
    """

    def __init__(self, folder: Path, stage: str, *arguments: str, prepare: Prepare = nothing) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(list(WARM))
        self._output = folder.parent / f"{stage}-{time.monotonic_ns()}.output"
        self._events, sender = context.Pipe(duplex=False)
        self.process = context.Process(target=_run, args=(folder, stage, arguments, prepare, sender, self._output))
        self.process.start()
        sender.close()
        self.seen: list[Event] = []

    def reaches(self, place: str, times: int = 1, seconds: float = 300) -> bool:
        """Wait until it begins `place` for the so manieth time; False where it ends before."""
        deadline = time.monotonic() + seconds
        while sum(event.began for event in self.seen if event.place == place) < times:
            assert self._events.poll(deadline - time.monotonic()), f"{place} not reached in {seconds} s"
            if not self._receive():
                return False
        return True

    def _receive(self) -> bool:
        try:
            self.seen.append(self._events.recv())
        except EOFError:
            return False
        return True

    def wait(self, seconds: float = 120) -> int:
        """Wait for its end; returns the exit code, -9 after SIGKILL."""
        while self._receive():
            pass
        self.process.join(seconds)
        assert self.process.exitcode is not None, f"not done in {seconds} s"
        return self.process.exitcode

    def kill(self) -> int:
        """SIGKILL, if there is something to kill yet; returns the exit code."""
        self.process.kill()
        return self.wait()

    @property
    def output(self) -> str:
        """All that it printed."""
        return self._output.read_text()

    def unfinished(self) -> set[str]:
        """What it had begun and not done when it ended."""
        open_places = [event.place for event in self.seen if event.began]
        for event in self.seen:
            if not event.began:
                open_places.remove(event.place)
        return set(open_places)

    def durations(self) -> Iterator[tuple[str, float]]:
        """How long everything took that it was done with."""
        began: dict[str, list[float]] = {}
        for event in self.seen:
            if event.began:
                began.setdefault(event.place, []).append(event.when)
            else:
                yield event.place, event.when - began[event.place].pop(0)


def run(folder: Path, stage: str, *arguments: str, code: int = 0, prepare: Prepare = nothing) -> Running:
    """Run a stage to its end, which is no traceback."""
    running = Running(folder, stage, *arguments, prepare=prepare)
    assert running.wait() == code, running.output
    assert "Traceback" not in running.output, running.output
    return running


def _run(folder: Path, stage: str, arguments: tuple[str, ...], prepare: Prepare, sender: Any, output: Path) -> None:
    """What a process does: as `python -m stages.<stage> <arguments>` in the project's folder."""
    os.chdir(folder)
    os.environ["MLFLOW_TRACKING_URI"] = os.environ["TSSLBP_MIRROR"] = ""
    os.environ["NO_PROXY"] = "127.0.0.1"
    descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    for place in PLACES:
        owner, _, name = place.replace(":", ".").rpartition(".")
        found = resolve_name(owner)
        setattr(found, name, _told(getattr(found, name), place, sender.send))
    sys.argv = [stage, *arguments]
    prepare()
    _told(runpy.run_module, STAGE, sender.send)(f"stages.{stage}", run_name="__main__", alter_sys=True)


def _told(function: Callable[..., Any], place: str, send: Callable[[Event], None]) -> Callable[..., Any]:
    @functools.wraps(function)
    def telling(*arguments: Any, **named: Any) -> Any:
        send(Event(place, True, time.monotonic()))
        try:
            return function(*arguments, **named)
        finally:
            send(Event(place, False, time.monotonic()))

    return telling


def processes_of(folder: Path) -> list[int]:
    """The processes that work in a project's folder, or carry its name in their environment."""
    marker = f"{MARKER}={folder}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError):  # it has ended meanwhile
            at_home = entry.name.isdigit() and (entry / "cwd").readlink().is_relative_to(folder)
            if entry.name.isdigit() and (at_home or marker in (entry / "environ").read_bytes().split(b"\0")):
                found.append(int(entry.name))
    return found


def command_of(pid: int) -> str:
    """The command line of a process, or nothing where it has ended."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    return ""


def wait_for_their_end(folder: Path, seconds: float = 120) -> None:
    """Fail where a project's processes outlive what started them; a stage that lost its DVC may finish its work, slowly on a busy machine."""
    deadline = time.monotonic() + seconds
    while left := processes_of(folder):
        assert time.monotonic() < deadline, f"orphans: {[command_of(pid) for pid in left]}"
        time.sleep(0.02)
