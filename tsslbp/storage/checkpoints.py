"""Live checkpoints and finished weights on disk. Loading either cannot run code, and a damaged one is refused."""

import errno
import io
import json
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from tsslbp.storage.files import whole_file
from tsslbp.storage.records import Epoch

Weights = dict[str, Tensor]
METADATA = "tsslbp"
"""The entry of a weights file that says what network they are of, as JSON."""


class CheckpointError(ValueError):
    """A checkpoint or weights file that is damaged, or belongs to something else."""


@dataclass(frozen=True)
class TrainingState:
    """A run after its last complete epoch: all that training needs to go on, bit for bit.

    Attributes:
        weights: of the network now.
        optimizer: the optimizer's state.
        best_weights: of the first epoch that reached the best accuracy, see `records.Epoch.selected_on`.
        history: of the epochs so far.
        seconds: how long each of them took.
        confusion: after the last epoch, classes x classes.
    """

    weights: Weights
    optimizer: dict[str, Any]
    best_weights: Weights
    history: tuple[Epoch, ...]
    seconds: tuple[float, ...]
    confusion: tuple[tuple[int, ...], ...]


def pack_state(state: TrainingState, key: str) -> memoryview:
    """The bytes of a checkpoint.

    Args:
        state: the training state.
        key: what the run belongs to (settings, data, code, seed); `load_state` refuses another key's checkpoint.
    """
    stored = vars(state) | {"key": key, "history": [epoch.model_dump() for epoch in state.history]}
    # By way of memory: where a disk is full, PyTorch's own writer does not say so, and safetensors' neither.
    buffer = io.BytesIO()
    torch.save(stored, buffer)
    return buffer.getbuffer()


def save_packed(path: Path, pieces: Iterable[memoryview | bytes]) -> None:
    """Write what `pack_state` returned, in however many pieces it comes, whole or not at all."""
    with whole_file(path) as partial, partial.open("wb") as file:
        for piece in pieces:
            file.write(piece)


def save_state(path: Path, state: TrainingState, key: str) -> None:
    """Write a checkpoint, whole or not at all; `key` as in `pack_state`."""
    save_packed(path, [pack_state(state, key)])


def load_state(path: Path, key: str) -> TrainingState:
    """Read a checkpoint that `save_state` wrote for the same key; errors as for `read_state`."""
    return read_state(path, key, path)


def read_state(source: Path | BinaryIO, key: str, path: Path) -> TrainingState:
    """Read a checkpoint that may have come from another machine.

    Args:
        source: the file, or what `pack_state` returned, as an open file.
        key: what it must belong to.
        path: what to call it in an error.

    Raises:
        CheckpointError: it is damaged, holds anything but plain data, or belongs to another run.
        MemoryError: there is too little memory for it.
        OSError: it cannot be read.
    """
    try:
        _check_bytes(source)
        stored = torch.load(source, weights_only=True, map_location="cpu")
        found = stored.pop("key")
        history = tuple(Epoch.model_validate(epoch) for epoch in stored.pop("history"))
        state = TrainingState(history=history, **stored)
    except MemoryError:
        raise
    except Exception as error:  # whatever a damaged file makes the interpreter of its pickle do
        _refuse_if_not_its_fault(error, path)
        raise CheckpointError(
            f"checkpoint {path}: is damaged or not a checkpoint ({_first_line(error)}); delete it to train its epochs again"
        ) from None
    if found != key:
        raise CheckpointError(f"checkpoint {path}: belongs to other settings, data or code (key {found}, expected {key})")
    return state


def _refuse_if_not_its_fault(error: Exception, path: Path) -> None:
    """Raise what says nothing of a checkpoint: too little memory, for which PyTorch has no class of its own, and a file that cannot be read."""
    if "allocate memory" in str(error):
        raise MemoryError(f"checkpoint {path}: not enough memory to read it") from None
    if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):  # EINVAL: a place before the start of a cut-off file
        raise error


def _check_bytes(source: Path | BinaryIO) -> None:
    """Compare a checkpoint with the checksums in it, which PyTorch writes but does not look at: a flipped bit would be trained on."""
    with zipfile.ZipFile(source) as archive:
        if (damaged := archive.testzip()) is not None:
            raise ValueError(f"the checksum of {damaged} is wrong")
        # One that is marked as a folder would be read as whatever memory holds.
        if any(entry.external_attr for entry in archive.infolist()):
            raise ValueError("an entry is marked as what it is not")
    if not isinstance(source, Path):
        source.seek(0)


def save_weights(path: Path, weights: Weights, metadata: dict[str, Any]) -> None:
    """Write weights as safetensors, whole or not at all; `metadata` says what network they are of."""
    # One entry, because safetensors writes several in random order: equal weights are to be equal files.
    described = {METADATA: json.dumps(metadata, sort_keys=True)}
    content = safetensors.torch.save({name: weight.contiguous() for name, weight in weights.items()}, described)
    with whole_file(path) as partial:
        partial.write_bytes(content)


def load_weights(path: Path) -> tuple[Weights, dict[str, Any]]:
    """Read what `save_weights` wrote: the weights and the metadata.

    Raises:
        CheckpointError: the file is missing or damaged.
    """
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = json.loads((file.metadata() or {}).get(METADATA, "{}"))
            if not isinstance(metadata, dict):
                raise ValueError(f"its entry {METADATA!r} is not a mapping")
            return {name: file.get_tensor(name) for name in file.keys()}, metadata  # noqa: SIM118 - not a dict
    except (OSError, ValueError, RecursionError, safetensors.SafetensorError) as error:
        raise CheckpointError(
            f"weights {path}: cannot be read ({_first_line(error)}); restore the file, or train the model again"
        ) from None


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
