"""The neuron and the TSSL-BP gradient in plain PyTorch: what `cpu.py` has to equal, on any device, in any float dtype.

Tensors are time-first, (T, B, *features). The equations stand in `lif.py` (forward) and with each function (backward).
"""

import functools

import torch
from torch import Tensor

from tsslbp.method.neuron.rules import BUSY_RATE, POOLING_GAIN, SURROGATE_LIMIT, SURROGATE_WIDTH, Neuron


def is_possible(current: Tensor) -> bool:
    """Whether this module takes the tensor: any floating-point one."""
    return current.is_floating_point()


def synapse_step(a: Tensor, spikes: Tensor, tau_s: float) -> Tensor:
    """One step of the filter, in the form whose rounding is the reference's."""
    return a + (spikes - a) * (1 / tau_s)


def membrane_and_trace(current: Tensor, neuron: Neuron) -> tuple[Tensor, Tensor, Tensor]:
    """The forward equations at the head of `lif.py`, literally.

    Returns:
        u, v before the step (v[t-1]) and a, each (T, B, *features).
    """
    v, a = torch.zeros_like(current[0]), torch.zeros_like(current[0])
    u_steps, v_steps, a_steps = [], [], []
    for step in current:
        v_steps.append(v)
        u = v * (1 - 1 / neuron.tau_m) + step
        spikes = (u > neuron.threshold).to(current.dtype)
        v = u * (1 - spikes)
        a = synapse_step(a, spikes, neuron.tau_s)
        u_steps.append(u)
        a_steps.append(a)
    return torch.stack(u_steps), torch.stack(v_steps), torch.stack(a_steps)


def surrogate_derivative(u: Tensor, threshold: float) -> Tensor:
    """The warm-up's derivative of a spike by u: the logistic one of (u - threshold)/0.2, its argument clamped to [-8, 8]."""
    sigmoid = torch.sigmoid(((u - threshold) / SURROGATE_WIDTH).clamp(-SURROGATE_LIMIT, SURROGATE_LIMIT))
    return sigmoid * (1 - sigmoid) / SURROGATE_WIDTH


def tssl_bp(g_a: Tensor, u: Tensor, v_before: Tensor, a: Tensor, neuron: Neuron) -> Tensor:
    """dL/dI from g_a = dL/da by the rule of the `2021-03` code (and its ablations), as two O(T) scans back in time.

    G[t] = g_a[t]/tau_s + (1 - 1/tau_s) G[t+1]          the error seen through the synapse
    kappa[t] = min(1 / (u[t] - v[t-1]), 8)              how a spike's time depends on u
    g[t] = kappa[t] (G[t] + u[t] g[t+1] / tau_m)        where s[t] = 1: inter- plus intra-neuron dependency
    g[t] = (1 - 1/tau_m) g[t+1]                         elsewhere
    dL/dI[t] = G[t] surrogate'(u[t])                    where a[t] < 1/(4 tau_s): the warm-up; else g[t]
    """
    rule, error, chained = neuron.rule, torch.zeros_like(u[0]), torch.zeros_like(u[0])
    intra = 1 / neuron.tau_m if rule.intra else 0.0
    result = torch.empty_like(u)
    for t in reversed(range(len(u))):
        error = g_a[t] / neuron.tau_s + (1 - 1 / neuron.tau_s) * error
        sensitivity = (1 / (u[t] - v_before[t])).clamp(max=rule.sensitivity_limit)
        at_spike = sensitivity * (error + u[t] * chained * intra)
        chained = torch.where(u[t] > neuron.threshold, at_spike, (1 - 1 / neuron.tau_m) * chained)
        warm_up = error * surrogate_derivative(u[t], neuron.threshold)
        result[t] = torch.where(a[t] < rule.quiet_below / neuron.tau_s, warm_up, chained)
    return result


def tssl_bp_first_state(g_a: Tensor, u: Tensor, v_before: Tensor, rate: Tensor, neuron: Neuron) -> Tensor:
    """dL/dI by the rule of the `2020-10` code, the one that was public when the results table appeared, and of `2020-06`.

        G[t] = (g_a[t] + s[t] u[t] q[t+1] / tau_m) / tau_s + (1 - 1/tau_s) G[t+1]
        q[t] = g_a[t] where s[t] = 1, else (1 - 1/tau_m) q[t+1]
        dL/dI[t] = G[t] kappa[t] s[t] in a busy layer, G[t] surrogate'(u[t]) in a quiet one
    with kappa clamped to [-10, 10]; a layer is quiet where `rate` is at most `BUSY_RATE`. In `2020-06`, the code at the paper's
    submission, the term with q, the intra-neuron dependency, is switched off for still images; here it is for events, too.
    """
    intra = 1 / neuron.tau_m if neuron.rule.intra else 0.0
    limit, error, next_q = neuron.rule.sensitivity_limit, torch.zeros_like(u[0]), torch.zeros_like(u[0])
    result = torch.empty_like(u)
    for t in reversed(range(len(u))):
        spiked = u[t] > neuron.threshold
        through_reset = torch.where(spiked, u[t] * next_q * intra, torch.zeros_like(next_q))
        error = (g_a[t] + through_reset) / neuron.tau_s + (1 - 1 / neuron.tau_s) * error
        next_q = torch.where(spiked, g_a[t], (1 - 1 / neuron.tau_m) * next_q)
        sensitivity = (1 / (u[t] - v_before[t])).clamp(-limit, limit)
        busy = torch.where(spiked, error * sensitivity, torch.zeros_like(error))
        result[t] = torch.where(rate <= BUSY_RATE, error * surrogate_derivative(u[t], neuron.threshold), busy)
    return result


def spike_forward(current: Tensor, neuron: Neuron, scale: Tensor | None, pooling: int) -> tuple[Tensor, Tensor]:
    """`neuron.spike` without a gradient."""
    u, _, a = membrane_and_trace(_over_time(current, scale), neuron)
    rate = (u > neuron.threshold).double().mean()
    return (a if pooling == 1 else pool(a, pooling)).to(current.dtype), rate


def spike_backward(current: Tensor, gradient: Tensor, rate: Tensor, neuron: Neuron, scale: Tensor | None, pooling: int) -> Tensor:
    """dL/dI of `neuron.spike`, from the gradient on its trace; the forward pass is computed again from the current."""
    u, v_before, a = membrane_and_trace(_over_time(current, scale), neuron)
    g_a = gradient.to(u.dtype)
    if pooling > 1:
        g_a = unpool(g_a, pooling)
    if neuron.rule.first_state:
        result = tssl_bp_first_state(g_a, u, v_before, rate, neuron)
    else:
        result = tssl_bp(g_a, u, v_before, a, neuron)
    if scale is not None:
        result = torch.tensordot(scale.to(result), result, dims=1).unsqueeze(0)
    return result.to(current.dtype)


def _over_time(current: Tensor, scale: Tensor | None) -> Tensor:
    """The current of every step, in the dtype to compute in: float32 for bfloat16."""
    current = current.float() if current.dtype == torch.bfloat16 else current
    if scale is None:
        return current
    return current * scale.to(current).reshape(-1, *([1] * (current.dim() - 1)))


def pool(trace: Tensor, size: int) -> Tensor:
    """Sum over windows of (T, B, C, H, W), first over their rows, then over their columns, times `POOLING_GAIN`."""
    over_rows: Tensor = functools.reduce(torch.add, [trace[..., dy::size, :] for dy in range(size)])
    over_both: Tensor = functools.reduce(torch.add, [over_rows[..., dx::size] for dx in range(size)])
    return over_both * POOLING_GAIN


def unpool(gradient: Tensor, size: int) -> Tensor:
    """The transpose of `pool`: every pixel of a window receives the window's gradient times `POOLING_GAIN`."""
    return POOLING_GAIN * gradient.repeat_interleave(size, -1).repeat_interleave(size, -2)
