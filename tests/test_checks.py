"""What has one right shape, range or dtype is refused when it has another, before any weight changes."""

import pytest
import torch

from tsslbp.method.checks import NotFiniteError, check_labels
from tsslbp.method.losses import CountLoss, KernelLoss
from tsslbp.method.network import SpikingNetwork
from tsslbp.method.step import evaluate, make_optimizer, train_step

LOSSES = [KernelLoss(5, 3.0), CountLoss(4, 1)]


@pytest.fixture
def network():
    return SpikingNetwork("30", (1, 4, 4), classes=3, generator=torch.Generator().manual_seed(0))


def batch(samples=8):
    return 3 * torch.rand(samples, 1, 4, 4, generator=torch.Generator().manual_seed(1)), torch.arange(samples) % 3


def refuse_step(network, loss, x, labels, error, message):
    before = [weight.detach().clone() for weight in network.parameters()]
    with pytest.raises(error, match=message):
        train_step(network, loss, make_optimizer(network, 0.01), x, labels)
    assert all(torch.equal(weight, old) for weight, old in zip(network.parameters(), before, strict=True))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e38])
@pytest.mark.parametrize("loss", LOSSES)
def test_one_bad_pixel_changes_no_weight(network, loss, value):
    x, labels = batch()
    x[3, 0, 1, 2] = value
    refuse_step(network, loss, x, labels, NotFiniteError, "became (nan|inf)")


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (torch.zeros(1, dtype=torch.long), r"labels of shape \(1,\) for 8 samples"),
        (torch.zeros(8, 1, dtype=torch.long), r"labels of shape \(8, 1\)"),
        (torch.zeros(8), "labels of torch.float32: expected integers"),
        (torch.full((8,), 3), "labels from 3 to 3: the classes are 0 to 2"),
        (torch.full((8,), -1), "labels from -1 to -1"),
    ],
)
def test_labels_of_another_shape_kind_or_range_are_refused(network, loss, labels, message):
    refuse_step(network, loss, batch()[0], labels, ValueError, message)


def test_eight_labels_for_one_image_are_refused(network):
    refuse_step(network, LOSSES[0], batch(1)[0], batch(8)[1], ValueError, r"labels of shape \(8,\) for 1 samples")
    with pytest.raises(ValueError, match=r"labels of shape \(8,\) for 1 samples"):
        evaluate(network, [(batch(1)[0], batch(8)[1])])


def test_evaluation_refuses_weights_and_inputs_that_are_not_finite(network):
    x, labels = batch()
    x[0, 0, 0, 1] = float("nan")
    with pytest.raises(NotFiniteError, match=r"x: nan at position \(0, 0, 0, 1\)"):
        evaluate(network, [(x, labels)])
    with torch.no_grad():
        network.layers[1].weight[2, 5] = float("inf")
    with pytest.raises(NotFiniteError, match=r"weight layers.1.weight: inf at position \(2, 5\)"):
        evaluate(network, [batch()])


def test_small_integers_are_labels_too():
    assert check_labels(torch.tensor([1, 2], dtype=torch.uint8), 2, 3).dtype == torch.int64


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64, torch.bool])
def test_still_images_of_integers_are_refused(network, dtype):
    with pytest.raises(ValueError, match=r"still images of .*: expected floating point"):
        network(torch.ones(2, 1, 4, 4, dtype=dtype))


def test_an_input_without_samples_or_steps_is_refused(network):
    with pytest.raises(ValueError, match="there is no sample or no step"):
        network(torch.ones(0, 1, 4, 4))
