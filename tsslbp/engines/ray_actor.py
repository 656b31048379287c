"""A worker of the Ray engine as its driver sees it: an actor that is started, asked for one message after the other, and ended."""

import platform
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import ray
from ray.exceptions import RayError

from tsslbp.engines.capacity import Need
from tsslbp.engines.jobs import Job
from tsslbp.engines.ray_worker import Introduction, Piece
from tsslbp.engines.slots import POLL


@dataclass(frozen=True)
class Room:
    """What a worker asks its node for.

    Attributes:
        need: threads and memory.
        gpu_share: part of a GPU, where it needs one.
        counts_memory: whether the node is asked for memory, too; not where the driver has counted it already.
    """

    need: Need
    gpu_share: float
    counts_memory: bool

    def options(self, avoided: Iterable[str]) -> dict[str, Any]:
        """Ray's names for it, on none of the nodes to be avoided."""
        others = ",".join(sorted(avoided))
        return {
            "num_cpus": self.need.threads,
            "num_gpus": self.gpu_share if self.need.on_gpu else 0,
            **({"memory": self.need.memory} if self.counts_memory else {}),
            **({"label_selector": {"ray.io/node-id": f"!in({others})"}} if others else {}),
            # Ray would start a lost worker again from what it was first told; the driver knows better.
            "max_restarts": 0,
            "max_task_retries": 0,
        }


class Worker:
    """A worker; it starts as soon as a node has room for it, and then says who it is.

    Args:
        room: what it asks for.
        avoided: nodes where it must not be.
        kind: loss and device of its jobs.
        cores: given back when it ends.

    Attributes:
        answer: what it was asked last, as Ray's promise.
        who: what it said of itself; None before.
        job: what it works on; None while it has nothing to do.
    """

    def __init__(self, room: Room, avoided: Iterable[str], kind: tuple[str, str], cores: ExitStack) -> None:
        start: Callable[[], Any] = ray.remote(_actor_class()).options(**room.options(avoided)).remote
        self._actor = start()
        self._cores = cores
        self.answer: Any = self._actor.introduce.remote(*kind)
        self.who: Introduction | None = None
        self.job: Job | None = None

    @property
    def name(self) -> str:
        """Its process and node, in parentheses."""
        return f"(process {self.who.pid} on {self.who.name})" if self.who else "(on a node)"

    def begin(self, job: Job, data: Any) -> None:
        """Hand it a job, with the samples in the object store."""
        self.job = job
        # Mapped, the checkpoint goes from the disk into the object store without a copy on the heap.
        packed = ray.put(np.memmap(job.checkpoint, np.uint8, "r")) if job.checkpoint.exists() else None
        self.answer = self._actor.begin.remote(job, data, packed)

    def ask(self) -> None:
        """Ask for its next message."""
        self.answer = self._actor.message.remote()

    def pieces(self, size: int, check: Callable[[], None]) -> Iterator[memoryview]:
        """The pieces of a checkpoint, while `check` is called now and then."""
        received, answer = 0, self._actor.message.remote()
        while received < size:
            while first_answer([answer]) is None:
                check()
            piece: Piece = ray.get(answer)
            received += len(piece)
            if received < size:  # on its way while this one is written
                answer = self._actor.message.remote()
            yield piece.data

    def end(self) -> None:
        """End it, wherever it is."""
        with suppress(RayError):
            ray.kill(self._actor)
        self._cores.close()


def first_answer(answers: Sequence[Any]) -> Any:
    """The first answer that is there; None where none comes for a while."""
    if not answers:
        time.sleep(POLL)
        return None
    ready: list[Any] = ray.wait(list(answers), timeout=POLL)[0]
    return ready[0] if ready else None


def _actor_class() -> type:
    """The class of the actor. Ray sends the code of a local class along, so that a node without this library can say so itself."""

    class RayTrainer:
        def introduce(self, loss: str, device: str) -> Any:
            node = ray.get_runtime_context().get_node_id()
            try:
                from tsslbp.engines.ray_worker import RayWorker

                self._worker = RayWorker()
                return self._worker.introduce(node, loss, device)
            except Exception as error:  # a library without a file of its own raises OSError, another anything
                reason = str(error) if isinstance(error, ImportError) else f"{type(error).__name__}: {error}"
                return node, f"{platform.node()} ({node[:8]})", reason

        def begin(self, *arguments: Any) -> None:
            self._worker.begin(*arguments)

        def message(self) -> Any:
            return self._worker.message()

    return RayTrainer
