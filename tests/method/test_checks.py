"""What has one right shape, range or dtype is refused when it has another, before any weight changes."""

import math

import pytest
import torch

from tsslbp.method.checks import NotFiniteError, check_finite, check_labels
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


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (float("nan"), r"x: nan at position \(3, 0, 1, 2\)"),
        (float("inf"), r"x: inf at position \(3, 0, 1, 2\)"),
        (1e38, "the gradient's norm became (nan|inf)"),
    ],
)
@pytest.mark.parametrize("loss", LOSSES)
def test_one_bad_pixel_changes_no_weight(network, loss, value, message):
    x, labels = batch()
    x[3, 0, 1, 2] = value
    refuse_step(network, loss, x, labels, NotFiniteError, message)


def test_what_becomes_infinite_in_the_networks_own_dtype_is_refused(network):
    x = batch()[0].double()
    x[2, 0, 3, 3] = 1e39
    with pytest.raises(NotFiniteError, match=r"x: inf at position \(2, 0, 3, 3\)"):
        network(x)


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (CountLoss, "loss CountLoss: expected a loss, not its class"),
        (lambda trace, labels: trace.sum().item(), r"loss: returned [\d.]+; expected a scalar tensor"),
        (lambda trace, labels: trace, r"loss: returned Tensor of shape \(5, 8, 3\)"),
        (lambda trace, labels: trace.detach().sum(), "loss: returned a tensor without a gradient"),
    ],
)
def test_what_is_not_a_loss_is_refused(network, loss, message):
    refuse_step(network, loss, *batch(), TypeError, message)


def test_an_optimizer_of_another_network_is_refused(network):
    other = SpikingNetwork("30", (1, 4, 4), classes=3)
    with pytest.raises(ValueError, match="optimizer: holds none of this network's weights"):
        train_step(network, LOSSES[0], make_optimizer(other, 0.01), *batch())


def test_infinity_leaves_gradient_and_weights_as_they_are(network):
    """No clipping and no clamping: the same step as with limits that nothing reaches."""
    twin = SpikingNetwork("30", (1, 4, 4), classes=3, generator=torch.Generator().manual_seed(0))
    train_step(network, LOSSES[0], make_optimizer(network, 0.01), *batch(), clip_norm=math.inf, weight_limit=math.inf)
    train_step(twin, LOSSES[0], make_optimizer(twin, 0.01), *batch(), clip_norm=1e9, weight_limit=1e9)
    assert all(torch.equal(weight, other) for weight, other in zip(network.parameters(), twin.parameters(), strict=True))


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(("value", "message"), [(float("nan"), "trace: nan at position"), (1e38, r"trace with numbers up to 1e\+38")])
def test_a_trace_whose_loss_would_be_infinite_is_refused(loss, value, message):
    trace = torch.zeros(5, 8, 3)
    trace[1, 2, 0] = value
    with pytest.raises(ValueError, match=message):
        loss(trace, batch()[1])


def test_numbers_whose_sum_overflows_are_finite():
    check_finite("x", torch.full((4,), 3e38))


@pytest.mark.parametrize("batches", [torch.ones(2, 2), [torch.ones(2)], [(torch.ones(1), torch.ones(1), torch.ones(1))], "x", 3])
def test_batches_that_are_no_pairs_are_refused(network, batches):
    with pytest.raises(TypeError, match=r"batches.*pairs of tensors"):
        evaluate(network, batches)


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
