"""The engine of one machine: a single seed in this process, several in worker processes beside it.

Bits do not depend on which: a worker sets itself up as this process does, and a seed's numbers follow from its job alone.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from multiprocessing.connection import Connection, wait

from tsslbp.engines.jobs import EpochDone, Event, Events, Failed, Finished, Job, Lost, OnBatch, Started
from tsslbp.engines.losses import Losses
from tsslbp.engines.messages import Batch, Broken, Packed, receive_pieces
from tsslbp.engines.processes import WorkerProcess
from tsslbp.engines.slots import POLL, CoreBudget, Waiting
from tsslbp.engines.work import Measured, newest_state, prepare_job, train_job
from tsslbp.method.batches import Splits
from tsslbp.storage.checkpoints import save_packed
from tsslbp.storage.files import WriteError


class LocalEngine:
    """Trains so many seeds at a time on this machine.

    Args:
        at_a_time: how many; with 1, or for a single job, no other process is started.
        budget: the cores to take for each seed.
        say: takes a line for the user.
    """

    def __init__(self, at_a_time: int, budget: CoreBudget, say: Callable[[str], None]) -> None:
        self._at_a_time, self._budget, self._say = at_a_time, budget, say

    def train(self, jobs: Sequence[Job], splits: Splits, on_batch: OnBatch) -> Events:
        """Train every job to its end; see `jobs.Engine`."""
        if min(self._at_a_time, len(jobs)) <= 1:
            return self._train_here(jobs, splits, on_batch)
        return _Pool(jobs, min(self._at_a_time, len(jobs)), self._budget, self._say, on_batch).events()

    def _train_here(self, jobs: Sequence[Job], splits: Splits, on_batch: OnBatch) -> Events:
        for job in jobs:
            with self._wait_for_cores(job):
                yield from _train_one(job, splits, on_batch)

    def _wait_for_cores(self, job: Job) -> ExitStack:
        waiting = Waiting(self._say)
        while (cores := self._budget.take(job.task.threads)) is None:
            waiting.tell()
            time.sleep(POLL)
        return cores


def _train_one(job: Job, splits: Splits, on_batch: OnBatch) -> Iterator[Event]:
    """Train a seed in this process."""
    yield Started(job.seed, prepare_job(job))
    for result in train_job(job, splits, newest_state(job), lambda epoch, samples: on_batch(job.seed, epoch, samples)):
        if isinstance(result, Measured):
            save_packed(job.checkpoint, [result.packed])
            yield EpochDone(job.seed, result.row, result.seconds)
        else:
            yield result


class _Pool:
    """Worker processes, and the jobs that they have not done yet."""

    def __init__(self, jobs: Sequence[Job], limit: int, budget: CoreBudget, say: Callable[[str], None], on_batch: OnBatch) -> None:
        self._pending, self._limit, self._budget, self._on_batch = deque(jobs), limit, budget, on_batch
        self._waiting = Waiting(say)
        self._workers: dict[Connection, WorkerProcess] = {}
        self._cores: dict[WorkerProcess, ExitStack] = {}
        self._losses = Losses()

    def events(self) -> Events:
        """Everything that happens until all jobs are done."""
        try:
            while self._pending or self._busy:
                self._hand_out()
                # Only a job that waits for a core is a reason to look again before anything happens.
                for connection in wait(list(self._busy), POLL if self._pending else None):
                    assert isinstance(connection, Connection)
                    yield from self._receive(self._workers[connection])
        finally:
            self._end()
        self._losses.raise_given_up()

    @property
    def _busy(self) -> list[Connection]:
        return [connection for connection, worker in self._workers.items() if worker.job is not None]

    def _hand_out(self) -> None:
        while self._pending and len(self._busy) < self._limit:
            cores = self._budget.take(self._pending[0].task.threads)
            if cores is None:
                self._waiting.tell()
                if not self._busy:
                    time.sleep(POLL)
                return
            worker = next((worker for worker in self._workers.values() if worker.job is None), None) or self._start()
            self._cores[worker] = cores
            worker.begin(self._pending.popleft())

    def _start(self) -> WorkerProcess:
        worker = WorkerProcess()
        self._workers[worker.connection] = worker
        return worker

    def _receive(self, worker: WorkerProcess) -> Iterator[Event]:
        try:
            message = worker.connection.recv()
            if isinstance(message, Packed):
                assert worker.job is not None
                save_packed(worker.job.checkpoint, receive_pieces(worker.connection, message.size))
        except (EOFError, OSError) as error:
            # Killed in the middle of a message it is an OSError without a number; those of the disk have one, or are WriteErrors.
            if not isinstance(error, EOFError | ConnectionResetError) and (error.errno is not None or isinstance(error, WriteError)):
                raise
            yield self._lost(worker)
            return
        if isinstance(message, Packed):
            self._losses.progressed(message.seed)
            yield EpochDone(message.seed, message.row, message.seconds)
        elif isinstance(message, Batch):
            self._on_batch(message.seed, message.epoch, message.samples)
        elif isinstance(message, Broken):
            raise message.error()
        else:
            if isinstance(message, Finished | Failed):
                self._free(worker)
            yield message

    def _free(self, worker: WorkerProcess) -> None:
        worker.job = None
        self._cores.pop(worker).close()

    def _lost(self, worker: WorkerProcess) -> Lost:
        job = worker.job
        assert job is not None  # a worker without a job is not listened to
        del self._workers[worker.connection]
        self._free(worker)
        what = f"the worker of seed {job.seed} (process {worker.pid}) {worker.describe_end()}"
        event, again = self._losses.lost(job.seed, what)
        if again:
            self._pending.appendleft(job)
        return event

    def _end(self) -> None:
        for worker in self._workers.values():
            worker.end()
        for cores in self._cores.values():
            cores.close()
