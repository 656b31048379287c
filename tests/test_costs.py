"""The cost of a model before it is trained."""

import subprocess
import sys
from concurrent.futures.process import BrokenProcessPool
from threading import BrokenBarrierError
from unittest.mock import MagicMock

import numpy as np
import pytest
import torch

from tests.support.paths import ROOT
from tsslbp import costs
from tsslbp.costs import measure, memory_estimate
from tsslbp.method.batches import Batches, Splits
from tsslbp.method.numerics import prepare_numerics
from tsslbp.seed_training import SeedTask, train_seed
from tsslbp.settings import load_settings
from tsslbp.storage.checkpoints import pack_state


def test_hours_follow_from_the_measured_rates():
    settings = load_settings(ROOT / "quickstart/params.yaml")
    cost = measure(settings, "digits-mlp", torch.device("cpu"), seconds=0.05)
    epochs = settings.model("digits-mlp").epochs
    assert cost.hours == pytest.approx(epochs * (1437 / cost.train_rate + 360 / cost.test_rate) / 3600)
    weights = 784 * 400 + 400 * 400 + 400 * 10
    assert cost.disk_bytes == 24 * weights


def test_events_are_made_up_for_event_models():
    cost = measure(load_settings(ROOT / "quickstart/params.yaml"), "ndigits-cnn", torch.device("cpu"), seconds=0.01)
    assert cost.train_rate > 0


@pytest.mark.slow
def test_side_by_side_a_row_takes_as_many_rounds_as_seeds_need():
    cost = measure(load_settings(ROOT / "quickstart/params.yaml"), "digits-mlp", torch.device("cpu"), seconds=0.05, at_a_time=2)
    assert cost.at_a_time == 2
    assert cost.train_rate > 0
    rounds = [cost.row_hours(seeds) / cost.hours for seeds in (1, 2, 3, 5)]
    assert rounds == pytest.approx([1, 1, 2, 3])  # not exactly: hours times three, divided again, need not be three


@pytest.mark.parametrize("error", [BrokenProcessPool("terminated abruptly"), BrokenBarrierError()])
def test_a_process_that_is_killed_while_it_is_measured_is_one_line(monkeypatch, error):
    pool = MagicMock()
    pool.return_value.__enter__.return_value.map.side_effect = error
    pool.return_value.__exit__.return_value = False
    monkeypatch.setattr(costs, "ProcessPoolExecutor", pool)
    settings = load_settings(ROOT / "quickstart/params.yaml")
    with pytest.raises(ValueError, match=r"digits-mlp: of 2 processes .* was killed .* lack of memory; .* --cores 1$"):
        measure(settings, "digits-mlp", torch.device("cpu"), at_a_time=2)
    with pytest.raises(ValueError, match=r"digits-mlp: the process that measured it was killed .* lack of memory; make room$"):
        measure(settings, "digits-mlp", torch.device("cpu"), at_a_time=1)


@pytest.mark.slow
@pytest.mark.parametrize("key", ["fashion-mlp", "fashion-cnn", "nmnist-cnn-t30", "cifar10-cnn"])
def test_the_estimate_of_memory_is_enough_and_not_twice_too_much(key):
    """A process of its own takes a few steps, tests, and packs a checkpoint; its peak is compared."""
    program = (
        "import sys\nfrom tests.test_costs import take_an_epoch\nfrom tsslbp.limits import peak_memory\n"
        "take_an_epoch(sys.argv[1])\nprint(peak_memory())"
    )
    done = subprocess.run([sys.executable, "-c", program, key], cwd=ROOT, capture_output=True, text=True, check=True)
    peak, estimate = int(done.stdout), memory_estimate(load_settings(ROOT / "params.yaml"), key)
    assert peak <= estimate <= 2 * peak


def take_an_epoch(key: str) -> None:
    """Train on a batch of made-up data and pack the state, twice: the second time there is a state before."""
    settings = load_settings(ROOT / "params.yaml")
    prepare_numerics(1)
    dataset = settings.dataset_of(key)
    # Events that are noise would leave a network silent at its own threshold.
    model = settings.model(key).model_copy(update={"epochs": 2} | ({"threshold": 0.1} if dataset.is_events else {}))
    task = SeedTask(model, settings.recipe_of(key), settings.training, dataset, 0, "cpu", 1, "blas")
    batches = MadeUp(np.zeros(model.batch_size, np.uint8), model.batch_size, model, dataset)
    for state in train_seed(task, Splits(batches, batches)):
        pack_state(state, "key")


class MadeUp(Batches):
    """Noise in the shape of a dataset."""

    def __init__(self, labels, batch_size, model, dataset):
        super().__init__(labels, batch_size)
        self._batch = costs._batch(model, dataset)[0]

    def _samples(self, chosen, moves):
        return self._batch
