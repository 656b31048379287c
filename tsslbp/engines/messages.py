"""What a worker process sends to its driver, besides `jobs.Started`, `Finished` and `Failed`: pickled, through a pipe between the two."""

import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Literal

from tsslbp.engines.jobs import EngineError
from tsslbp.storage.records import Epoch

PIECE = 1 << 22
"""Bytes of a checkpoint that travel at a time, so that the driver never holds the whole of a large one."""


@dataclass(frozen=True)
class Batch:
    """How far an epoch is."""

    seed: int
    epoch: int
    samples: int


@dataclass(frozen=True)
class Packed:
    """An epoch is complete; a checkpoint of `size` bytes follows, in pieces."""

    seed: int
    row: Epoch
    seconds: float
    size: int


@dataclass(frozen=True)
class Broken:
    """Why a job cannot go on. `kind`: for "user" and "memory" the text is a message, for "bug" a traceback."""

    seed: int
    kind: Literal["user", "memory", "bug"]
    text: str

    @classmethod
    def by(cls, seed: int, error: Exception) -> "Broken":
        """Describe an error."""
        if isinstance(error, MemoryError):
            return cls(seed, "memory", str(error) or f"seed {seed}: not enough memory")
        if isinstance(error, ValueError | OSError):
            return cls(seed, "user", str(error))
        return cls(seed, "bug", "".join(traceback.format_exception(error)))

    def error(self) -> Exception:
        """The error that the driver raises for it."""
        if self.kind == "memory":
            return MemoryError(self.text)
        return EngineError(self.text) if self.kind == "user" else RuntimeError(f"in a worker, seed {self.seed}:\n{self.text}")


def send_pieces(connection: Connection, packed: memoryview) -> None:
    """Send the bytes of a checkpoint."""
    for start in range(0, len(packed), PIECE):
        connection.send_bytes(packed[start : start + PIECE])


def receive_pieces(connection: Connection, size: int) -> Iterator[bytes]:
    """Receive what `send_pieces` sent.

    Raises:
        EOFError: the sender is gone before the end.
    """
    received = 0
    while received < size:
        piece = connection.recv_bytes()
        received += len(piece)
        yield piece
