"""The engine of a Ray cluster: every seed trains on whatever node has room for it, and this process alone writes files.

A worker gets the samples by way of its node's object store, once for all seeds there, and the newest checkpoint; it gives every epoch
back. So no file system is shared, and a lost node costs the epochs that were under way on it.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError

from tsslbp.engines.avoided import AvoidedNodes
from tsslbp.engines.jobs import EngineError, EpochDone, Event, Events, Failed, Finished, Job, Lost, OnBatch, Started
from tsslbp.engines.losses import Losses
from tsslbp.engines.messages import Batch, Broken, Packed
from tsslbp.engines.ray_actor import Room, Worker, first_answer
from tsslbp.engines.ray_cluster import RayCluster
from tsslbp.engines.ray_worker import Introduction, computing_versions
from tsslbp.engines.slots import CoreBudget, Waiting
from tsslbp.method.batches import Splits
from tsslbp.storage.checkpoints import save_packed

PATIENCE = 60
"""Seconds after which a user is told that no node has room; on a busy one a worker takes twenty to begin."""


@dataclass(frozen=True)
class RayEngine:
    """Trains seeds on a cluster.

    Attributes:
        cluster: the connection.
        limit: so many seeds at most train at a time.
        room: what a worker asks its node for.
        budget: the cores to take for each seed; None where Ray alone counts them.
        say: takes a line for the user.
    """

    cluster: RayCluster
    limit: int
    room: Room
    budget: CoreBudget | None
    say: Callable[[str], None]

    def train(self, jobs: Sequence[Job], splits: Splits, on_batch: OnBatch) -> Events:
        """Train every job to its end; see `jobs.Engine`."""
        return _Pool(self, jobs, on_batch).events(splits)


class _Pool:
    """The workers of one training, and the jobs that none has done yet."""

    def __init__(self, engine: RayEngine, jobs: Sequence[Job], on_batch: OnBatch) -> None:
        self._engine, self._cluster, self._on_batch = engine, engine.cluster, on_batch
        self._pending = deque(jobs)
        self._kind = jobs[0].task.model.loss.kind, jobs[0].task.device
        self._workers: deque[Worker] = deque()
        self._avoided = AvoidedNodes()
        self._losses, self._lost_unemployed = Losses(), 0
        self._waiting, self._since = Waiting(engine.say), time.monotonic()

    def events(self, splits: Splits) -> Events:
        """Everything that happens until all jobs are done."""
        self._data = ray.put(splits)
        try:
            while self._pending or self._busy:
                self._start_workers()
                yield from self._next()
        finally:
            for worker in self._workers:
                worker.end()
        self._losses.raise_given_up()

    @property
    def _busy(self) -> int:
        return sum(worker.job is not None for worker in self._workers)

    def _start_workers(self) -> None:
        """Have as many workers as there are jobs, or as many as are allowed; a cluster lets them wait for a node with room."""
        engine = self._engine
        while len(self._workers) < min(engine.limit, len(self._pending) + self._busy):
            cores = ExitStack() if engine.budget is None else engine.budget.take(engine.room.need.threads)
            if cores is None:
                self._waiting.tell()
                return
            self._workers.append(Worker(engine.room, self._avoided, self._kind, cores))

    def _next(self) -> Iterator[Event]:
        """What the first worker says that says something."""
        answers = {worker.answer: worker for worker in self._workers}
        worker = answers.get(first_answer(list(answers)))
        self._cluster.check()
        if worker is None:
            self._look_around()
            return
        self._workers.remove(worker)
        self._workers.append(worker)  # so that the others come first the next time
        try:
            yield from self._handle(worker, ray.get(worker.answer))
        except RayTaskError as error:
            raise RuntimeError(f"in a worker {worker.name}:\n{error}") from None
        except RayError as error:
            yield from self._lose(worker, error)

    def _handle(self, worker: Worker, message: Any) -> Iterator[Event]:
        match message:
            case Introduction():
                self._employ(worker, message)
                return
            case tuple():
                self._refuse(worker, *message)
                return
            case Packed():
                yield self._keep(worker, message)
            case Batch():
                self._on_batch(message.seed, message.epoch, message.samples)
            case Broken():
                raise message.error()
            case Started():
                yield message
            case Finished() | Failed():
                worker.job = None
                self._hand_out(worker)
                yield message
                return
        worker.ask()

    def _employ(self, worker: Worker, who: Introduction) -> None:
        """Give a worker that said who it is a job, unless it would compute other numbers."""
        code = self._pending[0].code if self._pending else who.code
        if different := who.differences(code, computing_versions()):
            self._refuse(worker, who.node, who.name, "; ".join(different))
            return
        worker.who = who
        self._hand_out(worker)

    def _hand_out(self, worker: Worker) -> None:
        if not self._pending:
            self._workers.remove(worker)
            worker.end()
            return
        worker.begin(self._pending.popleft(), self._data)

    def _refuse(self, worker: Worker, node: str, name: str, why: str) -> None:
        """Let a node alone from now on.

        Raises:
            EngineError: there is no other.
        """
        self._workers.remove(worker)
        worker.end()
        if line := self._avoided.refuse(node, name, why):
            self._engine.say(line)
        self._check_avoided()

    def _check_avoided(self) -> None:
        if not self._busy:
            self._avoided.check(self._cluster.nodes_for(self._engine.room.need.threads))

    def _look_around(self) -> None:
        """Nothing happens: see whether anything can."""
        if self._busy:
            self._since = time.monotonic()
        elif time.monotonic() - self._since > PATIENCE and self._workers:
            self._check_avoided()
            need = self._engine.room.need
            self._waiting.tell(f"no node has room for a seed (CPUs: {need.threads}, memory: {need.memory / 1e9:.1f} GB); waiting for one")

    def _keep(self, worker: Worker, packed: Packed) -> EpochDone:
        """Write a checkpoint, piece by piece."""
        assert worker.job is not None
        save_packed(worker.job.checkpoint, worker.pieces(packed.size, self._cluster.check))
        self._losses.progressed(packed.seed)
        return EpochDone(packed.seed, packed.row, packed.seconds)

    def _lose(self, worker: Worker, error: RayError) -> Iterator[Lost]:
        self._workers.remove(worker)
        worker.end()
        gone = worker.who is not None and self._cluster.has_lost(worker.who.node)
        if worker.who is not None and gone:
            self._avoided.lose(worker.who.node)
        if worker.job is None or worker.who is None:
            self._count_unemployed(gone, error)
            return
        how = "is gone with its node" if gone else f"is gone{_reason(error)}"
        what = f"the worker of seed {worker.job.seed} {worker.name} {how}"
        event, again = self._losses.lost(worker.job.seed, what, by_accident=gone)
        if again:
            self._pending.appendleft(worker.job)
        yield event

    def _count_unemployed(self, gone: bool, error: RayError) -> None:
        """Give up where workers end before they begin; some do because their node leaves."""
        self._lost_unemployed += not gone
        if self._lost_unemployed > len(self._pending) + 2:
            raise EngineError(f"workers end before they begin a seed; the last one: {' '.join(str(error).split())[:300]}")


def _reason(error: RayError) -> str:
    return ": its machine ran out of memory" if "low on memory" in str(error) else ""
