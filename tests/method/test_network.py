"""Networks against the reference vectors, and the laws of layers and shapes."""

import numpy as np
import pytest
import torch

from tests.support.paths import REFERENCE
from tsslbp.method.losses import CountLoss, KernelLoss
from tsslbp.method.network import SpikingNetwork
from tsslbp.method.step import make_optimizer, train_step

NETWORKS = {
    "net_mlp_kernel": ("24-16", 0),
    "net_cnn_kernel": ("6C3-P2-8C3-P2-20", (0, 1)),
    "net_cnn_count": ("4C5-P2-8C5-P2", (1, 0)),
}


def load(name, **options):
    """The reference's network with its initial weights, its loss and its batch."""
    vector = np.load(REFERENCE / f"{name}.npz")
    architecture, padding = NETWORKS[name]
    x, labels = torch.tensor(vector["x"]), torch.tensor(vector["labels"]).long()
    steps, tau_m, tau_s = int(vector["time_steps"]), float(vector["tau_m"]), float(vector["tau_s"])
    network = SpikingNetwork(architecture, x.shape[-3:], time_steps=steps, tau_m=tau_m, tau_s=tau_s, padding=padding, **options)
    with torch.no_grad():
        for index, weight in enumerate(network.parameters()):
            weight.copy_(torch.tensor(vector[f"weight_{index}"]))
    if name.endswith("kernel"):
        loss = KernelLoss(steps, tau_s)
    else:
        loss = CountLoss(float(vector["desired_count"]), float(vector["undesired_count"]))
    return vector, network, loss, x, labels


def relative_error(actual, expected):
    return np.linalg.norm(actual - expected) / np.linalg.norm(expected)


@pytest.mark.parametrize("name", NETWORKS)
def test_output_loss_and_gradients_agree_with_the_reference(name):
    vector, network, loss, x, labels = load(name)
    output = network(x)
    assert relative_error(output.detach().numpy(), vector["output"]) < 1e-6
    value = loss(output, labels)
    assert value.item() == pytest.approx(float(vector["loss"]), rel=1e-6)
    value.backward()
    for index, weight in enumerate(network.parameters()):
        assert relative_error(weight.grad.numpy(), vector[f"grad_{index}"]) < 1e-5


@pytest.mark.parametrize("name", NETWORKS)
def test_three_training_steps_agree_with_the_reference(name):
    vector, network, loss, x, labels = load(name)
    optimizer = make_optimizer(network, float(vector["lr"]))
    losses = [train_step(network, loss, optimizer, x, labels) for _ in range(3)]
    np.testing.assert_allclose(losses, vector["loss_per_step"], rtol=1e-5)
    for index, weight in enumerate(network.parameters()):
        assert relative_error(weight.detach().numpy(), vector[f"weight_after_{index}"]) < 1e-3


def test_parameters_have_pytorchs_shapes_in_layer_order():
    network = SpikingNetwork("15C5-P2-40C5-P2-300", (1, 28, 28))
    assert [tuple(weight.shape) for weight in network.parameters()] == [(15, 1, 5, 5), (40, 15, 5, 5), (300, 640), (10, 300)]


def test_a_still_image_is_the_same_as_its_repetition():
    network = SpikingNetwork("6C3-P2-20", (2, 8, 8), time_steps=5, padding=1).double()
    x = torch.rand(3, 2, 8, 8, dtype=torch.float64)
    torch.testing.assert_close(network(x), network(x.expand(5, -1, -1, -1, -1)))


def test_samples_of_a_batch_do_not_interact():
    network = SpikingNetwork("6C3-P2-20", (1, 8, 8), padding=1).eval()
    x = torch.rand(4, 1, 8, 8)
    torch.testing.assert_close(network(x)[:, 2:3], network(x[2:3]))


def test_images_are_flattened_channel_major_whichever_side_is_copied():
    network = SpikingNetwork("6C3-P2-20", (1, 8, 8), padding=1).double()
    few, many = torch.rand(2, 1, 8, 8).double(), torch.rand(64, 1, 8, 8).double()
    torch.testing.assert_close(network(torch.cat([few, many]))[:, :2], network(few))
    dense = network.layers[1]
    trace = torch.rand(5, 64, 6, 4, 4, dtype=torch.float64)
    by_channels_last = dense(trace.permute(0, 1, 3, 4, 2).contiguous().permute(0, 1, 4, 2, 3))
    torch.testing.assert_close(by_channels_last, trace.flatten(2) @ dense.weight.T)


def test_equal_generators_draw_equal_weights():
    one, two = (SpikingNetwork("6C3-P2-20", (1, 8, 8), generator=torch.Generator().manual_seed(3)) for _ in range(2))
    for a, b in zip(one.parameters(), two.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)


@pytest.mark.parametrize(("init", "spread"), [("uniform", 1 / (3 * 50) ** 0.5), ("kaiming_normal", (2 / 50) ** 0.5)])
def test_convolutions_start_as_documented(init, spread):
    network = SpikingNetwork("400C5", (2, 8, 8), conv_gain=5.0, convolution_init=init, generator=torch.Generator().manual_seed(0))
    weight = next(network.parameters()).detach()
    assert weight.std().item() == pytest.approx(5 * spread, rel=0.03)
    if init == "uniform":
        assert weight.abs().max() <= 5 / 50**0.5


@pytest.mark.parametrize(("mask", "differ_over_width"), [("row", False), ("neuron", True)])
def test_dropout_is_the_same_at_every_step(mask, differ_over_width):
    from tsslbp.method.layers import dropout_mask

    trace = torch.ones(5, 50, 8, 6, 6)
    masked = dropout_mask(trace, 0.2, mask, torch.Generator().manual_seed(0)) * trace
    assert (masked == masked[:1]).all()
    assert (masked != masked[..., :1]).any().item() == differ_over_width
    assert masked.mean().item() == pytest.approx(1.0, abs=0.05)
    assert set(masked.unique().tolist()) == {0.0, 1.25}


def test_dropout_acts_in_training_only_and_follows_its_generator():
    network = SpikingNetwork("200", (1, 4, 4), dropout=0.5)
    x = 3 * torch.rand(8, 1, 4, 4)
    silent = network.eval()(x)
    torch.testing.assert_close(network(x), silent, rtol=0, atol=0)
    outputs = []
    for _ in range(2):
        network.dropout_generator = torch.Generator().manual_seed(7)
        outputs.append(network.train()(x))
    torch.testing.assert_close(*outputs, rtol=0, atol=0)
    assert not torch.equal(outputs[0], silent)


def test_dropout_leaves_the_output_alone():
    """A trace is at most 1, and what a mask lets through is larger: 1 / (1 - 0.5) times."""
    network = SpikingNetwork("200", (1, 4, 4), dropout=0.5, generator=torch.Generator().manual_seed(0)).train()
    network.layers[1].weight.data.fill_(1.0)  # every neuron of the output fires at every step
    traces = network(3 * torch.rand(8, 1, 4, 4))
    assert (traces == traces[:, :1, :1]).all()
    assert 0 < traces.max() < 1


def test_firing_rates_are_reported_for_every_layer():
    network = SpikingNetwork("6C3-P2-20", (1, 8, 8))
    network(3 * torch.rand(4, 1, 8, 8))
    assert len(network.firing_rates) == 3
    assert all(0 <= rate <= 1 for rate in network.firing_rates)


def test_bf16_is_rounded_stays_close_and_keeps_float32_weights():
    _, exact, loss, x, labels = load("net_cnn_kernel")
    _, rounded, _, _, _ = load("net_cnn_kernel", precision="bf16")
    output = rounded(x)
    assert output.dtype == torch.float32
    loss(output, labels).backward()
    assert all(weight.grad.dtype == torch.float32 for weight in rounded.parameters())
    assert 1e-4 < relative_error(output.detach().numpy(), exact(x).detach().numpy()) < 0.3  # not computed in float32, either


@pytest.mark.parametrize("shape", [(3, 1, 9, 8), (1, 8, 8), (3, 2, 8, 8)])
def test_an_input_of_another_shape_is_refused(shape):
    with pytest.raises(ValueError, match="expected \\(B, 1, 8, 8\\)"):
        SpikingNetwork("6C3-P2-20", (1, 8, 8))(torch.zeros(shape))


@pytest.mark.parametrize(
    "options",
    [{"time_steps": 0}, {"dropout": 1.0}, {"dropout_mask": "column"}, {"precision": "fp8"}, {"convolution_init": "zeros"}, {"tau_m": 0.2}],
)
def test_impossible_options_are_refused(options):
    with pytest.raises(ValueError, match=str(next(iter(options.values())))):
        SpikingNetwork("6C3-P2-20", (1, 8, 8), **options)
