"""What a worker does with a job, wherever it runs: nothing here writes a file or knows how messages travel."""

import io
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch

from tsslbp.engines.jobs import EngineError, Failed, Finished, Job
from tsslbp.experiment import resume
from tsslbp.method.batches import Splits, load_splits
from tsslbp.method.loop import TrainingFailure
from tsslbp.method.numerics import prepare_numerics
from tsslbp.seed_training import train_seed
from tsslbp.storage.checkpoints import TrainingState, pack_state, read_state
from tsslbp.storage.provenance import device_name
from tsslbp.storage.records import Epoch

BATCH_INTERVAL = 0.1
"""Seconds between two reports of how far an epoch is: a step may take 3 ms, and a reader's eye is slower."""


@dataclass(frozen=True)
class Measured:
    """A complete epoch on its way to the driver: its row, its seconds, and the bytes of the checkpoint."""

    seed: int
    row: Epoch
    seconds: float
    packed: memoryview


def train_job(
    job: Job, splits: Splits, state: TrainingState | None, on_batch: Callable[[int, int], None]
) -> Iterator[Measured | Finished | Failed]:
    """Train one seed to its end.

    Args:
        job: the seed.
        splits: the model's samples.
        state: to go on from; None: from the start.
        on_batch: told epoch and samples, at most every `BATCH_INTERVAL` seconds.

    Raises:
        MemoryError: PyTorch got no memory.
    """
    try:
        for after in train_seed(job.task, splits, state, at_intervals(on_batch)):
            yield Measured(job.seed, after.history[-1], after.seconds[-1], pack_state(after, job.key))
        yield Finished(job.seed)
    except TrainingFailure as failure:
        yield Failed(job.seed, str(failure))
    except RuntimeError as error:
        if not (isinstance(error, torch.OutOfMemoryError) or "allocate memory" in str(error)):
            raise
        raise MemoryError(f"seed {job.seed}: not enough memory to train {job.task.model.architecture}") from None


def newest_state(job: Job) -> TrainingState | None:
    """The state that a job's checkpoint holds; None where training starts from the beginning.

    Raises:
        CheckpointError: the checkpoint is damaged.
    """
    return resume(job.checkpoint, job.key, job.task.model.epochs)


def arrived_state(job: Job, packed: bytes | memoryview | None) -> TrainingState | None:
    """The state in the bytes of a job's checkpoint, which may be None; otherwise as `newest_state`."""
    if packed is None:
        return None
    state = read_state(io.BytesIO(packed), job.key, job.checkpoint)
    return state if len(state.history) <= job.task.model.epochs else None


def load_job_splits(job: Job) -> Splits:
    """The samples of a job, from the folder that it names.

    Raises:
        ValueError: the data are missing, damaged, or not those that the driver found.
    """
    splits, record = load_splits(job.data, job.task.dataset, job.task.model)
    if (record.checksum, record.arrays) != job.data_id:
        raise EngineError(f"{job.data}: processed anew since training began; run the same command again")
    return splits


def prepare_job(job: Job) -> str:
    """Set this process up for a job: threads and denormals; returns what its device is, see `provenance.device_name`."""
    prepare_numerics(job.task.threads)
    return device_name(job.task.device)


def refuse_other_code(job: Job, code: str) -> None:
    """Refuse a job whose driver runs other code than this process.

    Args:
        job: says which code the driver runs.
        code: what this process runs.

    Raises:
        EngineError: they differ.
    """
    if job.code != code:
        raise EngineError(
            f"the code that decides the numbers was edited while it trained: training began with {job.code[:12]}, a worker that started "
            f"now finds {code[:12]}; take the edit back to go on, or run the same command again to train with the new code"
        )


def at_intervals(on_batch: Callable[[int, int], None]) -> Callable[[int, int], None]:
    """The same function, called at most every `BATCH_INTERVAL` seconds."""
    told = 0.0

    def tell(epoch: int, samples: int) -> None:
        nonlocal told
        if (now := time.monotonic()) - told >= BATCH_INTERVAL:
            told = now
            on_batch(epoch, samples)

    return tell
