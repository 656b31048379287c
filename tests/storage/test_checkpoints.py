"""Checkpoints come back as they were, and nothing that is loaded runs code."""

import errno
import os
import pickle
from unittest.mock import Mock

import pytest
import torch

from tsslbp.storage.checkpoints import CheckpointError, TrainingState, load_state, load_weights, save_state, save_weights
from tsslbp.storage.records import Epoch


class Evil:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def progress():
    row = Epoch(epoch=1, train_loss=0.5, train_accuracy=50.0, test_accuracy=60.0, firing_rates=(0.1, 0.2))
    weights = {"layers.0.weight": torch.randn(3, 4)}
    return TrainingState(weights, {"state": {0: {"step": torch.tensor(1.0)}}}, weights, (row,), (1.5,), ((1, 0), (0, 2)))


def assert_same(loaded, saved):
    for part in ("history", "seconds", "confusion", "optimizer"):
        assert getattr(loaded, part) == getattr(saved, part)
    for mine, theirs in ((loaded.weights, saved.weights), (loaded.best_weights, saved.best_weights)):
        assert torch.equal(mine["layers.0.weight"], theirs["layers.0.weight"])


def test_progress_comes_back_as_it_was(tmp_path):
    path, saved = tmp_path / "a" / "seed.pt", progress()
    save_state(path, saved, "k")
    assert_same(load_state(path, "k"), saved)
    assert [entry.name for entry in path.parent.iterdir()] == ["seed.pt"]


def test_another_runs_checkpoint_is_refused(tmp_path):
    save_state(tmp_path / "seed.pt", progress(), "other")
    with pytest.raises(CheckpointError, match="belongs to other settings"):
        load_state(tmp_path / "seed.pt", "k")


@pytest.mark.parametrize("damage", [b"", b"garbage", "half"])
def test_a_damaged_checkpoint_is_refused(tmp_path, damage):
    path = tmp_path / "seed.pt"
    save_state(path, progress(), "k")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2] if damage == "half" else damage)
    with pytest.raises(CheckpointError, match=r"seed\.pt: is damaged"):
        load_state(path, "k")


@pytest.mark.parametrize(
    ("error", "expected", "message"),
    [
        (RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory"), MemoryError, "not enough memory"),
        (MemoryError(), MemoryError, None),
        (OSError(errno.EMFILE, os.strerror(errno.EMFILE), "seed.pt"), OSError, "Too many open files"),
        (OSError(errno.EIO, os.strerror(errno.EIO)), OSError, "Input/output error"),
    ],
)
def test_what_is_not_the_checkpoints_fault_does_not_call_it_damaged(tmp_path, monkeypatch, error, expected, message):
    """Who follows the advice to delete a damaged one loses its epochs."""
    save_state(tmp_path / "seed.pt", progress(), "k")
    monkeypatch.setattr(torch, "load", Mock(side_effect=error))
    with pytest.raises(expected, match=message):
        load_state(tmp_path / "seed.pt", "k")


def test_a_flipped_bit_anywhere_in_a_checkpoint_is_found(tmp_path):
    """Or does not matter: then what is loaded is what was saved."""
    path = tmp_path / "seed.pt"
    saved = progress()
    save_state(path, saved, "k")
    whole, found = path.read_bytes(), 0
    for at in range(0, len(whole), 7):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << at % 8]) + whole[at + 1 :])
        try:
            loaded = load_state(path, "k")
        except CheckpointError:
            found += 1
        else:
            assert_same(loaded, saved)
    assert found > len(whole) // 7 // 2


@pytest.mark.parametrize("save", [torch.save, lambda value, path: path.write_bytes(pickle.dumps(value))])
def test_a_checkpoint_that_would_run_code_is_refused_and_runs_nothing(tmp_path, save):
    path, proof = tmp_path / "seed.pt", tmp_path / "code-ran"
    save({"key": "k", "history": Evil(proof)}, path)
    with pytest.raises(CheckpointError):
        load_state(path, "k")
    with pytest.raises(CheckpointError):
        load_weights(path)
    assert not proof.exists()


def test_weights_come_back_with_their_metadata(tmp_path):
    path = tmp_path / "w.safetensors"
    weights = {"a": torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last)}
    save_weights(path, weights, {"model": "m", "seed": "0", "run_id": "x"})
    loaded, metadata = load_weights(path)
    assert torch.equal(loaded["a"], weights["a"])
    assert metadata == {"model": "m", "seed": "0", "run_id": "x"}


def test_equal_weights_are_equal_files(tmp_path):
    contents = set()
    for index in range(8):
        save_weights(tmp_path / f"{index}", {"a": torch.ones(2)}, {"model": "m", "seed": "0", "architecture": "3", "run_id": "x"})
        contents.add((tmp_path / f"{index}").read_bytes())
    assert len(contents) == 1


def test_missing_weights_say_how_to_get_them(tmp_path):
    with pytest.raises(CheckpointError, match="train the model again"):
        load_weights(tmp_path / "none.safetensors")
