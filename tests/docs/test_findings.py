"""What docs/findings.md says of the networks in git and of the authors' code, held against the networks and against the other pages."""

import os
import re
from pathlib import Path

import pandas as pd
import pytest
import torch

from tests.support.data_builders import needs_mirror
from tests.support.paths import ROOT
from tsslbp import KernelLoss, load_network
from tsslbp.data.images import read_idx_split
from tsslbp.method.batches import ImageBatches
from tsslbp.method.network import SpikingNetwork
from tsslbp.method.neuron.reference import membrane_and_trace
from tsslbp.method.neuron.rules import Neuron
from tsslbp.method.neuron.synapse import constant_input_scale
from tsslbp.settings import load_settings

PAGE = (ROOT / "docs/findings.md").read_text(encoding="utf-8").replace("\n", " ")
SAMPLES = 500
MODELS = ("fashion-mlp", "mnist-cnn")


def first_samples(key: str) -> tuple[torch.Tensor, torch.Tensor]:
    settings = load_settings(ROOT / "params.yaml")
    dataset, folder = settings.dataset_of(key), Path(os.environ["TSSLBP_MIRROR"]) / settings.model(key).dataset
    split = read_idx_split(folder / "t10k-images-idx3-ubyte.gz", folder / "t10k-labels-idx1-ubyte.gz")
    return next(iter(ImageBatches(split, dataset.mean, dataset.std, SAMPLES).in_order()))


def gradient(network: SpikingNetwork, rule: str, x: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    settings = network.neuron
    network.neuron = Neuron(settings.tau_m, settings.tau_s, settings.threshold, rule)
    network.zero_grad()
    KernelLoss(network.time_steps, settings.tau_s)(network(x), labels).backward()
    return torch.cat([parameter.grad.flatten() for parameter in network.parameters()])


def firing_again(network: SpikingNetwork, x: torch.Tensor) -> list[float]:
    """By layer, the percent of the neurons with a spike that have a second one."""
    currents: list[torch.Tensor] = []
    hooks = [layer.register_forward_hook(lambda _layer, _input, current: currents.append(current)) for layer in network.layers]
    with torch.no_grad():
        network(x)
    for hook in hooks:
        hook.remove()
    first = torch.as_tensor(constant_input_scale(network.time_steps, network.neuron.tau_s))
    over_time = [current * first.view(-1, *[1] * (current.dim() - 1)) if len(current) == 1 else current for current in currents]
    counts = [(membrane_and_trace(current, network.neuron)[0] > network.neuron.threshold).sum(0) for current in over_time]
    return [100 * float((count >= 2).sum() / (count >= 1).sum()) for count in counts]


@needs_mirror
def test_how_often_neurons_fire_again_and_what_the_intra_neuron_term_turns():
    low, high = map(int, re.search(r"depending on the layer, (\d+) to (\d+) % of the neurons that fire", PAGE).groups())
    shares, cosines = [], {}
    for key in MODELS:
        x, labels = first_samples(key)
        network = load_network(ROOT / f"reports/weights/{key}.safetensors")
        shares += firing_again(network, x)
        with_it, without = (gradient(network, rule, x, labels) for rule in ("2021-03", "no-intra"))
        cosines[key] = float(torch.nn.functional.cosine_similarity(with_it, without, 0))
    assert (min(shares), max(shares)) == pytest.approx((low, high), abs=1)
    assert all(f"{cosine:.3f} in {key}" in PAGE for key, cosine in cosines.items()), cosines


def test_how_the_training_loss_of_fashion_mlp_ends():
    last, percent = map(int, re.search(r"lowest in one of the last (\d+) epochs and ends at most (\d+) % above that", PAGE).groups())
    history = pd.read_csv(ROOT / "reports/runs/fashion-mlp/history.csv")
    for _, seed in history.groupby("seed"):
        least = seed.train_loss.min()
        assert least == seed.train_loss.tail(last).min()
        assert seed.train_loss.iloc[-1] <= least * (1 + (percent + 0.5) / 100)
    assert history.epoch.max() == 100


def test_every_place_that_lists_the_authors_augmentations_has_mnists_flip():
    """Their loadMNIST.py switches off `RandomCrop(28, padding=4)`, `RandomHorizontalFlip()` and `RandomRotation(30)`."""
    lists = re.findall(r"contain[^.]*? for MNIST", PAGE)
    assert len(lists) == 2
    assert all(re.search(r"crop.*flip.*rotation", one) for one in lists), lists


def test_the_authors_longer_training_is_told_of_the_network_that_has_it():
    """Their MNIST_CNN.yaml says 200 epochs, FashionMNIST_CNN.yaml 100."""
    assert re.findall(r"as the authors' file says[^,]*", PAGE) == ["as the authors' file says for mnist-cnn"]


def test_a_first_look_at_augmentations_finds_none_ahead():
    """Of the row's own seed, over as many epochs."""
    assert "one seed of 30 epochs each: neither is ahead of the same epochs without it" in " ".join(PAGE.split())
    row = pd.read_csv(ROOT / "reports/runs/fashion-cnn/history.csv")
    for name in ("flips", "rotation"):
        looked = pd.read_csv(ROOT / f"reports/studies/recipes/runs/fashion-cnn-{name}/history.csv")
        assert (len(looked), set(looked.seed)) == (30, {0})
        unchanged = row[(row.seed == 0) & (row.epoch <= 30)]
        assert looked.test_accuracy.max() < unchanged.test_accuracy.max()
