"""Recordings that were binned with other settings than there are now are trained on by nobody, and recorded as nothing."""

import json

import pytest
import yaml

from tests.support.data_builders import event_dataset, image_dataset, write_recordings
from tests.support.in_process import printed_by, run_stage
from tests.support.paths import ROOT
from tsslbp.data.binning import check_binning, note_binning, note_path, noted_binnings
from tsslbp.settings import Dataset
from tsslbp.storage.records import DataRecord

MODEL = "ndigits-cnn"
EVENTS = event_dataset()
RECORD = DataRecord(dataset="small", title="Events", checksum="", train_samples=1, test_samples=1, arrays="a" * 32)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"window_us": 2000}, "window_us was 3000 and is 2000"),
        ({"stabilize": False}, "stabilize was True and is False"),
        ({"first_us": 105_000}, "first_us was 0 and is 105000"),
        ({"last_us": 105_000}, "last_us was None and is 105000"),
    ],
)
def test_each_setting_that_was_another_is_named(tmp_path, change, named):
    folder = tmp_path / "small"
    note_binning(folder, EVENTS, RECORD)
    known = noted_binnings(folder, RECORD)
    check_binning(folder, EVENTS, known, "small")
    with pytest.raises(ValueError, match=rf"{folder}: .*datasets\.small has now: {named}; run the preprocess stage of small again"):
        check_binning(folder, EVENTS.model_copy(update=change), known, "small")


def test_settings_that_give_the_same_arrays_are_all_right_and_other_arrays_are_in_no_note(tmp_path):
    folder, longer = tmp_path / "small", EVENTS.model_copy(update={"last_us": 400_000})
    for dataset in (EVENTS, longer, EVENTS):
        note_binning(folder, dataset, RECORD)
    known = noted_binnings(folder, RECORD)
    assert known == [EVENTS.binning, longer.binning]
    for dataset in (EVENTS, longer, image_dataset()):
        check_binning(folder, dataset, known, "small")
    assert noted_binnings(folder, RECORD.model_copy(update={"arrays": "b" * 32})) == []
    check_binning(folder, EVENTS, [], "small")


@pytest.mark.parametrize("text", ["", "[]", "{", '{"%s": 1}' % ("a" * 32), '{"%s": [1]}' % ("a" * 32)])
def test_a_damaged_note_says_nothing_and_is_written_anew(tmp_path, text):
    folder = tmp_path / "small"
    note_path(folder).write_text(text)
    assert noted_binnings(folder, RECORD) == []
    note_binning(folder, EVENTS, RECORD)
    assert noted_binnings(folder, RECORD) == [EVENTS.binning]


def test_of_images_nothing_is_noted(tmp_path):
    note_binning(tmp_path / "small", image_dataset(), RECORD)
    assert not note_path(tmp_path / "small").exists()


@pytest.fixture
def project(tmp_path, empty_database):
    """A folder with a small model of recordings, preprocessed; returns it and what changes its dataset's settings."""
    (tmp_path / "mlflow.db").write_bytes(empty_database.read_bytes())
    settings = yaml.safe_load(
        (ROOT / "quickstart/params.yaml").read_text().replace("quickstart/", "").replace("parallel: auto", "parallel: 1")
    )
    settings["models"] = {
        MODEL: settings["models"][MODEL] | {"architecture": "20", "padding": 0, "epochs": 1, "threshold": 0.01, "seeds": [0]}
    }
    dataset = settings["datasets"]["ndigits"]
    dataset |= {"train_samples": 13, "test_samples": 7}
    write_recordings(tmp_path / "data/raw/ndigits", Dataset.model_validate(dataset))

    def change(**changes):
        dataset.update(changes)
        (tmp_path / "params.yaml").write_text(yaml.safe_dump(settings))

    change()
    assert run_stage(tmp_path, "preprocess", "--dataset", "ndigits") == 0
    return tmp_path, change


def lock(folder, dataset):
    stages = {"preprocess@ndigits": {"params": {"params.yaml": {"datasets.ndigits": dataset}}}}
    (folder / "dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": stages}))


@pytest.mark.parametrize(
    "stage", [("fit",), ("train", "--so-far"), ("train", "--evaluate", f"checkpoints/{MODEL}/seed-0-best.safetensors")]
)
def test_the_stages_refuse_what_was_preprocessed_with_other_settings(project, stage):
    folder, change = project
    assert run_stage(folder, "fit", "--model", MODEL) == 0
    change(window_us=2000)
    said = printed_by(folder, *stage, "--model", MODEL, code=1)
    assert "data/processed/ndigits: its recordings were binned with other settings" in said
    assert "window_us was 3000 and is 2000; run the preprocess stage of ndigits again" in said
    assert not (folder / "reports/runs").exists()
    change(window_us=3000)
    assert run_stage(folder, *stage, "--model", MODEL) == 0


def test_of_recordings_without_a_note_the_lock_file_knows_the_settings(project):
    folder, change = project
    before = yaml.safe_load((folder / "params.yaml").read_text())["datasets"]["ndigits"]
    lock(folder, before)
    change(last_us=105_000)
    note = note_path(folder / "data/processed/ndigits")
    kept = json.loads(note.read_text())
    note.unlink()
    assert "last_us was None and is 105000" in printed_by(folder, "fit", "--model", MODEL, code=1)
    lock(folder, before | {"last_us": 105_000})
    assert run_stage(folder, "fit", "--model", MODEL) == 0
    lock(folder, before)
    assert "last_us was None and is 105000" in printed_by(folder, "train", "--so-far", "--model", MODEL, code=1)
    note.write_text(json.dumps(kept))  # what is noted of the arrays themselves counts more
    assert "last_us was None and is 105000" in printed_by(folder, "fit", "--model", MODEL, code=1)
