"""The networks in reports/weights/ are those of the records, and give the recorded accuracy on the official data."""

import os
from pathlib import Path

import pytest

from stages.verify import ELSEWHERE
from tests.support.paths import ROOT
from tsslbp.data.images import read_idx_split
from tsslbp.method.batches import ImageBatches
from tsslbp.method.build import load_network
from tsslbp.method.step import evaluate
from tsslbp.report.origin import read_runs
from tsslbp.report.rows import make_rows
from tsslbp.settings import load_settings
from tsslbp.storage.files import checksum
from tsslbp.storage.record_files import read_record

WEIGHTS = sorted((ROOT / "reports/weights").glob("*.safetensors"))


def test_every_row_that_was_run_in_full_has_its_network_here():
    settings = load_settings(ROOT / "params.yaml")
    rows = make_rows(settings, read_runs(settings, ROOT / settings.folders.runs))
    assert {row.model for row in rows if row.follows_protocol} == {path.stem for path in WEIGHTS} >= {"fashion-mlp", "mnist-cnn"}


@pytest.mark.parametrize("path", WEIGHTS, ids=lambda path: path.stem)
def test_weights_are_those_of_seed_0_at_its_best_epoch(path):
    record, _ = read_record(ROOT / "reports/runs" / path.stem)
    seed = next(seed for seed in record.seeds if seed.seed == 0)
    assert checksum(path, "sha256") == seed.best_weights_sha256


@pytest.mark.skipif("TSSLBP_MIRROR" not in os.environ, reason="needs the official data: set TSSLBP_MIRROR")
@pytest.mark.parametrize("path", WEIGHTS, ids=lambda path: path.stem)
def test_weights_give_the_recorded_accuracy(path):
    settings = load_settings(ROOT / "params.yaml")
    dataset, model = settings.dataset_of(path.stem), settings.model(path.stem)
    folder = Path(os.environ["TSSLBP_MIRROR"]) / model.dataset
    split = read_idx_split(folder / "t10k-images-idx3-ubyte.gz", folder / "t10k-labels-idx1-ubyte.gz")
    record, _ = read_record(ROOT / "reports/runs" / path.stem)
    best = next(seed.best for seed in record.seeds if seed.seed == 0)
    accuracy = evaluate(load_network(path), ImageBatches(split, dataset.mean, dataset.std, 1000).in_order()).accuracy
    assert abs(accuracy - best) <= 100 * ELSEWHERE / len(split.labels)
