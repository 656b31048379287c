"""The case of a whole row: both ways run, and what they took is scaled by what was left out."""

import json

import numpy as np
import pytest

from benchmarks import row_of_table
from benchmarks.cases import ROW_MODEL
from benchmarks.row_of_table import measure_row, write_data
from tsslbp.method.batches import load_splits


def test_the_data_are_what_preprocessing_would_have_stored(settings, tmp_path):
    dataset = settings.dataset_of(ROW_MODEL)
    assert write_data(tmp_path, dataset, 0.001) == 60
    splits, record = load_splits(tmp_path, dataset, settings.model(ROW_MODEL))
    assert (splits.train.samples, splits.test.samples) == (60, 10)
    assert record.subset == ("synthetic",)
    images = np.load(tmp_path / "train/images.npy")
    assert 0.2 < (images > 0).mean() < 0.3
    assert json.loads((tmp_path / "data.json").read_text())["checksum"] == "synthetic"


def test_both_ways_are_measured_and_scaled_to_the_whole_data_set(settings, monkeypatch):
    asked = []

    def train(short, parallel: int, threads: int) -> float:
        asked.append((parallel, threads, short.model(ROW_MODEL).epochs))
        return {(2, 1): 0.3, (1, 2): 0.2}[parallel, threads]

    monkeypatch.setattr(row_of_table, "_train", train)
    row = measure_row(settings, threads=2, turns=2, repeats=0, share=0.01)
    assert asked == [(2, 1, 4), (1, 2, 4)] * 2
    assert row.side_by_side.epoch_seconds == (30, 30)
    assert row.in_turn.epoch_seconds == (20, 20)
    assert row.ratio == 0.75  # five rounds of 30 s beside ten of 20
    assert row.steps == 2 * 2 * 12  # epochs that count, turns, steps of 600 samples


@pytest.mark.slow
def test_the_projects_engine_trains_seeds_side_by_side_and_in_turn(settings):
    model = settings.model(ROW_MODEL).model_copy(update={"architecture": "4C5-P2-40"})
    small = settings.model_copy(update={"models": {ROW_MODEL: model}})
    row = measure_row(small, threads=2, turns=1, repeats=0, share=0.005)
    assert row.side_by_side.parallel == row.in_turn.threads == 2
    assert row.side_by_side.epoch_seconds[0] > 0
    assert row.in_turn.epoch_seconds[0] > 0


@pytest.mark.slow
def test_a_seed_that_fails_is_one_line(settings):
    model = settings.model(ROW_MODEL).model_copy(update={"architecture": "4", "threshold": 1e9})
    silent = settings.model_copy(update={"models": {ROW_MODEL: model}})
    with pytest.raises(ValueError, match=r"^row-of-the-table: seed 0 failed: .*never fired"):
        measure_row(silent, threads=1, turns=1, repeats=0, share=0.001)
