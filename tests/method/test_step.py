"""One step and one evaluation."""

import math

import pytest
import torch

from tsslbp.method.losses import KernelLoss
from tsslbp.method.network import SpikingNetwork
from tsslbp.method.step import evaluate, make_optimizer, train_step


@pytest.fixture
def network():
    return SpikingNetwork("30", (1, 4, 4), classes=3, generator=torch.Generator().manual_seed(0))


def batch(samples=6):
    generator = torch.Generator().manual_seed(1)
    return 3 * torch.rand(samples, 1, 4, 4, generator=generator), torch.arange(samples) % 3


def test_steps_lower_the_loss(network):
    x, labels = batch()
    optimizer = make_optimizer(network, 0.005)
    losses = [train_step(network, KernelLoss(5, 3.0), optimizer, x, labels) for _ in range(60)]
    assert losses[-1] < 0.7 * losses[0]


def test_weights_are_clamped_after_the_step(network):
    x, labels = batch()
    train_step(network, KernelLoss(5, 3.0), make_optimizer(network, 0.1), x, labels, weight_limit=0.25)
    assert max(weight.abs().max() for weight in network.parameters()) == 0.25


def test_the_gradients_norm_is_clipped(network):
    x, labels = batch()
    before = [weight.detach().clone() for weight in network.parameters()]
    train_step(network, KernelLoss(5, 3.0), torch.optim.SGD(network.parameters(), lr=1.0), x, labels, clip_norm=0.01)
    moved = sum((weight - old).square().sum().item() for weight, old in zip(network.parameters(), before, strict=True))
    assert math.sqrt(moved) == pytest.approx(0.01, rel=1e-3)


def test_evaluation_counts_every_sample_once(network):
    x, labels = batch(7)
    result = evaluate(network, [(x[:5], labels[:5]), (x[5:], labels[5:])])
    assert result.confusion.sum() == 7
    assert result.confusion.sum(1).tolist() == [3, 2, 2]
    predicted = network.eval()(x).sum(0).argmax(1)
    assert result.accuracy == pytest.approx(100 * (predicted == labels).double().mean().item())


def test_evaluation_does_not_depend_on_the_batches(network):
    x, labels = batch(7)
    whole, parts = evaluate(network, [(x, labels)]), evaluate(network, [(x[i : i + 1], labels[i : i + 1]) for i in range(7)])
    assert torch.equal(whole.confusion, parts.confusion)
    assert whole.firing_rates == pytest.approx(parts.firing_rates)


def test_evaluating_nothing_is_an_error(network):
    with pytest.raises(ValueError, match="no batch"):
        evaluate(network, [])
