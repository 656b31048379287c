"""One contestant in one case in a process of its own: it waits for its turn on a pipe, and only then computes.

Waiting processes sleep, so that the one whose turn it is has the machine for itself. A worker ends when its pipe does.
"""

import contextlib
import logging
import os
import signal
import time
import traceback
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any, Self

from benchmarks.cases import Case, NetworkCase
from benchmarks.memory_use import current, forget_peak, give_back, peak
from benchmarks.roster import Entry, Setting
from tsslbp.settings import Execution

if TYPE_CHECKING:
    from benchmarks.contestants import Contestant

TRIAL_ROUNDS = 3
WARM_UPS = 5
PATIENCE = 3.0
"""Seconds that a process gets to end by itself."""
SLOW_STEP = 1.0
"""Seconds: settings that take longer a step are compared by one step each, after a warm-up."""


class WorkerError(RuntimeError):
    """What a contestant stopped with; its last line, as nobody but its author can read the rest."""


@dataclass(frozen=True, eq=False)
class Job:
    """What a worker is to do. `setting`: of a peer; None: it is only to find out which is the fastest."""

    case: Case
    entry: Entry
    threads: int
    setting: Setting | None = None


@dataclass(frozen=True)
class Findings:
    """What a worker knows after its turns.

    Attributes:
        rates: spikes per neuron and step, a value a layer.
        source: where the samples came from.
        base: memory before the network is built: imports and samples, bytes.
        peak: the largest since then, bytes.
    """

    rates: tuple[float, ...]
    source: str
    base: int
    peak: int


class Worker:
    """The near end: start it, ask it, close it; a context manager."""

    def __init__(self, job: Job) -> None:
        context = get_context("spawn")
        self._near, far = context.Pipe()
        self._process = context.Process(target=serve, args=(far, job), daemon=True)
        # An interrupt from the keyboard reaches every process; only the one that reports is to act on it.
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            self._process.start()
        finally:
            signal.signal(signal.SIGINT, before)
        far.close()
        self.name = job.entry.name

    def send(self, command: str, *arguments: object) -> None:
        """Ask for something without waiting; if the process is gone, `receive` will tell."""
        with contextlib.suppress(ConnectionError):
            self._near.send((command, *arguments))

    def receive(self) -> Any:
        """The answer to the oldest question.

        Raises:
            WorkerError: the contestant failed.
        """
        try:
            good, answer = self._near.recv()
        except (EOFError, ConnectionResetError):
            self._process.join()
            raise WorkerError(f"the process ended with code {self._process.exitcode}, perhaps for want of memory") from None
        if not good:
            raise WorkerError(answer)
        return answer

    def ask(self, command: str, *arguments: object) -> Any:
        """`send`, then `receive`."""
        self.send(command, *arguments)
        return self.receive()

    def dismiss(self) -> None:
        """Let the process go, without waiting until it has gone."""
        self._near.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.dismiss()
        if kind is not None:
            self._process.terminate()
        for stop in (self._process.terminate, self._process.kill):
            self._process.join(PATIENCE)
            if self._process.exitcode is None:
                stop()
        self._process.join()


def serve(connection: Connection, job: Job) -> None:
    """The far end: answer until the pipe ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        commands = _Commands(job)
        while True:
            command, *arguments = connection.recv()
            connection.send((True, getattr(commands, command)(*arguments)))
    except (EOFError, ConnectionError):
        return
    except Exception as error:  # whatever a library raises is for the table
        connection.send((False, traceback.format_exception_only(error)[-1].strip()))


class _Commands:
    """What a worker can be asked."""

    def __init__(self, job: Job) -> None:
        _be_quiet(job)
        from benchmarks.contestants import build, rehearse
        from benchmarks.inputs import MADE, load
        from tsslbp.method.numerics import prepare_device
        from tsslbp.system import keep_large_blocks

        prepare_device(Execution(device="cpu", threads=job.threads))  # as the stage `train` does it, and for the peers, too
        self._job, self._build = job, build
        self._contestant: Contestant | None = None
        self._gave_back = False
        # A whole data set is loaded for a few of its samples: while its memory can still be given back.
        self._data = load(job.case) if isinstance(job.case, NetworkCase) else None
        self._source = self._data.source if self._data else MADE
        keep_large_blocks()  # the peers too: they shall not suffer from an allocator that they could have set
        if job.setting is not None or job.entry.kind != "peer":
            rehearse(job.entry, job.case, job.setting)
        self._base = current()
        forget_peak()

    def awake(self) -> None:
        """Nothing more to do than to have been started."""

    def ready(self) -> None:
        """Build the contestant."""
        self._contestant = self._build(self._job.entry, self._job.case, self._job.setting, self._data)

    def warm_up(self, mode: str) -> tuple[float, int]:
        """Seconds of a step, `"train"` or `"infer"`, once all is compiled and memory at hand; and that memory, bytes."""
        step = self._step(mode)
        _timed(step, 1)
        seconds = [_timed(step, 1)]
        # What was compiled may be compiled once more in a later step, and then go on fast.
        while (seconds[-1] < SLOW_STEP or self._job.entry.compiled) and len(seconds) < WARM_UPS:
            seconds.append(_timed(step, 1))
        self._give_back()
        return min(seconds), peak() - self._base

    def turn(self, mode: str, steps: int, keep_memory: bool) -> float:
        """Seconds a step, after those that bring caches and memory back; then the memory may go to the others."""
        step = self._step(mode)
        for _ in range(2 if self._gave_back else 1):
            step()
        self._gave_back = False
        seconds = _timed(step, steps) / steps
        if not keep_memory:
            self._give_back()
        return seconds

    def once(self) -> float:
        """Seconds of the very first training step."""
        return _timed(self._step("train"), 1)

    def _step(self, mode: str) -> Callable[[], object]:
        assert self._contestant is not None
        step: Callable[[], object] = getattr(self._contestant, mode)
        return step

    def _give_back(self) -> None:
        give_back()
        self._gave_back = True

    def findings(self) -> Findings:
        """Memory and firing rates; the memory first, as finding out the rates takes some."""
        assert self._contestant is not None
        largest = peak()
        return Findings(self._contestant.firing_rates(), self._source, self._base, largest)

    def trial(self, settings: Sequence[Setting]) -> list[tuple[Setting, float]]:
        """A peer's settings with the seconds of their fastest training step, fastest first."""
        from benchmarks.inputs import load

        case = self._job.case.trial
        data = load(case) if isinstance(case, NetworkCase) else None
        contestants = [self._build(self._job.entry, case, setting, data) for setting in settings]
        best = [_timed(contestant.train, 1) for contestant in contestants]
        rounds = 1 if max(best) > SLOW_STEP else TRIAL_ROUNDS
        times = [[_timed(contestant.train, 1) for contestant in contestants] for _ in range(rounds)]
        return sorted(zip(settings, map(min, zip(*times, strict=True)), strict=True), key=lambda pair: pair[1])


def _be_quiet(job: Job) -> None:
    """Keep the libraries' warnings off the screen, and what torch.compile stores inside the project."""
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    if job.entry.compiled and isinstance(job.case, NetworkCase):
        folder = job.case.settings.folders.scratch.resolve() / "benchmark" / "inductor"
        os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(folder))
        # Compilers in processes of their own would wait beside those who are measured, and count as other programs when they are gone.
        os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")


def _timed(step: Callable[[], object], steps: int) -> float:
    began = time.perf_counter()
    for _ in range(steps):
        step()
    return time.perf_counter() - began
