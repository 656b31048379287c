"""Every number of params.yaml arrives in the network, loss, optimizer or run that it is for; and a network from its weights file."""

import inspect

import pytest
import torch

from tests.support.paths import ROOT
from tsslbp import seed_training
from tsslbp.method.build import build_loss, build_network, build_optimizer, load_network, network_options
from tsslbp.method.losses import KernelLoss
from tsslbp.method.network import SpikingNetwork
from tsslbp.method.seeding import weight_generator
from tsslbp.seed_training import SeedTask, train_seed
from tsslbp.settings import KernelLossSettings
from tsslbp.storage.checkpoints import CheckpointError

WEIGHTS = ROOT / "reports/weights/fashion-mlp.safetensors"

OPTIONS = {
    "time_steps": 7,
    "tau_m": 6.0,
    "tau_s": 4.0,
    "threshold": 0.8,
    "padding": 2,
    "conv_gain": 2.5,
    "dropout": 0.3,
    "dropout_mask": "neuron",
    "precision": "bf16",
}
"""None of them is the default of SpikingNetwork, nor are those of the recipe 2020-10."""


def test_every_setting_of_a_network_arrives(settings):
    model, recipe = settings.model("cifar10-cnn").model_copy(update={"architecture": "4C3-P2-20", **OPTIONS}), settings.recipes["2020-10"]
    network = build_network(model, recipe, settings.dataset("cifar10"), seed=3, products="blas")
    generator = weight_generator(3)
    expected = SpikingNetwork(
        "4C3-P2-20", (3, 32, 32), **OPTIONS, gradient="2020-10", convolution_init="kaiming_normal", products="blas", generator=generator
    )
    for name in ("input_shape", "plan", "time_steps", "neuron", "dropout", "dropout_mask", "precision", "products"):
        assert getattr(network, name) == getattr(expected, name), name
    for ours, theirs in zip(network.parameters(), expected.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    given = set(network_options(model, recipe, settings.dataset("cifar10")))
    assert given == set(inspect.signature(SpikingNetwork).parameters) - {"products", "generator"}


@pytest.mark.parametrize("filterings", [0, 1, 2])
def test_a_kernel_loss_has_the_train_and_the_filterings_of_the_settings(settings, filterings):
    loss = KernelLossSettings(kind="kernel", desired_train=(1, 0, 0, 1, 1))
    model = settings.model("fashion-mlp").model_copy(update={"tau_s": 4.0, "loss": loss})
    recipe = settings.recipes["2021-03"].model_copy(update={"target_filterings": filterings})
    assert torch.equal(build_loss(model, recipe).target, KernelLoss(5, 4.0, (1, 0, 0, 1, 1), filterings).target)


def test_a_count_loss_has_the_counts_of_the_settings(settings):
    loss = build_loss(settings.model("nmnist-cnn-t30"), settings.recipe_of("nmnist-cnn-t30"))
    assert (loss.desired, loss.undesired) == (15, 3)


def test_the_optimizer_has_the_numbers_of_the_settings(settings):
    model = settings.model("fashion-mlp").model_copy(update={"learning_rate": 0.002})
    training = settings.training.model_copy(update={"betas": (0.8, 0.95), "weight_decay": 0.05})
    network = build_network(model, settings.recipe_of("fashion-mlp"), settings.dataset_of("fashion-mlp"), seed=0)
    (group,) = build_optimizer(model, training, network).param_groups
    assert (group["lr"], group["betas"], group["weight_decay"]) == (0.002, (0.8, 0.95), 0.05)


def test_a_seed_is_trained_with_the_limits_of_the_settings(settings, monkeypatch):
    schedules = []
    monkeypatch.setattr(seed_training, "train_epochs", lambda *arguments: schedules.append(arguments[4]))
    training = settings.training.model_copy(update={"clip_norm": 0.5, "weight_limit": 3.0})
    model, recipe, dataset = settings.model("fashion-mlp"), settings.recipe_of("fashion-mlp"), settings.dataset_of("fashion-mlp")
    train_seed(SeedTask(model, recipe, training, dataset, 3, "cpu", 1, "blas"), None)
    (found,) = schedules
    assert (found.epochs, found.seed, found.clip_norm, found.weight_limit) == (100, 3, 0.5, 3.0)


def test_an_unknown_library_of_products_is_named_and_the_file_is_not_blamed():
    with pytest.raises(CheckpointError, match="products 'mkl'") as raised:
        load_network(WEIGHTS, products="mkl")
    assert "that they name" not in str(raised.value)
