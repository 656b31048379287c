"""The synapse alone: spikes -> traces, and back. The equation stands in `lif.py`."""

import torch
from torch import Tensor

from tsslbp.method.checks import check_finite_on_cpu, check_over_time
from tsslbp.method.neuron import cpu, reference
from tsslbp.method.neuron.rules import check_time_constant


@torch.compiler.disable  # type: ignore[untyped-decorator]
def synaptic_filter(spikes: Tensor, tau_s: float) -> Tensor:
    """Filter spikes into synaptic traces: a[t] = (1 - 1/tau_s) a[t-1] + s[t]/tau_s, with a[-1] = 0.

    Args:
        spikes: (T, B, *features), floating point (or bytes or booleans, taken as float32), values 0 or 1.
        tau_s: synaptic time constant in steps, at least 1.

    Returns:
        (T, B, *features), within [0, 1], dtype (float32 for bytes and booleans), device and memory layout of `spikes`; differentiable.

    Raises:
        TypeError: spikes are not a tensor, or tau_s is not a number.
        ValueError: tau_s < 1 (the trace would alternate in sign), no time step, or spikes of another dtype, sparse, or on the CPU
            not finite.

    Example:
        >>> import torch
        >>> synaptic_filter(torch.tensor([[1.0], [0.0], [1.0]]), tau_s=2.0).T
        tensor([[0.5000, 0.2500, 0.6250]])
    """
    tau_s = check_time_constant("tau_s", tau_s)
    check_over_time("spikes", spikes, torch.uint8, torch.bool)
    check_finite_on_cpu("spikes", spikes)
    trace: Tensor = filtered(spikes, tau_s)
    return trace


@torch.compiler.disable  # type: ignore[untyped-decorator]
def filtered(spikes: Tensor, tau_s: float) -> Tensor:
    """Do what `synaptic_filter` does with arguments that were checked: a training step has no time to check them again."""
    if cpu.can_filter(spikes):
        return cpu.synaptic_filter(spikes, tau_s)
    if not spikes.is_floating_point():
        spikes = spikes.float()
    trace = torch.zeros_like(spikes[0])
    traces = []
    for t in range(len(spikes)):
        trace = reference.synapse_step(trace, spikes[t], tau_s)
        traces.append(trace)
    return torch.stack(traces)


def spikes_of(trace: Tensor, tau_s: float) -> Tensor:
    """The spikes behind a synaptic trace, the inverse of `synaptic_filter`: s[t] = tau_s a[t] - (tau_s - 1) a[t-1], rounded.

    Args:
        trace: (T, B, *features), floating point, as `lif` or `synaptic_filter` return it.
        tau_s: the synaptic time constant that it was made with, in steps.

    Returns:
        (T, B, *features), 0 or 1 for a trace of spikes, dtype and device of `trace`; no gradient. What several spikes add up to,
        as in a pooled trace, may come out as another whole number.

    Raises:
        TypeError: trace is not a tensor, or tau_s is not a number.
        ValueError: tau_s < 1, or this is not the trace of spikes with this tau_s: somewhere it is 0.25 or more from a whole number.

    Example:
        >>> import torch
        >>> spikes = torch.tensor([[1.0], [0.0], [1.0], [1.0]])
        >>> torch.equal(spikes_of(synaptic_filter(spikes, tau_s=3.0), tau_s=3.0), spikes)
        True
    """
    tau_s = check_time_constant("tau_s", tau_s)
    check_over_time("trace", trace)
    a = trace.detach()
    spikes = tau_s * a - (tau_s - 1) * torch.cat([torch.zeros_like(a[:1]), a[:-1]])
    rounded = spikes.round().abs()
    if not bool(((spikes - rounded).abs() < 0.25).all()):
        raise ValueError(f"trace: not that of spikes with tau_s {tau_s}; was it pooled, masked, or made with another tau_s?")
    return rounded


def constant_input_scale(time_steps: int, tau_s: float) -> Tensor:
    """What an input held constant becomes at the synapse, as a multiple of it: 1 - (1 - 1/tau_s)^(t+1).

    It is the filter of a train of ones, so a still image's first product is needed once, not T times.

    Returns:
        (T,), float64.
    """
    scale: Tensor = filtered(torch.ones(time_steps, 1, dtype=torch.float64), tau_s)[:, 0]
    return scale
