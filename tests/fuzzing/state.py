"""Readers of what lies in the project itself under fire: stored arrays, checkpoints, weights."""

import io
import json
import struct
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st

from tests.fuzzing.data import soups
from tests.fuzzing.fire import Target, damaged
from tsslbp.data.arrays import load_array
from tsslbp.storage.checkpoints import METADATA, CheckpointError, TrainingState, load_state, load_weights, save_state, save_weights
from tsslbp.storage.records import Epoch

# --- arrays


def written(write: Callable[[Any], object]) -> bytes:
    file = io.BytesIO()
    write(file)
    return file.getvalue()


ARRAY = written(lambda file: np.save(file, np.arange(60, dtype=np.uint8).reshape(20, 3)))


@st.composite
def array_files(draw: st.DrawFn) -> bytes:
    """An array file with any text for a header, of the length that it declares."""
    shape = draw(st.text("()0123456789,-None L", max_size=20) | st.sampled_from(["(-1, 3)", "(99999999999, 3)", "(20.0, 3)", "[20, 3]"]))
    dtype = draw(st.sampled_from(["|u1", "<f8", "|O", "V0", "<U9", "x" * 9, "<m8[7s]"]))
    text = f"{{'descr': '{dtype}', 'fortran_order': {draw(st.sampled_from(['False', 'True', 'None', '0']))}, 'shape': {shape}, }}\n"
    return b"\x93NUMPY\x01\0" + struct.pack("<H", len(text)) + text.encode() + draw(st.binary(max_size=60))


arrays = damaged(ARRAY) | array_files() | st.binary(max_size=40) | damaged(written(lambda file: np.savez(file, a=np.zeros(3))))


def check_array(data: bytes, folder: Path) -> None:
    """The array that was asked for, or a ValueError that names the file."""
    path = folder / "a.npy"
    path.write_bytes(data)
    for mapped in (False, True):
        try:
            array = load_array(path, np.uint8, (None, 3), mapped=mapped)
        except ValueError as error:
            assert str(path) in str(error)
        else:
            assert array.dtype == np.uint8
            assert array.nbytes <= len(data)


# --- checkpoints and weights


WEIGHTS = {"layers.0.weight": torch.arange(12.0).reshape(3, 4)}
ROW = Epoch(epoch=1, train_loss=0.5, train_accuracy=50.0, test_accuracy=60.0, firing_rates=(0.1, 0.2))
OPTIMIZER = {"state": {0: {"step": torch.tensor(1.0)}}, "param_groups": [{"lr": 0.1, "betas": (0.9, 0.999)}]}
STATE = TrainingState(WEIGHTS, OPTIMIZER, WEIGHTS, (ROW,), (1.5,), ((1, 0), (0, 2)))


def saved(folder: Path) -> tuple[bytes, bytes]:
    """A checkpoint of the key "k" and a file of weights, as training writes them."""
    save_state(folder / "seed.pt", STATE, "k")
    save_weights(folder / "seed.safetensors", WEIGHTS, {"model": "m"})
    return (folder / "seed.pt").read_bytes(), (folder / "seed.safetensors").read_bytes()


def repacked(checkpoint: bytes, pickled: bytes) -> bytes:
    """A checkpoint with another pickle inside, and every checksum of its archive right."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(checkpoint)) as old, zipfile.ZipFile(file, "w") as new:
        for entry in old.infolist():
            new.writestr(entry.filename, pickled if entry.filename.endswith("data.pkl") else old.read(entry))
    return file.getvalue()


def pickled_part(checkpoint: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(checkpoint)) as archive:
        return archive.read(next(name for name in archive.namelist() if name.endswith("data.pkl")))


def checkpoint_files(valid: bytes) -> st.SearchStrategy[bytes]:
    """Damaged as files, damaged inside, or asking for code to be run."""
    return damaged(valid) | (damaged(pickled_part(valid)) | soups).map(lambda pickled: repacked(valid, pickled)) | soups


def check_checkpoint(valid: bytes, data: bytes, folder: Path) -> None:
    """What was saved, or a CheckpointError that names the file; `code_ran` would get through to the test.

    Another pickle in an archive with right checksums may be another training state.
    """
    path = folder / "seed.pt"
    path.write_bytes(data)
    try:
        state = load_state(path, "k")
    except CheckpointError as error:
        assert str(path) in str(error)
        assert "\n" not in str(error)
    else:
        assert isinstance(state, TrainingState)
        assert pickled_part(data) != pickled_part(valid) or repr(state) == repr(STATE)


@st.composite
def weights_files(draw: st.DrawFn) -> bytes:
    """A safetensors file with a header of its own."""
    text = draw(st.text(max_size=20) | st.sampled_from(["[" * 20_000, "[]", "{", "NaN", '{"model": 1}']))
    shape, end = draw(st.lists(st.integers(-1, 1 << 62), max_size=3)), draw(st.integers(-1, 1 << 62) | st.just(48))
    tensor = {"dtype": draw(st.sampled_from(["F32", "F8_E4M3", "X", "BOOL"])), "shape": shape, "data_offsets": [0, end]}
    header = json.dumps({"__metadata__": {METADATA: text}, "layers.0.weight": tensor}).encode()
    return struct.pack("<Q", len(header)) + header + bytes(48)


def check_weights(data: bytes, folder: Path) -> None:
    """Tensors by name, or a CheckpointError that names the file."""
    path = folder / "seed.safetensors"
    path.write_bytes(data)
    try:
        weights, _ = load_weights(path)
    except CheckpointError as error:
        assert str(path) in str(error)
        assert "\n" not in str(error)
    else:
        assert sum(weight.nbytes for weight in weights.values()) <= len(data)


def state_targets(folder: Path) -> dict[str, Target]:
    """The targets by name; `folder` is for the files that are damaged."""
    checkpoint, weights = saved(folder)
    return {
        "array": Target(arrays, check_array),
        "checkpoint": Target(checkpoint_files(checkpoint), partial(check_checkpoint, checkpoint)),
        "weights": Target(damaged(weights) | weights_files() | soups, check_weights),
    }
