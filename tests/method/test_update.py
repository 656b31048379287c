"""The single pass over the weights computes what PyTorch's clipping, AdamW and clamping compute one after the other."""

import copy

import pytest
import torch

from tsslbp.method.update import gradient_norm, update_weights


def weights(seed=0, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed)
    flat = torch.nn.Parameter(torch.randn(70, 33, generator=generator).to(dtype))
    image = torch.nn.Parameter(torch.randn(6, 5, 3, 3, generator=generator).to(dtype).contiguous(memory_format=torch.channels_last))
    return [flat, image, torch.nn.Parameter(torch.randn(3, generator=generator).to(dtype))]


def torch_steps(parameters, gradients, steps, clip, limit):
    optimizer = torch.optim.AdamW(parameters, lr=0.01)
    for step in range(steps):
        for weight, gradient in zip(parameters, gradients[step], strict=True):
            weight.grad = gradient.clone()
        torch.nn.utils.clip_grad_norm_(parameters, clip)
        optimizer.step()
        with torch.no_grad():
            for weight in parameters:
                weight.clamp_(-limit, limit)
    return optimizer


@pytest.mark.parametrize("clip", [0.5, 1e9])
@pytest.mark.parametrize("like", ["weight", "contiguous"])
def test_five_steps_are_those_of_pytorch(clip, like):
    generator = torch.Generator().manual_seed(3)
    gradients = [[torch.randn(weight.shape, generator=generator) for weight in weights()] for _ in range(5)]
    ours, theirs = weights(), weights()
    expected = torch_steps(theirs, gradients, 5, clip, 1.5)
    optimizer = torch.optim.AdamW(ours, lr=0.01, fused=True)
    for step in gradients:
        for weight, gradient in zip(ours, step, strict=True):
            weight.grad = torch.empty_like(weight).copy_(gradient) if like == "weight" else gradient.clone()
        update_weights(optimizer, gradient_norm(ours), clip, 1.5)
    for our, their in zip(ours, theirs, strict=True):
        torch.testing.assert_close(our, their, rtol=1e-5, atol=1e-6)
        for name, value in expected.state[their].items():
            torch.testing.assert_close(optimizer.state[our][name], value, rtol=1e-5, atol=1e-7)


def test_the_norm_is_that_of_all_gradients_together():
    parameters = weights()
    for weight in parameters:
        weight.grad = 3 * torch.ones_like(weight)
    count = sum(weight.numel() for weight in parameters)
    assert gradient_norm(parameters).item() == pytest.approx(3 * count**0.5, rel=1e-6)
    parameters[1].grad[0, 0, 0, 0] = float("nan")
    assert not torch.isfinite(gradient_norm(parameters))


def test_other_optimizers_and_dtypes_take_pytorchs_own_steps():
    parameters = weights(dtype=torch.float64)
    for weight in parameters:
        weight.grad = torch.ones_like(weight)
    before = copy.deepcopy(parameters[0].detach())
    update_weights(torch.optim.SGD(parameters, lr=0.1), gradient_norm(parameters), 1e9, 1e9)
    torch.testing.assert_close(parameters[0].detach(), before - 0.1)


def test_a_state_goes_to_pytorch_and_back():
    parameters = weights()
    for weight in parameters:
        weight.grad = torch.ones_like(weight)
    optimizer = torch.optim.AdamW(parameters, lr=0.01, fused=True)
    update_weights(optimizer, gradient_norm(parameters), 1.0, 4.0)
    other = torch.optim.AdamW(parameters, lr=0.01, fused=True)
    other.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    other.step()
    assert other.state[parameters[0]]["step"] == 2


def test_a_weight_without_a_gradient_stays():
    parameters = weights()
    parameters[0].grad = torch.ones_like(parameters[0])
    before = parameters[1].detach().clone()
    update_weights(torch.optim.AdamW(parameters, lr=0.01, fused=True), gradient_norm(parameters), 1.0, 4.0)
    assert torch.equal(parameters[1], before)
