"""The compiled kernels against the definition: every dtype, layout, window and rule."""

import itertools

import numpy as np
import pytest
import torch

from tsslbp.method.neuron import cpu, cpu_kernels, reference
from tsslbp.method.neuron.lif import GRADIENTS, lif
from tsslbp.method.neuron.rules import Neuron
from tsslbp.method.neuron.synapse import constant_input_scale

TOLERANCE = {torch.float32: 2e-6, torch.float64: 1e-12}


def assert_near(actual, expected, tolerance):
    assert (actual - expected).norm() <= tolerance * expected.norm()


def both(current, neuron, scale, pooling):
    fast, rate = cpu.spike_forward(current, neuron, scale, pooling)
    slow, slow_rate = reference.spike_forward(current, neuron, scale, pooling)
    g = torch.randn_like(slow)
    return (
        fast,
        slow,
        cpu.spike_backward(current, g, rate, neuron, scale, pooling),
        reference.spike_backward(current, g, slow_rate, neuron, scale, pooling),
        rate,
        slow_rate,
    )


@pytest.mark.parametrize(("dtype", "gradient", "steps"), list(itertools.product(TOLERANCE, GRADIENTS, [1, 5, 70])))
def test_flat_layers_agree(dtype, gradient, steps):
    neuron = Neuron(5.0, 3.0, gradient=gradient)
    fast, slow, fast_g, slow_g, rate, slow_rate = both(torch.randn(steps, 7, 613, dtype=dtype), neuron, None, 1)
    torch.testing.assert_close(fast, slow, rtol=0, atol=0)
    assert rate == pytest.approx(slow_rate.item(), abs=1e-12)
    assert_near(fast_g, slow_g, TOLERANCE[dtype])


@pytest.mark.parametrize(("size", "channels", "still"), list(itertools.product([2, 3], [1, 3, 16, 40], [False, True])))
def test_pooled_layers_agree_bit_for_bit_forward(size, channels, still):
    scale = constant_input_scale(6, 3.0) if still else None
    current = 2 * torch.randn(1 if still else 6, 3, size * 4, size * 5, channels).permute(0, 1, 4, 2, 3)
    fast, slow, fast_g, slow_g, _, _ = both(current, Neuron(5.0, 3.0), scale, size)
    torch.testing.assert_close(fast, slow, rtol=0, atol=0)
    assert_near(fast_g, slow_g, 2e-6)
    assert fast.permute(0, 1, 3, 4, 2).is_contiguous()


def test_many_steps_split_a_row_of_windows():
    current = 2 * torch.randn(300, 1, 4, 40, 24).permute(0, 1, 4, 2, 3)
    fast, slow, fast_g, slow_g, _, _ = both(current, Neuron(8.0, 4.0), None, 2)
    torch.testing.assert_close(fast, slow, rtol=0, atol=0)
    assert_near(fast_g, slow_g, 2e-6)


@pytest.mark.parametrize(("pooling", "still"), list(itertools.product([1, 2], [False, True])))
def test_how_many_neurons_are_worked_on_together_does_not_change_a_bit(pooling, still, monkeypatch):
    steps = 40
    scale = constant_input_scale(steps, 3.0) if still else None
    current = 2 * torch.randn(1 if still else steps, 2, 6, 8, 5).permute(0, 1, 4, 2, 3)
    current[..., 0, 0, 0] = float("nan")
    for gradient in GRADIENTS:
        neuron = Neuron(5.0, 3.0, gradient=gradient)
        results = []
        for values in (4096, 340, 200, 130, 64, 7, 1):  # all lines, several and a rest, one, parts of one
            monkeypatch.setattr(cpu_kernels, "FORWARD_RUN", values)
            monkeypatch.setattr(cpu_kernels, "backward_run", lambda steps, itemsize, values=values: values)
            trace, rate = cpu.spike_forward(current, neuron, scale, pooling)
            back = cpu.spike_backward(current, torch.ones_like(trace), rate, neuron, scale, pooling)
            results.append((trace, rate, back))
        for result in results[1:]:
            torch.testing.assert_close(result, results[0], rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("layout", ["contiguous", "channels last", "sliced", "transposed", "expanded"])
def test_any_memory_layout_gives_the_same(layout):
    current = 2 * torch.randn(5, 4, 6, 8, 10)
    odd = {
        "contiguous": current,
        "channels last": current.permute(0, 1, 3, 4, 2).contiguous().permute(0, 1, 4, 2, 3),
        "sliced": torch.randn(5, 4, 6, 8, 20)[..., ::2].copy_(current),
        "transposed": current.transpose(1, 3).contiguous().transpose(1, 3),
        "expanded": current[:, :1].expand_as(current),
    }[layout]
    plain = odd.clone(memory_format=torch.contiguous_format).requires_grad_()
    odd = odd.detach().requires_grad_()
    g = torch.randn_like(current)
    a, b = lif(plain, 5.0, 3.0), lif(odd, 5.0, 3.0)
    torch.testing.assert_close(a, b, rtol=0, atol=0)
    a.backward(g)
    b.backward(g)
    torch.testing.assert_close(plain.grad, odd.grad, rtol=0, atol=0)


def test_a_broadcast_gradient_is_taken():
    current = torch.randn(5, 2, 3, requires_grad=True)
    lif(current, 5.0, 3.0).sum().backward()  # the gradient of a sum has stride 0
    assert current.grad.abs().max() > 0


@pytest.mark.parametrize("pooling", [1, 2])
def test_bfloat16_is_the_float32_result_rounded(pooling):
    current = (2 * torch.randn(5, 3, 8, 8, 16)).bfloat16().permute(0, 1, 4, 2, 3)
    neuron = Neuron(5.0, 3.0)
    fast, rate = cpu.spike_forward(current, neuron, None, pooling)
    exact, _ = cpu.spike_forward(current.float(), neuron, None, pooling)
    torch.testing.assert_close(fast, exact.bfloat16(), rtol=0, atol=0)
    g = torch.randn_like(exact).bfloat16()
    fast_g = cpu.spike_backward(current, g, rate, neuron, None, pooling)
    exact_g = cpu.spike_backward(current.float(), g.float(), rate, neuron, None, pooling)
    torch.testing.assert_close(fast_g, exact_g.bfloat16(), rtol=0, atol=0)


def test_threads_do_not_change_a_bit():
    current = 2 * torch.randn(9, 11, 16, 8, 8).permute(0, 1, 2, 4, 3)
    neuron, results, before = Neuron(5.0, 3.0), [], torch.get_num_threads()
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            trace, rate = cpu.spike_forward(current, neuron, None, 2)
            results.append((trace, rate, cpu.spike_backward(current, torch.ones_like(trace), rate, neuron, None, 2)))
    finally:
        torch.set_num_threads(before)
    for one, two in zip(*results, strict=True):
        torch.testing.assert_close(one, two, rtol=0, atol=0)


def test_the_exponential_is_exact_to_float32():
    from numba import njit

    from tsslbp.method.neuron import cpu_kernels as kernels

    @njit
    def exponential(x, out):
        for i in range(x.size):
            out[i] = kernels._exp_negative(x[i])

    x = np.linspace(-8, 0, 100_001, dtype=np.float32)
    out = np.empty_like(x)
    exponential(x, out)
    np.testing.assert_allclose(out, np.exp(x.astype(np.float64)), rtol=3e-7)


def test_empty_and_foreign_tensors_go_to_the_definition():
    assert not cpu.is_possible(torch.empty(0, 2, 3))
    assert not cpu.is_possible(torch.zeros(2, 2, dtype=torch.float16))
    assert not cpu.is_possible(torch.zeros(2, 2, device="meta"))
    assert lif(torch.zeros(3, 0, 4), 5.0, 3.0).shape == (3, 0, 4)
    assert lif(torch.full((3, 1, 1), 2.0, dtype=torch.float16), 5.0, 3.0).dtype == torch.float16
