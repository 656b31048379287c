"""Readers of what lies in the project itself under fire: settings, stored arrays, checkpoints, weights."""

import io
import json
import struct
import zipfile
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from hypothesis import strategies as st

from tests.fuzz_data import soups
from tests.fuzzing import Target, damaged
from tsslbp.data.arrays import load_array
from tsslbp.settings import Settings, SettingsError, load_settings
from tsslbp.storage.checkpoints import METADATA, CheckpointError, TrainingState, load_state, load_weights, save_state, save_weights
from tsslbp.storage.records import Epoch

ROOT = Path(__file__).parents[1]

# --- settings

WHOLE: dict[str, Any] = yaml.safe_load((ROOT / "quickstart" / "params.yaml").read_text())
SMALL: dict[str, Any] = {
    **WHOLE,
    "models": {name: WHOLE["models"][name] for name in ("digits-mlp", "ndigits-cnn")},
    "published": {"digits-mlp": {"mean": 99.0, "std": 0.1, "best": None, "runs": 5}},
}
TEXT = yaml.safe_dump(SMALL)


def places(value: object, so_far: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every value of a nested structure."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [so_far, *(place for key, item in items for place in places(item, (*so_far, key)))]


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.dates() | st.binary(max_size=4)
values = scalars | st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8) | st.integers(), inner, max_size=3)
)


@st.composite
def changed_settings(draw: st.DrawFn) -> bytes:
    """Valid settings with one to three values replaced, dropped, doubled under another name, or swapped with another part."""
    raw = deepcopy(SMALL)
    for _ in range(draw(st.integers(1, 3))):
        *way, last = draw(st.sampled_from(places(raw)[1:]))
        parent: Any = raw
        for key in way:
            parent = parent[key]
        match draw(st.sampled_from(["replace", "drop", "double", "graft"])):
            case "replace":
                parent[last] = draw(values)
            case "drop":
                del parent[last]
            case "double" if isinstance(parent, dict):
                parent[draw(st.text(max_size=8))] = parent[last]
            case _:
                parent[last] = deepcopy(draw(st.sampled_from([SMALL, *SMALL.values(), *SMALL["models"].values()])))
    return yaml.safe_dump(raw).encode()


@st.composite
def changed_lines(draw: st.DrawFn) -> bytes:
    """The text of valid settings with one line's value, or the whole line, replaced by any text."""
    lines = TEXT.splitlines()
    at = draw(st.integers(0, len(lines) - 1))
    new = draw(st.text(alphabet="a1:.-_ \n\t[]{}&*!|>?'\"#%@,x0be~<=", max_size=30) | st.text(max_size=10))
    lines[at] = f"{lines[at].split(':')[0]}: {new}" if draw(st.booleans()) else new
    return "\n".join(lines).encode("utf-8", "surrogatepass")


texts = damaged(TEXT.encode()) | changed_lines() | st.binary(max_size=60) | st.text(max_size=40).map(str.encode)


def check_settings(data: bytes, folder: Path) -> None:
    """Settings, or a SettingsError of one line a finding that a terminal can print."""
    path = folder / "params.yaml"
    path.write_bytes(data)
    try:
        assert isinstance(load_settings(path), Settings)
    except SettingsError as error:
        for line in str(error).split("\n"):
            assert line.startswith(f"{path}: ")
            assert line.isprintable()


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


def saved(folder: Path) -> tuple[bytes, bytes]:
    """A checkpoint of the key "k" and a file of weights, as training writes them."""
    weights = {"layers.0.weight": torch.arange(12.0).reshape(3, 4)}
    row = Epoch(epoch=1, train_loss=0.5, train_accuracy=50.0, test_accuracy=60.0, firing_rates=(0.1, 0.2))
    optimizer = {"state": {0: {"step": torch.tensor(1.0)}}, "param_groups": [{"lr": 0.1, "betas": (0.9, 0.999)}]}
    save_state(folder / "seed.pt", TrainingState(weights, optimizer, weights, (row,), (1.5,), ((1, 0), (0, 2))), "k")
    save_weights(folder / "seed.safetensors", weights, {"model": "m"})
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


def check_checkpoint(data: bytes, folder: Path) -> None:
    """What was saved, or a CheckpointError that names the file; `code_ran` would get through to the test."""
    path = folder / "seed.pt"
    path.write_bytes(data)
    try:
        progress = load_state(path, "k")
    except CheckpointError as error:
        assert str(path) in str(error)
        assert "\n" not in str(error)
    else:
        assert progress.key == "k"


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
        "settings text": Target(texts, check_settings),
        "settings": Target(changed_settings(), check_settings),
        "array": Target(arrays, check_array),
        "checkpoint": Target(checkpoint_files(checkpoint), check_checkpoint),
        "weights": Target(damaged(weights) | weights_files() | soups, check_weights),
    }
