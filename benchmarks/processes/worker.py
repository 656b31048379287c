"""One implementation in one case in a process of its own: it waits for its turn on a pipe, and only then computes.

Waiting processes sleep, so that the one whose turn it is has the machine for itself. A worker ends when its pipe does.
"""

import contextlib
import functools
import logging
import os
import signal
import traceback
import warnings
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any, Self

from benchmarks.cases import NetworkCase
from benchmarks.jax.process import JaxWorker
from benchmarks.processes.commands import SYNTHETIC, Commands
from benchmarks.processes.job import GRACE, Job, Worker, WorkerError, environment_of, with_environment, without_interrupts
from benchmarks.roster import Setting
from tsslbp.settings import Execution


def start(job: Job) -> Worker:
    """Start the process of a job: of PyTorch, or of JAX in its own environment."""
    return JaxWorker(job) if job.entry.on_jax else TorchWorker(job)


class TorchWorker:
    """A process of this environment."""

    def __init__(self, job: Job) -> None:
        context = get_context("spawn")
        self._near, far = context.Pipe()
        self._process = context.Process(target=serve, args=(far, job), daemon=True)
        with without_interrupts(), with_environment(environment_of(job)):
            self._process.start()
        far.close()

    def send(self, command: str, *arguments: object) -> None:
        """See `Worker`."""
        with contextlib.suppress(ConnectionError):
            self._near.send((command, *arguments))

    def receive(self) -> Any:
        """See `Worker`."""
        try:
            good, answer = self._near.recv()
        except (EOFError, ConnectionResetError):
            self._process.join()
            raise WorkerError(f"the process ended with code {self._process.exitcode}, perhaps for want of memory") from None
        if not good:
            raise WorkerError(answer)
        return answer

    def ask(self, command: str, *arguments: object) -> Any:
        """See `Worker`."""
        self.send(command, *arguments)
        return self.receive()

    def dismiss(self) -> None:
        """See `Worker`."""
        self._near.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.dismiss()
        if kind is not None:
            self._process.terminate()
        for stop in (self._process.terminate, self._process.kill):
            self._process.join(GRACE)
            if self._process.exitcode is None:
                stop()
        self._process.join()


def serve(connection: Connection, job: Job) -> None:
    """The far end: answer until the pipe ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        commands = commands_of(job)
        while True:
            command, *arguments = connection.recv()
            connection.send((True, getattr(commands, command)(*arguments)))
    except (EOFError, ConnectionError):
        return
    except Exception as error:  # whatever a library raises is for the table
        connection.send((False, traceback.format_exception_only(error)[-1].strip()))


def commands_of(job: Job) -> Commands:
    """Prepare this process for a job as the stage `train` prepares its own, for the peers too, and return what it can be asked."""
    _be_quiet(job)
    from benchmarks.networks.implementations import Implementation, build, rehearse
    from benchmarks.networks.inputs import Samples, load
    from tsslbp.method.numerics import prepare_device
    from tsslbp.system import keep_large_blocks

    prepare_device(Execution(device="cpu", threads=job.threads))
    # A whole data set is loaded for a few of its samples: while its memory can still be given back.
    data = load(job.case) if isinstance(job.case, NetworkCase) else None
    keep_large_blocks()  # the peers should not suffer from an allocator that they could have set

    @functools.cache
    def trial_data() -> Samples | None:
        case = job.case.trial
        return load(case) if isinstance(case, NetworkCase) else None

    def make(setting: Setting | None, trial: bool) -> Implementation:
        return build(job.entry, job.case.trial, setting, trial_data()) if trial else build(job.entry, job.case, setting, data)

    if job.setting is not None or job.entry.kind != "peer":
        rehearse(job.entry, job.case, job.setting)
    return Commands(make, job.setting, data.source if data else SYNTHETIC, job.entry.compiled)


def _be_quiet(job: Job) -> None:
    """Keep the libraries' warnings off the screen, and what torch.compile stores inside the project."""
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    if job.entry.compiled and isinstance(job.case, NetworkCase):
        folder = job.case.settings.folders.scratch.resolve() / "benchmark" / "inductor"
        os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(folder))
        # Compilers in processes of their own would wait beside those that are measured, and count as other programs when they are gone.
        os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")
