"""What a driver asks of an engine, and what comes back."""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tsslbp.method.batches import Splits
from tsslbp.seed_training import SeedTask
from tsslbp.storage.records import Epoch

RETRIES = 2
"""So many times a seed is started again without having completed an epoch in between: a third loss is no accident."""

OnBatch = Callable[[int, int, int], None]
"""Takes a seed, its epoch, and how many samples of the epoch are done. It decides nothing and is not called for every batch."""


class EngineError(ValueError):
    """Seeds could not be trained to their end; what is complete is kept, and the message says what to do."""


@dataclass(frozen=True)
class Job:
    """One seed to be trained to its last epoch; plain values, so that it can go to another process.

    Attributes:
        task: the seed and its settings.
        data: the folder of the processed data.
        data_id: checksum of the raw data, and digest of the arrays.
        code: digest of the code that decides the numbers, as the driver has it.
        key: what the checkpoint belongs to, see `checkpoints.pack_state`.
        checkpoint: where the driver keeps the newest training state; training goes on from it.
    """

    task: SeedTask
    data: Path
    data_id: tuple[str, str]
    code: str
    key: str
    checkpoint: Path

    @property
    def seed(self) -> int:
        """The seed."""
        return self.task.seed


@dataclass(frozen=True)
class Started:
    """A seed begins or goes on: `device` says on which processor, such as "cpu, AMD EPYC 9R14"."""

    seed: int
    device: str


@dataclass(frozen=True)
class EpochDone:
    """An epoch is complete and its checkpoint is on disk; `seconds` is how long the epoch took."""

    seed: int
    row: Epoch
    seconds: float


@dataclass(frozen=True)
class Finished:
    """A seed completed its last epoch; its checkpoint holds the final state."""

    seed: int


@dataclass(frozen=True)
class Failed:
    """The numbers of a seed went wrong; its checkpoint, if there is one, holds the last good state."""

    seed: int
    reason: str


@dataclass(frozen=True)
class Lost:
    """The worker of a seed is gone; `message` names it and says what happens now, `again` whether the seed goes on."""

    seed: int
    message: str
    again: bool = True


Event = Started | EpochDone | Finished | Failed | Lost
Events = Generator[Event, None, None]


class Engine(Protocol):
    """Trains seeds, in whatever order and as many at a time as it can."""

    def train(self, jobs: Sequence[Job], splits: Splits, on_batch: OnBatch) -> Events:
        """Train every job to its end; closing what is returned, or an error out of it, ends all that the engine started.

        Args:
            jobs: seeds of one model with one number of threads.
            splits: the model's samples, as the driver loaded them.
            on_batch: told how far each epoch is.

        Raises:
            EngineError: a worker was refused, or lost too often.
            ValueError: data or a checkpoint are damaged.
            MemoryError: a seed needs more memory than there is.
        """
