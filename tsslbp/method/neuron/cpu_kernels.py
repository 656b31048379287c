"""The neuron's two scans over time as fused CPU kernels (Numba): one pass over memory per direction.

They compute what `reference.py` says in plain PyTorch, forward bit for bit: no fused multiply-add and no reordering (fastmath
stays off; the loops vectorize without it). Neurons are worked on in runs whose state fits the cache. The membrane potential
never reaches memory: backward computes u and a of a run again, keeps them in two small arrays, and comes back over them with one
loop per step that does everything in registers.

Memory seen by a kernel: `current` (S, N), S = T steps, or 1 where the same current times `scale[t]` flows at every
step; `trace` (T, N / size²), summed over size x size windows of an image whose memory is (rows, width, channels).
A layer that is not pooled has size 1 and is one long row. bfloat16 travels as uint16 and is worked on in float32.
All arithmetic is in the dtype of `constants`, an array indexed by the names below. Everything stands in this file, and numbers
from elsewhere are passed in: Numba's cache looks for changes in this file only.

The loops are written for the vectorizer: nothing conditional but selects, constants in local names.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import prange, types
from numba.extending import overload

from tsslbp.system import compiled

MEMBRANE_DECAY, SYNAPSE_DECAY, SYNAPSE_GAIN, THRESHOLD, QUIET_BELOW, INTRA_GAIN = range(6)
SENSITIVITY_LIMIT, SURROGATE_STEEPNESS, SURROGATE_LIMIT, POOLING_GAIN, ZERO, ONE = range(6, 12)
"""Where each constant stands in `constants`; 0 and 1 in the dtype to compute in, as a literal would make it float64."""

FORWARD_RUN = 4096
"""Values of a run on the way forward: its v and a take 32 kB in float32, as much as the smallest level-1 cache that is common today."""
CACHE_BYTES = 768 * 1024
"""What u and a of a run on the way back may occupy: about the level-2 cache of current CPUs (0.5 to 2 MB per core)."""
LONGEST_RUN, SHORTEST_RUN = 1024, 512
"""Values of a run on the way back. A step of a run starts in new pages of memory, which costs as long as 100 to 250 values take: at
T = 500, runs of 512 values take 2.7 ns a value where runs of 49, which fit the cache, take 12.7."""


class Geometry(NamedTuple):
    """How neurons lie in memory: `rows` of windows, `width` windows per row, `channels` values per pixel, windows of `size`²."""

    rows: int
    width: int
    channels: int
    size: int

    def lines_per_run(self, values: int) -> tuple[int, int]:
        """What is worked on together, of about so many values: windows of a line, and lines, several only where they are whole."""
        windows = max(1, min(self.width, values // (self.channels * self.size)))
        return windows, max(1, min(self.rows * self.size, values // (self.width * self.channels * self.size)))

    def rows_per_run(self, values: int) -> tuple[int, int]:
        """The same for rows of windows, which are `size` lines each: windows, and rows, of about so many values in each line."""
        windows, lines = self.lines_per_run(values)
        return windows, max(1, lines // self.size)


def backward_run(steps: int, itemsize: int) -> int:
    """How many values of a line are worked on together on the way back."""
    fits = CACHE_BYTES // (2 * (steps + 1) * itemsize)
    return max(SHORTEST_RUN, min(LONGEST_RUN, fits))


def _decoded(values: Any, buffer: Any) -> Any:
    """Values as floats: bfloat16 bits written into `buffer`, floats as they lie in memory."""
    raise NotImplementedError("compiled code only")


def _room(target: Any, buffer: Any) -> Any:
    """Where to write what `_encode` brings into `target`: the buffer for bfloat16, the target itself for floats."""
    raise NotImplementedError("compiled code only")


def _encode(values: Any, target: Any) -> None:
    """Write floats as the target's elements: bfloat16 bits, rounded to nearest even; nothing where `_room` was the target itself."""
    raise NotImplementedError("compiled code only")


def _exp_negative(x: Any) -> Any:
    """exp(x) for -8 <= x <= 0."""
    raise NotImplementedError("compiled code only")


@overload(_decoded, inline="always", strict=False)
def _decoded_overload(values: Any, buffer: Any) -> Any:
    if values.dtype == types.uint16:

        def decoded(values: Any, buffer: Any) -> Any:
            into = buffer[: values.size]
            for i in range(values.size):
                into[i] = np.uint32(np.uint32(values[i]) << np.uint32(16)).view(np.float32)
            return into

        return decoded
    return lambda values, buffer: values


@overload(_room, inline="always", strict=False)
def _room_overload(target: Any, buffer: Any) -> Any:
    if target.dtype == types.uint16:
        return lambda target, buffer: buffer[: target.size]
    return lambda target, buffer: target


@overload(_encode, inline="always", strict=False)
def _encode_overload(values: Any, target: Any) -> Any:
    if target.dtype == types.uint16:

        def encode(values: Any, target: Any) -> None:
            for i in range(target.size):
                bits = np.float32(values[i]).view(np.uint32)
                even = np.uint32(np.uint32(bits >> np.uint32(16)) & np.uint32(1))
                target[i] = np.uint16(np.uint32(bits + np.uint32(0x7FFF) + even) >> np.uint32(16))

        return encode
    return lambda values, target: None


@overload(_exp_negative, inline="always", strict=False)
def _exp_negative_overload(x: Any) -> Any:
    if x != types.float32:
        return lambda x: np.exp(x)

    def exp_negative(x: Any) -> Any:
        # exp(x) = 2^n exp(r), |r| <= ln(2)/2, and exp(r) by its Taylor series: the libm call would not vectorize.
        # Relative error below 2e-7 on [-8, 0].
        n = np.int32(x * np.float32(1.44269504) - np.float32(0.5))
        whole = np.float32(n)
        r = (x - whole * np.float32(0.693359375)) + whole * np.float32(2.12194440e-4)
        series = np.float32(1 / 720)
        series = series * r + np.float32(1 / 120)
        series = series * r + np.float32(1 / 24)
        series = series * r + np.float32(1 / 6)
        series = series * r + np.float32(1 / 2)
        series = series * r + np.float32(1)
        series = series * r + np.float32(1)
        return series * np.int32(np.int32(n + np.int32(127)) << np.int32(23)).view(np.float32)

    return exp_negative


@compiled()
def _advance(flowing: Any, scale: Any, constants: Any, v: Any, a: Any) -> int:
    """One time step of a run of neurons: v and a go from t-1 to t; returns the number of spikes."""
    decay, gain, threshold = constants[MEMBRANE_DECAY], constants[SYNAPSE_GAIN], constants[THRESHOLD]
    zero, one = constants[ZERO], constants[ONE]
    spikes = np.int32(0)
    for i in range(flowing.size):
        u = decay * v[i] + flowing[i] * scale
        spiked = u > threshold
        v[i] = zero if spiked else u
        a[i] = a[i] + ((one if spiked else zero) - a[i]) * gain
        spikes += np.int32(spiked)
    return int(spikes)


@compiled()
def _advance_and_keep(flowing: Any, scale: Any, constants: Any, u_before: Any, a_before: Any, u_now: Any, a_now: Any) -> None:
    """One time step of a run of neurons, from u and a of the step before: the same numbers as `_advance`."""
    decay, gain, threshold = constants[MEMBRANE_DECAY], constants[SYNAPSE_GAIN], constants[THRESHOLD]
    zero, one = constants[ZERO], constants[ONE]
    for i in range(flowing.size):
        v = zero if u_before[i] > threshold else u_before[i]
        u = decay * v + flowing[i] * scale
        u_now[i] = u
        a_now[i] = a_before[i] + ((one if u > threshold else zero) - a_before[i]) * gain


@compiled()
def _pool(a: Any, sums: Any, pooled: Any, size: int, channels: int, gain: Any) -> None:
    """Sum the traces (size, line) of a run over windows times `gain`: first over a window's rows, then over its columns."""
    for i in range(sums.size):
        sums[i] = a[0, i]
    for dy in range(1, size):
        row = a[dy]
        for i in range(sums.size):
            sums[i] += row[i]
    for window in range(pooled.size // channels):
        into = pooled[window * channels : (window + 1) * channels]
        first = sums[window * size * channels : (window * size + 1) * channels]
        for c in range(channels):
            into[c] = first[c]
        for dx in range(1, size):
            column = sums[(window * size + dx) * channels : (window * size + dx + 1) * channels]
            for c in range(channels):
                into[c] += column[c]
        for c in range(channels):
            into[c] *= gain


@compiled()
def _unpool(pooled: Any, g: Any, size: int, channels: int, gain: Any) -> None:
    """The transpose of `_pool` for one line of a run, all of whose lines receive the same: the window's gradient times `gain`."""
    for window in range(pooled.size // channels):
        arrived = pooled[window * channels : (window + 1) * channels]
        for dx in range(size):
            into = g[(window * size + dx) * channels : (window * size + dx + 1) * channels]
            for c in range(channels):
                into[c] = arrived[c] * gain


def _forward(
    current: Any, scale: Any, constants: Any, trace: Any,
    rows: int, width: int, channels: int, size: int, windows: int, together: int,
) -> int:  # fmt: skip
    """Traces of all neurons into `trace`, pooled where size > 1; returns the number of spikes.

    Args:
        current: (S, N), S = 1 or T; float32, float64, or uint16 for bfloat16.
        scale: (T,), what the current is multiplied with at each step, in the dtype of `constants`.
        constants: see the names at the head of this file.
        trace: (T, N / size²), written; float32, float64 or uint16.
        rows: with width, channels and size the `Geometry`.
        width: windows per row.
        channels: values per pixel.
        size: side of a window.
        windows: how many windows of a row to work on together.
        together: how many rows; several only where the windows are a whole row.
    """
    runs = (width + windows - 1) // windows
    spikes = np.zeros((rows + together - 1) // together * runs, np.int64)
    for run in prange(spikes.size):
        row, first = run // runs * together, (run % runs) * windows
        here, those = min(windows, width - first), min(together, rows - row)
        line = here * size * channels
        v = np.zeros((those * size, line), constants.dtype)
        a = np.zeros((those * size, line), constants.dtype)
        buffers = np.empty((3, those * size * line), constants.dtype)
        start, apart = (row * size * width + first) * size * channels, width * size * channels
        count = 0
        for t in range(trace.shape[0]):
            source = current[min(t, current.shape[0] - 1)]
            if here == width:
                flowing = _decoded(source[start : start + v.size], buffers[0])
                count += _advance(flowing, scale[t], constants, v.reshape(v.size), a.reshape(a.size))
            else:
                for dy in range(size):
                    flowing = _decoded(source[start + dy * apart : start + dy * apart + line], buffers[0])
                    count += _advance(flowing, scale[t], constants, v[dy], a[dy])
            for index in range(those):
                out = ((row + index) * width + first) * channels
                target = trace[t, out : out + here * channels]
                if size == 1:
                    _copy(a[index], _room(target, buffers[1]))
                else:
                    traces = a[index * size : (index + 1) * size]
                    _pool(traces, buffers[2][:line], _room(target, buffers[1]), size, channels, constants[POOLING_GAIN])
                _encode(_room(target, buffers[1]), target)
        spikes[run] = count
    return int(spikes.sum())


@compiled()
def _copy(values: Any, target: Any) -> None:
    for i in range(target.size):
        target[i] = values[i]


@compiled()
def _step_back(
    u_now: Any, u_before: Any, a_now: Any, g: Any, error: Any, chained: Any, result: Any, constants: Any, weight: Any, add: bool
) -> None:
    """One step back of the `2021-03` gradient (and its ablations): dL/dI[t] into `result`, or added to it times `weight`.

    g is dL/da[t]; `error` goes from G[t+1] to G[t], `chained` from g[t+1] to g[t], in the names of `reference.tssl_bp`. The
    surrogate's derivative is the logistic one of (u - threshold) times the steepness, its argument clamped.
    """
    decay, synapse_decay, gain = constants[MEMBRANE_DECAY], constants[SYNAPSE_DECAY], constants[SYNAPSE_GAIN]
    threshold, quiet_below, intra = constants[THRESHOLD], constants[QUIET_BELOW], constants[INTRA_GAIN]
    limit, steepness, farthest = constants[SENSITIVITY_LIMIT], constants[SURROGATE_STEEPNESS], constants[SURROGATE_LIMIT]
    zero, one = constants[ZERO], constants[ONE]
    for i in range(u_now.size):
        u = u_now[i]
        v = zero if u_before[i] > threshold else u_before[i]
        through_synapse = g[i] * gain + synapse_decay * error[i]
        e = _exp_negative(-min(abs((u - threshold) * steepness), farthest))
        surrogate = steepness * e / ((one + e) * (one + e))
        sensitivity = min(one / (u - v), limit)
        at_spike = sensitivity * (through_synapse + u * chained[i] * intra)
        now = at_spike if u > threshold else decay * chained[i]
        error[i] = through_synapse
        chained[i] = now
        step = through_synapse * surrogate if a_now[i] < quiet_below else now
        result[i] = result[i] + step * weight if add else step


@compiled()
def _first_step_back(
    u_now: Any, u_before: Any, g: Any, error: Any, q: Any, result: Any, constants: Any, weight: Any, add: bool, quiet: bool
) -> None:
    """One step back of the `2020-10` gradient, as `_step_back`; `q` goes from q[t+1] to q[t], `quiet` speaks for the layer."""
    decay, synapse_decay, gain = constants[MEMBRANE_DECAY], constants[SYNAPSE_DECAY], constants[SYNAPSE_GAIN]
    threshold, intra, limit = constants[THRESHOLD], constants[INTRA_GAIN], constants[SENSITIVITY_LIMIT]
    steepness, farthest = constants[SURROGATE_STEEPNESS], constants[SURROGATE_LIMIT]
    zero, one = constants[ZERO], constants[ONE]
    for i in range(u_now.size):
        u = u_now[i]
        v = zero if u_before[i] > threshold else u_before[i]
        spiked = u > threshold
        through_reset = u * q[i] * intra
        through_synapse = (g[i] + (through_reset if spiked else zero)) * gain + synapse_decay * error[i]
        e = _exp_negative(-min(abs((u - threshold) * steepness), farthest))
        surrogate = steepness * e / ((one + e) * (one + e))
        at_spike = through_synapse * max(min(one / (u - v), limit), -limit)
        elsewhere = decay * q[i]
        q[i] = g[i] if spiked else elsewhere
        error[i] = through_synapse
        busy = at_spike if spiked else zero
        step = through_synapse * surrogate if quiet else busy
        result[i] = result[i] + step * weight if add else step


def _backward(
    current: Any, scale: Any, constants: Any, gradient: Any, result: Any,
    rows: int, width: int, channels: int, size: int, windows: int, lines: int, first_state: bool, quiet: bool,
) -> None:  # fmt: skip
    """dL/dI of all neurons into `result`, from dL/da in `gradient`.

    Args:
        current: (S, N) as in `forward`.
        scale: (T,) as in `forward`.
        constants: see the names at the head of this file.
        gradient: (T, N / size²), the gradient on what `forward` wrote.
        result: (S, N), written; where S < T, the sum over the steps of scale[t] dL/dI[t].
        rows: with width, channels and size the `Geometry`.
        width: windows per row.
        channels: values per pixel.
        size: side of a window.
        windows: how many windows of a row to work on together.
        lines: how many lines; more than one only where the windows are a whole row.
        first_state: compute the gradient of `2020-10`, not that of `2021-03`.
        quiet: for `2020-10`: whether the whole layer learns through the surrogate.
    """
    runs = (width + windows - 1) // windows
    steps = gradient.shape[0]
    still = current.shape[0] < steps
    for run in prange((rows * size + lines - 1) // lines * runs):
        across, first = run // runs * lines, (run % runs) * windows
        here, those = min(windows, width - first), min(lines, rows * size - across)
        line = here * size * channels
        values = those * line
        u = np.zeros((steps + 1, values), constants.dtype)
        a = np.zeros((steps + 1, values), constants.dtype)
        carried = np.zeros((2, values), constants.dtype)
        buffers = np.zeros((4, values), constants.dtype)
        start = (across * width + first) * size * channels
        for t in range(steps):
            source = current[min(t, current.shape[0] - 1)]
            flowing = _decoded(source[start : start + values], buffers[0])
            _advance_and_keep(flowing, scale[t], constants, u[t], a[t], u[t + 1], a[t + 1])
        for t in range(steps - 1, -1, -1):
            if size == 1:
                g = _decoded(gradient[t, start : start + values], buffers[1])
            else:
                for index in range(those):
                    at = ((across + index) // size * width + first) * channels
                    arrived = _decoded(gradient[t, at : at + here * channels], buffers[1])
                    _unpool(arrived, buffers[2][index * line : (index + 1) * line], size, channels, constants[POOLING_GAIN])
                g = buffers[2]
            into = result[0 if still else t, start : start + values]
            step = buffers[3] if still else _room(into, buffers[3])
            if first_state:
                _first_step_back(u[t + 1], u[t], g, carried[0], carried[1], step, constants, scale[t], still, quiet)
            else:
                _step_back(u[t + 1], u[t], a[t + 1], g, carried[0], carried[1], step, constants, scale[t], still)
            if not still:
                _encode(step, into)
        if still:
            into = result[0, start : start + values]
            _copy(buffers[3], _room(into, buffers[0]))
            _encode(_room(into, buffers[0]), into)


def _synapse(spikes: Any, gain: Any, trace: Any, run: int) -> None:
    """The synaptic filter a[t] = a[t-1] + gain (s[t] - a[t-1]) of (T, N) bytes or floats into `trace` (T, N)."""
    size = trace.shape[1]
    for index in prange((size + run - 1) // run):
        low, high = index * run, min(size, (index + 1) * run)
        a = np.zeros(high - low, trace.dtype)
        for t in range(trace.shape[0]):
            now, source = trace[t, low:high], spikes[t, low:high]
            for i in range(high - low):
                a[i] = a[i] + (trace.dtype.type(source[i]) - a[i]) * gain
                now[i] = a[i]


forward, forward_parallel = compiled(cache=True)(_forward), compiled(cache=True, parallel=True)(_forward)
backward, backward_parallel = compiled(cache=True)(_backward), compiled(cache=True, parallel=True)(_backward)
synapse, synapse_parallel = compiled(cache=True)(_synapse), compiled(cache=True, parallel=True)(_synapse)
"""Each in one thread, which any process may call at any time, and with Numba's threads."""
