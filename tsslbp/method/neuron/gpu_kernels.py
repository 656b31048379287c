"""The neuron's two scans over time as fused GPU kernels (Triton): what `cpu_kernels.py` is for the CPU.

A program works on a block of neurons and keeps their state in registers from the first step to the last. Forward reads
the current and writes the trace, once each. Backward computes forward again, writes potentials and traces to scratch
memory, and comes back over them. Both compute what `reference.py` defines.

Memory seen by a kernel: `current` (S, N), S = T steps, or 1 where the same current times `scale[t]` flows at every step
(then `current_stride` is 0); everything else (T, N). Constants and state have the element type of `constants`; the
constants lie in memory, not in the arguments, because an argument that is a Python float arrives as float32.

They are to be launched with `enable_fp_fusion=False`: without fused multiply-adds, every sum and product of forward is
rounded as in the definition. With TRITON_INTERPRET=1 they run on the CPU, step by step, which is how they are tested without a GPU. Arguments
carry no types, as Triton would look for them among its own.
"""

import triton
import triton.language as tl


@triton.jit
def _advance(v, a, flowing, decay, gain, threshold):
    """One time step: u[t], whether it spiked, v[t] and a[t]."""
    u = v * decay + flowing
    spiked = u > threshold
    return u, spiked, tl.where(spiked, 0.0, u), a + (spiked.to(a.dtype) - a) * gain


@triton.jit
def forward(current, scale, constants, trace, spikes, steps, neurons, current_stride, size: tl.constexpr):
    """Traces of all neurons into `trace`; the number of spikes of each program into `spikes`.

    Args:
        current: pointer to (S, N), any float type.
        scale: pointer to (T,), in the type of `constants`.
        constants: pointer to the constants, in the order of `cpu_kernels.py`.
        trace: pointer to (T, N), written.
        spikes: pointer to an int64 a program, written.
        steps: T.
        neurons: N.
        current_stride: N, or 0 where S = 1.
        size: neurons a program.
    """
    at = tl.program_id(0).to(tl.int64) * size + tl.arange(0, size)
    there = at < neurons
    row = tl.cast(neurons, tl.int64)  # T times N may exceed 32 bits
    decay, gain, threshold = tl.load(constants), tl.load(constants + 2), tl.load(constants + 3)
    v = tl.zeros((size,), dtype=constants.dtype.element_ty)
    a = tl.zeros((size,), dtype=constants.dtype.element_ty)
    count = tl.zeros((size,), dtype=tl.int64)
    for t in range(steps):
        flowing = tl.load(current + t * tl.cast(current_stride, tl.int64) + at, mask=there, other=0.0).to(v.dtype)
        _u, spiked, v, a = _advance(v, a, flowing * tl.load(scale + t), decay, gain, threshold)
        count += (spiked & there).to(tl.int64)
        tl.store(trace + t * row + at, a.to(trace.dtype.element_ty), mask=there)
    tl.store(spikes + tl.program_id(0), tl.sum(count, axis=0))


@triton.jit
def _surrogate(u, threshold, steepness, limit):
    """The logistic derivative of (u - threshold) times the steepness, its argument clamped: even, so |argument| will do."""
    e = tl.exp(-tl.minimum(tl.abs((u - threshold) * steepness), limit))
    return steepness * e / ((1.0 + e) * (1.0 + e))


@triton.jit
def _first_step(u, v, g, warm_up, error, q, gain, synapse_decay, decay, threshold, intra, limit, layer_is_quiet):
    """One step back of the `2020-10` gradient: G[t], q[t] and dL/dI[t]; `error` is G[t+1], `q` q[t+1], `v` v[t-1]."""
    spiked = u > threshold
    error = (g + tl.where(spiked, u * q * intra, 0.0)) * gain + synapse_decay * error
    sensitivity = tl.maximum(tl.minimum(1.0 / (u - v), limit), -limit)
    step = tl.where(layer_is_quiet, error * warm_up, tl.where(spiked, error * sensitivity, 0.0))
    return error, tl.where(spiked, g, decay * q), step


@triton.jit
def _final_step(u, v, a, g, warm_up, error, chained, gain, synapse_decay, decay, threshold, intra, limit, quiet_below):
    """One step back of the `2021-03` gradient: G[t], g[t] and dL/dI[t]; `error` is G[t+1], `chained` g[t+1], `v` v[t-1]."""
    error = g * gain + synapse_decay * error
    at_spike = tl.minimum(1.0 / (u - v), limit) * (error + u * chained * intra)
    chained = tl.where(u > threshold, at_spike, decay * chained)
    return error, chained, tl.where(a < quiet_below, error * warm_up, chained)


@triton.jit
def backward(
    current, scale, constants, gradient, result, potentials, traces, rate, steps, neurons, current_stride, busy_rate,
    size: tl.constexpr, still: tl.constexpr, first_state: tl.constexpr,
):  # fmt: skip
    """dL/dI of all neurons into `result`, from dL/da in `gradient`.

    Args:
        current: as in `forward`, like scale, constants, steps, neurons, current_stride and size.
        scale: pointer to (T,).
        constants: pointer to the constants, in the order of `cpu_kernels.py`.
        gradient: pointer to (T, N), the gradient on what `forward` wrote.
        result: pointer to (S, N), written; where `still`, the sum over the steps of scale[t] dL/dI[t].
        potentials: pointer to (T, N), scratch in the type of `constants`.
        traces: pointer to (T, N), scratch as well.
        rate: pointer to the layer's firing rate, float64.
        steps: T.
        neurons: N.
        current_stride: N, or 0.
        busy_rate: `rules.BUSY_RATE`.
        size: neurons a program.
        still: whether S = 1.
        first_state: compute the `2020-10` gradient, not the `2021-03` one.
    """
    at = tl.program_id(0).to(tl.int64) * size + tl.arange(0, size)
    there = at < neurons
    row = tl.cast(neurons, tl.int64)  # T times N may exceed 32 bits
    decay, synapse_decay = tl.load(constants), tl.load(constants + 1)
    gain, threshold = tl.load(constants + 2), tl.load(constants + 3)
    quiet_below, intra, limit = tl.load(constants + 4), tl.load(constants + 5), tl.load(constants + 6)
    steepness, surrogate_limit = tl.load(constants + 7), tl.load(constants + 8)
    v = tl.zeros((size,), dtype=constants.dtype.element_ty)
    a = tl.zeros((size,), dtype=constants.dtype.element_ty)
    for t in range(steps):
        flowing = tl.load(current + t * tl.cast(current_stride, tl.int64) + at, mask=there, other=0.0).to(v.dtype)
        u, _spiked, v, a = _advance(v, a, flowing * tl.load(scale + t), decay, gain, threshold)
        tl.store(potentials + t * row + at, u, mask=there)
        tl.store(traces + t * row + at, a, mask=there)
    # What the block has written, other threads of the block may be the ones to read.
    tl.debug_barrier()

    error = tl.zeros((size,), dtype=constants.dtype.element_ty)
    carried = tl.zeros((size,), dtype=constants.dtype.element_ty)
    total = tl.zeros((size,), dtype=constants.dtype.element_ty)
    layer_is_quiet = tl.load(rate) <= busy_rate
    for back in range(steps):
        t = steps - 1 - back
        g = tl.load(gradient + t * row + at, mask=there, other=0.0).to(v.dtype)
        u = tl.load(potentials + t * row + at, mask=there, other=1.0)
        before = tl.load(potentials + (t - 1) * row + at, mask=there & (t > 0), other=0.0)
        v_before = tl.where(before > threshold, 0.0, before)
        warm_up = _surrogate(u, threshold, steepness, surrogate_limit)
        if first_state:
            error, carried, step = _first_step(
                u, v_before, g, warm_up, error, carried, gain, synapse_decay, decay, threshold, intra, limit, layer_is_quiet
            )
        else:
            trace = tl.load(traces + t * row + at, mask=there, other=0.0)
            error, carried, step = _final_step(
                u, v_before, trace, g, warm_up, error, carried, gain, synapse_decay, decay, threshold, intra, limit, quiet_below
            )
        if still:
            total += step * tl.load(scale + t)
        else:
            tl.store(result + t * row + at, step.to(result.dtype.element_ty), mask=there)
    if still:
        tl.store(result + at, total.to(result.dtype.element_ty), mask=there)
