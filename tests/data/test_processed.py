import json

import numpy as np
import pytest

from tests.support.data_builders import event_dataset, image_dataset, make_model, prepared, write_images, write_recordings
from tsslbp.data.processed import load_record
from tsslbp.method.batches import load_splits


@pytest.fixture
def copied(tmp_path):
    def copy(kind):
        dataset, write = (image_dataset(), write_images) if kind == "images" else (event_dataset(), write_recordings)
        return prepared(tmp_path, dataset, write)[0], dataset

    return copy


def refused(folder, dataset, message):
    with pytest.raises(ValueError, match=rf"{message}[\s\S]*{folder}: run the preprocess stage of small again"):
        load_splits(folder, dataset, make_model(dataset))


def test_a_missing_folder_is_named(tmp_path):
    refused(tmp_path / "nothing", image_dataset(), r"nothing/data\.json: missing or damaged")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"dataset": "small"}', '{"unknown": 1}', "[" * 100_000])
def test_a_damaged_description_is_named(copied, text):
    folder, dataset = copied("images")
    (folder / "data.json").write_text(text)
    refused(folder, dataset, r"data\.json: missing or damaged")


def test_a_damaged_description_is_one_line_that_names_the_entry(copied):
    folder, _ = copied("images")
    (folder / "data.json").write_text(json.dumps(json.loads((folder / "data.json").read_text()) | {"train_samples": "many"}))
    with pytest.raises(
        ValueError, match=r"^.*data\.json: missing or damaged \(train_samples: Input should be a valid integer.*\)$"
    ) as refusal:
        load_record(folder)
    assert len(str(refusal.value).splitlines()) == 1


def test_a_folder_of_other_settings_is_named(copied):
    folder, dataset = copied("images")
    refused(folder, dataset.model_copy(update={"shape": (1, 4, 4)}), r"data\.json: samples of shape .*, but the settings say \[1, 4, 4\]")


@pytest.mark.parametrize(
    ("kind", "name"), [("images", "images"), ("images", "labels"), *(("events", name) for name in ("cells", "offsets", "steps", "labels"))]
)
def test_a_missing_or_truncated_array_is_named(copied, kind, name):
    folder, dataset = copied(kind)
    path = folder / "train" / f"{name}.npy"
    path.write_bytes(path.read_bytes()[:-1])
    refused(folder, dataset, rf"train/{name}\.npy: missing or damaged")
    path.unlink()
    refused(folder, dataset, rf"train/{name}\.npy: missing or damaged")


def change(path, edit):
    array = np.load(path)
    np.save(path, edit(array))


def put(index, value):
    def edit(array):
        array[index] = value
        return array

    return edit


@pytest.mark.parametrize(
    ("kind", "name", "edit", "message"),
    [
        ("images", "images", lambda array: array.astype(np.float32), "expected uint8"),
        ("images", "images", lambda array: array[:-1], r"expected uint8 \(13, 1, 4, 5\)"),
        ("images", "labels", lambda array: array[:-1], r"expected uint8 \(13,\)"),
        ("images", "labels", put(3, 10), "label 10; labels are 0 to 9"),
        ("events", "labels", put(3, 10), "label 10; labels are 0 to 9"),
        ("events", "cells", put(50, 2312), "a cell beyond the 2312"),
        ("events", "cells", lambda array: array[:-1], "does not divide the"),
        ("events", "offsets", put(0, 1), "does not divide the"),
        ("events", "offsets", put(5, 0), "does not divide the"),
        ("events", "offsets", put(-1, 1 << 40), "does not divide the"),
        ("events", "steps", put((2, 0), 1), "does not divide the cells of each recording"),
        ("events", "steps", put((2, -1), 1 << 31), "does not divide the cells of each recording"),
        ("events", "steps", put((2, 50), 1 << 31), "does not divide the cells of each recording"),
        ("events", "steps", lambda array: array[:, :-1], r"expected uint32 \(13, 101\)"),
    ],
)
def test_an_array_that_does_not_fit_is_named(copied, kind, name, edit, message):
    folder, dataset = copied(kind)
    change(folder / "train" / f"{name}.npy", edit)
    refused(folder, dataset, message)


def test_arrays_of_other_settings_are_refused(copied):
    folder, dataset = copied("events")
    refused(folder, event_dataset(time_steps=90), r"expected uint32 \(13, 91\)")
    stored = json.loads((folder / "data.json").read_text())
    (folder / "data.json").write_text(json.dumps(stored | {"train_samples": 12}))
    refused(folder, dataset, r"expected")
