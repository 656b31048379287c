"""LIF dynamics and the TSSL-BP gradient as pure functions; layers.py only adds weights.

Tensors are time-first, (T, B, *features); time counts steps. I: input current, u: membrane potential before its reset,
v: after it, s: spike in {0, 1}, a: synaptic trace (the paper's post-synaptic potential), with v[-1] = a[-1] = 0:

    u[t] = (1 - 1/tau_m) v[t-1] + I[t]          s[t] = 1 where u[t] > threshold, else 0
    v[t] = u[t] (1 - s[t])                      a[t] = (1 - 1/tau_s) a[t-1] + s[t] / tau_s

`reference.py` computes this in plain PyTorch, on any device; on the CPU `cpu.py` and on a GPU `gpu.py` compute
the same numbers in one pass over memory. Source: Zhang & Li, NeurIPS 2020, arXiv 2002.10085, sections 3.1 to 3.3, in the two
states of the authors' code; where we depart from it: README, "Deviations".
"""

from typing import Any

import torch
from torch import Tensor

from tsslbp.method.neuron import cpu, gpu, reference
from tsslbp.method.neuron.rules import GRADIENTS, Neuron, check_time_constant

__all__ = ["GRADIENTS", "Neuron", "constant_input_scale", "lif", "spike", "synaptic_filter"]


def synaptic_filter(spikes: Tensor, tau_s: float) -> Tensor:
    """Filter spikes into synaptic traces: a[t] = (1 - 1/tau_s) a[t-1] + s[t]/tau_s, with a[-1] = 0.

    Args:
        spikes: (T, B, *features), floating point (or bytes, taken as float32), values 0 or 1.
        tau_s: synaptic time constant in steps, at least 1.

    Returns:
        (T, B, *features), within [0, 1], dtype, device and memory layout of `spikes`; differentiable.

    Raises:
        ValueError: tau_s < 1 (the trace would alternate in sign).
    """
    check_time_constant("tau_s", tau_s)
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


def constant_input_scale(time_steps: int, tau_s: float) -> Tensor:
    """What an input held constant becomes at the synapse, as a multiple of it: 1 - (1 - 1/tau_s)^(t+1).

    It is the filter of a train of ones, so a still image's first product is needed once, not T times.

    Returns:
        (T,), float64.
    """
    return synaptic_filter(torch.ones(time_steps, 1, dtype=torch.float64), tau_s)[:, 0]


def lif(current: Tensor, tau_m: float, tau_s: float, threshold: float = 1.0, *, gradient: str = "2021-03") -> Tensor:
    """Leaky integrate-and-fire neurons with hard reset and exponential synapse, differentiable by TSSL-BP.

    Args:
        current: (T, B, *features), floating point.
        tau_m: membrane time constant in steps, at least 1.
        tau_s: synaptic time constant in steps, at least 1.
        threshold: a neuron spikes where its potential is strictly greater.
        gradient: the backward rule, a key of `GRADIENTS`.

    Returns:
        The synaptic trace, (T, B, *features), dtype, device and memory layout of `current`.

    Raises:
        ValueError: a constant out of range or an unknown rule.
    """
    return spike(current, Neuron(tau_m, tau_s, threshold, gradient))[0]


def spike(current: Tensor, neuron: Neuron, scale: Tensor | None = None, pooling: int = 1) -> tuple[Tensor, Tensor]:
    """What a layer does with its current: `lif`, and the pooling behind it.

    Args:
        current: (T, B, *features), or (1, B, *features) where `scale` is given; (.., B, C, H, W) where it is pooled.
        neuron: the neurons' constants.
        scale: (T,), float64; at step t the current is scale[t] times the one given.
        pooling: traces are summed over windows of this side and multiplied by `POOLING_GAIN`; 1: they are not.

    Returns:
        The trace, (T, B, *features) or (T, B, C, H/pooling, W/pooling), and the firing rate: the mean of the spikes
        over everything, a float64 scalar without gradient.
    """
    trace, rate = _Spike.apply(current, neuron, scale, pooling)
    return trace, rate


class _Spike(torch.autograd.Function):
    """The one autograd function: forward the LIF neuron, backward TSSL-BP. Only the current is kept in between."""

    @staticmethod
    def forward(ctx: Any, current: Tensor, neuron: Neuron, scale: Tensor | None, pooling: int) -> tuple[Tensor, Tensor]:
        ctx.implementation = _implementation(current)
        trace, rate = ctx.implementation.spike_forward(current, neuron, scale, pooling)
        ctx.neuron, ctx.scale, ctx.pooling = neuron, scale, pooling
        ctx.save_for_backward(current, rate)
        ctx.mark_non_differentiable(rate)
        return trace, rate

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        current, rate = ctx.saved_tensors
        return ctx.implementation.spike_backward(current, gradients[0], rate, ctx.neuron, ctx.scale, ctx.pooling), None, None, None


def _implementation(current: Tensor) -> Any:
    """The fastest module that takes this tensor; all of them compute the same."""
    return next((module for module in (cpu, gpu) if module.is_possible(current)), reference)
