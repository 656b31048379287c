"""The faults that docs/guarantees.md lists. Each test asserts what should hold, and fails as expected: once it holds, the list is to be cut."""

import pytest
import torch

import tsslbp

known_fault = pytest.mark.xfail(strict=True, raises=AssertionError, reason="docs/guarantees.md, Known faults")
IMAGES = 3 * torch.rand(5, 1, 8, 8, generator=torch.Generator().manual_seed(1))
LABELS = torch.arange(5)


def make_network(steps):
    torch.manual_seed(0)
    return tsslbp.SpikingNetwork("20", (1, 8, 8), classes=10, time_steps=steps)


def first_gradient(x, steps):
    network = make_network(steps)
    tsslbp.CountLoss(1, 0)(network(x), LABELS).backward()
    return network.layers[0].weight.grad


@pytest.mark.parametrize("steps", [pytest.param(1, marks=known_fault), 2])
def test_a_still_image_is_a_recording_of_equal_steps(steps):
    recording = IMAGES.expand(steps, *IMAGES.shape).contiguous()
    assert torch.allclose(first_gradient(IMAGES, steps), first_gradient(recording, steps), rtol=1e-4)


@pytest.mark.parametrize("layout", [pytest.param("transposed", marks=known_fault), "contiguous"])
def test_a_step_changes_weights_of_any_layout(layout):
    network = make_network(5)
    weight = torch.randn(64, 20, generator=torch.Generator().manual_seed(2)).t()
    weight = network.layers[0].weight = torch.nn.Parameter(0.3 * (weight if layout == "transposed" else weight.contiguous()))
    before = weight.detach().clone()
    tsslbp.train_step(network, tsslbp.KernelLoss(5, 3.0), tsslbp.make_optimizer(network, lr=1e-3), IMAGES, LABELS)
    assert not torch.equal(weight, before)


@known_fault
def test_second_derivatives_are_those_of_the_plain_implementation():
    def second(implementation):
        random = torch.Generator().manual_seed(0)
        weight = torch.randn(6, 4, generator=random).requires_grad_()
        x = torch.rand(5, 3, 4, generator=random).requires_grad_()
        (first,) = torch.autograd.grad(tsslbp.lif(x @ weight.t(), 5.0, 3.0, implementation=implementation).sum(), x, create_graph=True)
        return torch.autograd.grad((first**2).sum(), weight)[0]

    assert torch.allclose(second("cpu"), second("reference"), rtol=1e-3)


@known_fault
def test_what_was_computed_before_a_step_is_not_differentiated_after_it():
    network, x = make_network(5), IMAGES.clone().requires_grad_()
    before = network(x)
    tsslbp.train_step(network, tsslbp.KernelLoss(5, 3.0), tsslbp.make_optimizer(network, lr=1e-3), IMAGES, LABELS)
    refused = False
    try:
        torch.autograd.grad(before.sum(), x)
    except RuntimeError:
        refused = True
    assert refused


@known_fault
def test_other_weights_gradients_do_not_count_in_the_norm():
    """Where the first layer does not learn, its gradients are those of one step."""
    network = make_network(5)
    optimizer = torch.optim.SGD([network.layers[-1].weight], lr=0.1)
    norms = []
    for _ in range(2):
        tsslbp.train_step(network, tsslbp.KernelLoss(5, 3.0), optimizer, IMAGES, LABELS)
        norms.append(network.layers[0].weight.grad.norm().item())
    assert norms[1] < 1.5 * norms[0]


@known_fault
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_recording_of_zeros_and_ones_is_the_same_in_any_type(dtype):
    random = torch.Generator().manual_seed(0)
    recording = (torch.rand(30, 5, 1, 8, 8, generator=random) < 0.3).to(torch.uint8)
    assert torch.allclose(first_gradient(recording, 30), first_gradient(recording.to(dtype), 30), rtol=1e-4)


@known_fault
def test_hooks_of_the_optimizer_run():
    network = make_network(5)
    optimizer = tsslbp.make_optimizer(network, lr=1e-3)
    steps = []
    optimizer.register_step_post_hook(lambda *_: steps.append(1))
    tsslbp.train_step(network, tsslbp.KernelLoss(5, 3.0), optimizer, IMAGES, LABELS)
    assert steps == [1]
