"""A live checkpoint of more epochs than are asked for is kept, and training goes on from it when they are asked for again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.in_process import prepare
from tests.support.project import Project
from tests.support.row_parts import EPOCHS, RUNS, fit, record_so_far
from tsslbp.storage.checkpoints import CheckpointError, TrainingState, load_state, save_state
from tsslbp.storage.kept_checkpoints import pick_checkpoint
from tsslbp.storage.records import Epoch

pytestmark = pytest.mark.usefixtures("without_log")

KEY = "k"


def write(path, epochs, note):
    rows = tuple(
        Epoch(epoch=number, train_loss=0.5, train_accuracy=50.0, test_accuracy=60.0, firing_rates=(0.1,)) for number in range(1, epochs + 1)
    )
    save_state(path, TrainingState({}, {}, {}, rows, (1.0,) * epochs, ((1,),)), KEY)
    path.with_suffix(".json").write_text(note, encoding="utf-8")


def found(path):
    """Epochs and note of the live checkpoint."""
    if not path.exists():
        return 0, None
    return len(load_state(path, KEY).history), path.with_suffix(".json").read_text(encoding="utf-8")


@pytest.fixture
def checkpoint(tmp_path):
    return tmp_path / "seed-1.pt"


def test_nothing_is_moved_where_the_checkpoint_is_no_longer_than_asked(checkpoint):
    assert pick_checkpoint(checkpoint, KEY, 5) == 0
    write(checkpoint, 5, "a")
    assert pick_checkpoint(checkpoint, KEY, 5) == pick_checkpoint(checkpoint, KEY, 9) == 5
    assert sorted(path.name for path in checkpoint.parent.iterdir()) == ["seed-1.json", "seed-1.pt"]


def test_a_longer_one_is_kept_with_its_note_and_comes_back(checkpoint):
    write(checkpoint, 5, "long")
    assert pick_checkpoint(checkpoint, KEY, 2) == 0
    assert found(checkpoint) == (0, None)
    write(checkpoint, 2, "short")
    assert pick_checkpoint(checkpoint, KEY, 4) == 2
    assert found(checkpoint) == (2, "short")
    assert pick_checkpoint(checkpoint, KEY, 9) == 5
    assert found(checkpoint) == (5, "long")


def test_a_checkpoint_without_a_note_gets_no_other_ones(checkpoint):
    write(checkpoint, 5, "")
    checkpoint.with_suffix(".json").unlink()
    assert pick_checkpoint(checkpoint, KEY, 2) == 0
    write(checkpoint, 2, "short")
    assert pick_checkpoint(checkpoint, KEY, 5) == 5
    assert not checkpoint.with_suffix(".json").exists()


def test_other_seeds_and_other_files_are_left_alone(checkpoint):
    others = [checkpoint.with_name(name) for name in ("seed-11.pt", "seed-11.7-epochs.pt", "seed-1.x-epochs.pt")]
    for other in others:
        write(other, 7, "other")
    assert pick_checkpoint(checkpoint, KEY, 9) == 0
    assert [found(other) for other in others] == [(7, "other")] * 3


def test_a_damaged_one_is_refused_wherever_it_lies(checkpoint):
    write(checkpoint, 5, "long")
    pick_checkpoint(checkpoint, KEY, 2)
    (kept,) = checkpoint.parent.glob("*.pt")
    kept.write_bytes(b"damaged")
    with pytest.raises(CheckpointError, match="is damaged"):
        pick_checkpoint(checkpoint, KEY, 5)


def test_a_damaged_one_takes_no_good_ones_place(checkpoint):
    write(checkpoint, 5, "long")
    pick_checkpoint(checkpoint, KEY, 2)
    write(checkpoint, 2, "short")
    kept = checkpoint.with_name("seed-1.5-epochs.pt")
    damaged = bytearray(kept.read_bytes())
    damaged[damaged.index(b"history")] ^= 1
    kept.write_bytes(damaged)
    with pytest.raises(CheckpointError, match=r"seed-1\.5-epochs\.pt: is damaged .* delete it"):
        pick_checkpoint(checkpoint, KEY, 5)
    assert (found(checkpoint), kept.read_bytes()) == ((2, "short"), bytes(damaged))
    kept.unlink()  # as the message says
    assert pick_checkpoint(checkpoint, KEY, 5) == 2


@given(st.lists(st.integers(1, 6), min_size=1, max_size=6))
def test_the_longest_training_is_never_lost(tmp_path_factory, asked):
    """Whatever is asked for in between, every time until it is complete."""
    checkpoint, longest = tmp_path_factory.mktemp("run") / "seed-1.pt", 0
    for epochs in asked:
        complete = pick_checkpoint(checkpoint, KEY, epochs)
        assert complete == longest if epochs >= longest else complete <= epochs
        if complete < epochs:
            write(checkpoint, epochs, str(epochs))
        longest = max(longest, epochs)
        assert longest == max(len(load_state(path, KEY).history) for path in checkpoint.parent.glob("*.pt"))
        assert found(checkpoint) == (epochs, str(epochs))


def test_a_short_experiment_costs_no_epoch_of_a_long_training(tmp_path, empty_database):
    project = Project(tmp_path / "project", empty_database, EPOCHS)
    prepare(project.folder)
    fit(project, 0)
    record_so_far(project)
    whole = (project.folder / RUNS / "history.csv").read_bytes()
    short = fit(project, 0, epochs=2)
    assert "seed 0 epoch 1/2" in short
    assert "seed 0 epoch 2/2" in short
    assert "epoch" not in fit(project, 0).split("best")[0]
    record_so_far(project)
    assert (project.folder / RUNS / "history.csv").read_bytes() == whole


def test_what_a_shorter_training_set_aside_is_recorded(tmp_path, empty_database):
    project = Project(tmp_path / "project", empty_database, EPOCHS)
    prepare(project.folder)
    fit(project, 0, epochs=4)  # of the six that are asked for, as after a kill
    fit(project, 0, epochs=2)
    assert f"seed 0: 4 of {EPOCHS} epochs" in record_so_far(project)
