"""A worker of the Ray engine: an actor on some node, which the driver asks for one message after the other. It writes no file.

Of Ray it uses nothing, so that this module says what a worker does and `ray.py` how it is reached.
"""

import os
import platform
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from queue import Full, Queue

import numpy as np
from numpy.typing import NDArray

from tsslbp.engines.jobs import Failed, Finished, Job, Started
from tsslbp.engines.messages import Batch, Broken, Packed
from tsslbp.engines.work import Measured, arrived_state, prepare_job, train_job
from tsslbp.method.batches import Splits
from tsslbp.seed_training import import_method
from tsslbp.storage.meaning import code_meaning
from tsslbp.storage.provenance import library_versions

PIECE = 1 << 26
"""Bytes of a checkpoint that travel at a time: two pieces at most are in a node's object store, however large the whole is."""
TELL_SECONDS = 0.2
"""So often at most a worker says how far an epoch is: a message takes driver and node a millisecond, as long as a small network's step."""
LIBRARIES = ("torch", "numpy", "numba")
"""What computes: a worker has to have the driver's versions."""

Piece = NDArray[np.uint8]
Message = Started | Batch | Packed | Piece | Broken | Finished | Failed


@dataclass(frozen=True)
class Introduction:
    """Who a worker is and what it would compute with.

    Attributes:
        pid: number of its process.
        host: name of its machine.
        node: what Ray calls its node.
        code: digest of the code that decides the numbers.
        versions: of the libraries that compute.
    """

    pid: int
    host: str
    node: str
    code: str
    versions: dict[str, str]

    @property
    def name(self) -> str:
        """What a message calls its node."""
        return f"{self.host} ({self.node[:8]})"

    def differences(self, code: str, versions: dict[str, str]) -> list[str]:
        """What it has other than a driver with this code and these versions, a phrase for each."""
        found = [
            f"{name} {self.versions[name]} there, {version} here" for name, version in versions.items() if self.versions[name] != version
        ]
        return found if self.code == code else [f"the method's code {self.code[:12]} there, {code[:12]} here", *found]


def computing_versions() -> dict[str, str]:
    """The versions of `LIBRARIES` in this process."""
    versions = library_versions()
    return {name: versions[name] for name in LIBRARIES}


class RayWorker:
    """Trains one job after the other in a thread, and answers `message` meanwhile."""

    def __init__(self) -> None:
        # One place: training waits until the driver has taken an epoch, so a slow driver fills nobody's memory.
        self._messages: Queue[Message] = Queue(1)
        self._told = -TELL_SECONDS

    def introduce(self, node: str, loss: str, device: str) -> Introduction:
        """Say who it is, for a job with this kind of loss on this kind of device; `node` is what Ray calls its own."""
        import_method(loss, device)  # before the digest: what is imported later may have been edited since
        return Introduction(os.getpid(), platform.node(), node, code_meaning(loss, device), computing_versions())

    def begin(self, job: Job, splits: Splits, packed: NDArray[np.uint8] | None) -> None:
        """Begin a job.

        Args:
            job: the seed; its paths are the driver's.
            splits: the samples, whose arrays lie in the node's object store and cannot be written to.
            packed: the bytes of the newest checkpoint; None: from the start.
        """
        threading.Thread(target=self._train, args=(job, splits, packed), daemon=True).start()

    def message(self) -> Message:
        """Wait for the next message of the job."""
        return self._messages.get()

    def _train(self, job: Job, splits: Splits, packed: NDArray[np.uint8] | None) -> None:
        try:
            job = _on_own_device(job)
            # In this thread: denormals and the number of threads are set for a thread each.
            self._messages.put(Started(job.seed, prepare_job(job)))
            state = arrived_state(job, None if packed is None else packed.data)
            for result in train_job(job, splits, state, lambda epoch, samples: self._tell(Batch(job.seed, epoch, samples))):
                self._put(result)
        except Exception as error:
            self._messages.put(Broken.by(job.seed, error))

    def _put(self, result: Measured | Finished | Failed) -> None:
        if not isinstance(result, Measured):
            self._messages.put(result)
            return
        self._messages.put(Packed(result.seed, result.row, result.seconds, len(result.packed)))
        content = np.frombuffer(result.packed, np.uint8)
        for start in range(0, len(content), PIECE):
            self._messages.put(content[start : start + PIECE])

    def _tell(self, batch: Batch) -> None:
        """Say how far an epoch is, unless that was said a moment ago or the driver is busy with what was said before."""
        now = time.monotonic()
        if now - self._told >= TELL_SECONDS:
            self._told = now
            with suppress(Full):
                self._messages.put_nowait(batch)


def _on_own_device(job: Job) -> Job:
    """The job on the GPU that Ray gave to this process, which is its first, whatever number it has on the driver's machine."""
    return replace(job, task=replace(job.task, device="cuda")) if job.task.device.startswith("cuda") else job
