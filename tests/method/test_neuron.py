"""The neuron against the reference vectors, a literal second witness and the laws that hold for any input."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.method import witness
from tests.support.paths import REFERENCE
from tsslbp.method.neuron import cpu
from tsslbp.method.neuron.lif import GRADIENTS, lif, spike
from tsslbp.method.neuron.rules import Neuron
from tsslbp.method.neuron.synapse import constant_input_scale, synaptic_filter

VECTORS = [("neuron_T5", "2021-03"), ("neuron_T30", "2021-03"), ("neuron_T100", "2021-03")]
VECTORS += [("neuron_2020_busy", "2020-10"), ("neuron_2020_quiet", "2020-10"), ("neuron_2020_T30", "2020-10")]
VECTORS += [("neuron_2020-06_busy", "2020-06"), ("neuron_2020-06_quiet", "2020-06")]


@pytest.fixture(params=["kernels", "reference"])
def implementation(request, monkeypatch):
    """Run a test on the compiled kernels and on the definition in plain PyTorch."""
    if request.param == "reference":
        monkeypatch.setattr(cpu, "is_possible", lambda current: False)
        monkeypatch.setattr(cpu, "can_filter", lambda spikes: False)
    return request.param


def constants(vector):
    return float(vector["tau_m"]), float(vector["tau_s"]), float(vector["threshold"])


@pytest.mark.parametrize(("name", "gradient"), VECTORS)
def test_trace_equals_the_reference_and_gradient_agrees(implementation, name, gradient):
    vector = np.load(REFERENCE / f"{name}.npz")
    current = torch.tensor(vector["current"]).requires_grad_()
    trace = lif(current, *constants(vector), gradient=gradient)
    np.testing.assert_array_equal(trace.detach().numpy(), vector["trace"])
    trace.backward(torch.tensor(vector["grad_trace"]))
    error = np.linalg.norm(current.grad.numpy() - vector["grad_current"]) / np.linalg.norm(vector["grad_current"])
    assert error < 1e-6


@pytest.mark.parametrize(("name", "gradient"), VECTORS)
def test_gradient_agrees_in_float64_too(implementation, name, gradient):
    vector = np.load(REFERENCE / f"{name}.npz")
    current = torch.tensor(vector["current"], dtype=torch.float64).requires_grad_()
    lif(current, *constants(vector), gradient=gradient).backward(torch.tensor(vector["grad_trace"], dtype=torch.float64))
    error = np.linalg.norm(current.grad.numpy() - vector["grad_current"]) / np.linalg.norm(vector["grad_current"])
    assert error < 1e-6


currents = st.integers(1, 12).flatmap(lambda steps: st.lists(st.floats(-2, 3, allow_nan=False, width=32), min_size=steps, max_size=steps))


@given(currents, st.sampled_from([1.0, 2.0, 5.0, 8.0]), st.sampled_from([1.0, 2.0, 3.0, 4.0]), st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
@pytest.mark.parametrize("rule", ["2021-03", "no-intra", "no-warmup", "surrogate"])
def test_scans_equal_the_literal_double_sums(rule, current, tau_m, tau_s, seed):
    g_a = np.random.default_rng(seed).normal(size=len(current))
    warm_up = {"no-warmup": 0.0, "surrogate": np.inf}.get(rule, 0.25)
    expected = witness.tssl_bp(g_a, current, tau_m, tau_s, 1.0, warm_up=warm_up, intra=rule != "no-intra")
    x = torch.tensor(current, dtype=torch.float64)[:, None].requires_grad_()
    trace = lif(x, tau_m, tau_s, gradient=rule)
    np.testing.assert_allclose(trace.detach()[:, 0], witness.forward(current, tau_m, tau_s, 1.0)[3], rtol=1e-9, atol=1e-12)
    trace.backward(torch.tensor(g_a)[:, None])
    np.testing.assert_allclose(x.grad[:, 0], expected, rtol=1e-7, atol=1e-10)


@given(currents, st.sampled_from([2.0, 5.0]), st.sampled_from([1.0, 2.0, 4.0]), st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_first_states_scans_equal_the_literal_double_sums(current, tau_m, tau_s, seed):
    g_a = np.random.default_rng(seed).normal(size=len(current))
    busy = np.mean(witness.forward(current, tau_m, tau_s, 1.0)[2]) > 0.1
    expected = witness.tssl_bp_first_state(g_a, current, tau_m, tau_s, 1.0, busy)
    x = torch.tensor(current, dtype=torch.float64)[:, None].requires_grad_()
    lif(x, tau_m, tau_s, gradient="2020-10").backward(torch.tensor(g_a)[:, None])
    np.testing.assert_allclose(x.grad[:, 0], expected, rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize("tau_s", [1.0, 3.0, 8.0])
def test_one_spike_leaves_a_geometric_tail(implementation, tau_s):
    spikes = torch.eye(6, 1, dtype=torch.float64)  # one neuron, one spike, at step 0
    steps = torch.arange(6, dtype=torch.float64)[:, None]
    torch.testing.assert_close(synaptic_filter(spikes, tau_s), (1 - 1 / tau_s) ** steps / tau_s)


def test_filter_is_linear_and_its_gradient_is_right():
    spikes = torch.rand(5, 2, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: synaptic_filter(x, 3.0), spikes)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.bool])
def test_filter_takes_bytes_and_keeps_the_layout(implementation, dtype):
    spikes = (torch.rand(7, 3, 5, 4, 2) < 0.3).permute(0, 1, 4, 2, 3)
    trace = synaptic_filter(spikes.to(dtype), 4.0)
    torch.testing.assert_close(trace, synaptic_filter(spikes.float(), 4.0), rtol=0, atol=0)
    assert trace.dtype == torch.float32


def test_constant_input_scale_is_the_filter_of_a_constant():
    steps = torch.arange(1, 8, dtype=torch.float64)
    torch.testing.assert_close(constant_input_scale(7, 3.0), 1 - (1 - 1 / 3.0) ** steps)


def test_output_ignores_later_input(implementation):
    current = torch.randn(8, 3, 4)
    changed = current.clone()
    changed[5:] += 2
    torch.testing.assert_close(lif(current, 5.0, 3.0)[:5], lif(changed, 5.0, 3.0)[:5], rtol=0, atol=0)


@pytest.mark.parametrize("gradient", ["2021-03", "surrogate"])
def test_samples_do_not_interact(implementation, gradient):
    current = torch.randn(6, 5, 7, requires_grad=True)
    lif(current, 5.0, 3.0, gradient=gradient)[:, 2].sum().backward()
    others = torch.tensor([0, 1, 3, 4])
    assert current.grad[:, others].abs().max() == 0
    assert current.grad[:, 2].abs().max() > 0


def test_a_neuron_at_the_threshold_stays_silent(implementation):
    at = torch.ones(1, 1, 1)
    assert lif(at, 5.0, 3.0).item() == 0
    assert lif(torch.nextafter(at, at + 1), 5.0, 3.0).item() == pytest.approx(1 / 3)


def test_firing_rate_counts_spikes(implementation):
    current = torch.zeros(4, 1, 5)
    current[0, 0, :3] = 2.0
    assert spike(current, Neuron(5.0, 3.0))[1].item() == 3 / 20


def test_still_current_equals_the_repeated_one(implementation):
    neuron, scale = Neuron(5.0, 3.0), constant_input_scale(5, 3.0)
    still = torch.randn(1, 4, 6, dtype=torch.float64, requires_grad=True)
    repeated = (still.detach() * scale[:, None, None]).requires_grad_()
    g = torch.randn(5, 4, 6, dtype=torch.float64)
    a, b = spike(still, neuron, scale)[0], spike(repeated, neuron)[0]
    torch.testing.assert_close(a, b)
    a.backward(g)
    b.backward(g)
    torch.testing.assert_close(still.grad[0], (repeated.grad * scale[:, None, None]).sum(0))


@pytest.mark.parametrize(
    ("name", "value"), [("tau_m", 0.5), ("tau_s", 0.0), ("tau_m", float("nan")), ("threshold", 0.0), ("gradient", "2022")]
)
def test_impossible_constants_are_refused_by_name(name, value):
    arguments = {"tau_m": 5.0, "tau_s": 3.0} | {name: value}
    with pytest.raises(ValueError, match=name):
        lif(torch.zeros(2, 1, 1), **arguments)


def test_every_rule_is_a_rule():
    for gradient in GRADIENTS:
        current = torch.randn(5, 2, 3, requires_grad=True)
        lif(current, 5.0, 3.0, gradient=gradient).sum().backward()
        assert torch.isfinite(current.grad).all()
