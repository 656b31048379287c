"""The neuron's two scans over time as fused CPU kernels (Numba): one pass over memory a direction.

They compute what `definition.py` defines in plain PyTorch, forward bit for bit: no fused multiply-add and no reordering
(fastmath stays off; the loops vectorise without it). Neurons are worked on in blocks that fit the level-2 cache, so the
forward pass reads the current and writes the trace, once each, and the backward pass reads the current and the
trace's gradient and writes the current's. The membrane potential never reaches memory: backward computes it again.

Memory seen by a kernel: `current` (S, N), S = T steps, or 1 where the same current times `scale[t]` flows at every
step; `trace` (T, N / size²), summed over size×size windows of an image whose memory is (rows, width, channels).
A layer that is not pooled has size 1 and is one long row. bfloat16 travels as uint16 and is worked on in float32.
All arithmetic is in the dtype of `constants`; see `Constants` for their order.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import njit, prange, types
from numba.extending import overload, register_jitable

CACHE_BYTES = 192 * 1024
"""What one block's state may occupy: well inside the level-2 cache of current CPUs (0.5 to 2 MB a core)."""

_compiled = njit(error_model="numpy", nogil=True, cache=True)
_parallel = njit(error_model="numpy", nogil=True, cache=True, parallel=True)


class Constants(NamedTuple):
    """The neuron's numbers, in the order in which the kernels read them."""

    membrane_decay: float
    synapse_decay: float
    synapse_gain: float
    threshold: float
    quiet_below: float
    intra_gain: float
    sensitivity_limit: float
    surrogate_width: float
    surrogate_limit: float
    pooling_gain: float

    def array(self, dtype: Any) -> Any:
        """As an array of the dtype to compute in, followed by the literals 0, 1 and 0.5 of that dtype."""
        return np.array([*self, 0.0, 1.0], dtype=dtype)


class Geometry(NamedTuple):
    """How neurons lie in memory: `rows` of windows, `width` windows a row, `channels` values a pixel, windows of `size`²."""

    rows: int
    width: int
    channels: int
    size: int

    def windows_per_block(self, steps: int, itemsize: int) -> int:
        """How many windows are worked on together: two values a neuron and step have to fit the cache."""
        per_window = 2 * steps * itemsize * self.channels * self.size**2
        whole_row = self.size > 1 and self.width * per_window <= 2 * CACHE_BYTES
        return self.width if whole_row else max(1, min(self.width, CACHE_BYTES // per_window))


def _decode(value: Any) -> Any:
    """bfloat16 bits to float32; floats as they are."""
    raise NotImplementedError("compiled code only")


def _encode(value: Any, like: Any) -> Any:
    """A float as the element type of the array `like`: bfloat16 bits (rounded to nearest even) for uint16."""
    raise NotImplementedError("compiled code only")


def _exp_negative(x: Any) -> Any:
    """exp(x) for -8 <= x <= 0."""
    raise NotImplementedError("compiled code only")


@overload(_decode, inline="always", strict=False)
def _decode_overload(value: Any) -> Any:
    if value == types.uint16:
        return lambda value: np.uint32(np.uint32(value) << np.uint32(16)).view(np.float32)
    return lambda value: value


@overload(_encode, inline="always", strict=False)
def _encode_overload(value: Any, like: Any) -> Any:
    if like.dtype == types.uint16:

        def encode(value: Any, like: Any) -> Any:
            bits = np.float32(value).view(np.uint32)
            even = np.uint32(np.uint32(bits >> np.uint32(16)) & np.uint32(1))
            return np.uint16(np.uint32(bits + np.uint32(0x7FFF) + even) >> np.uint32(16))

        return encode
    return lambda value, like: value


@overload(_exp_negative, inline="always", strict=False)
def _exp_negative_overload(x: Any) -> Any:
    if x != types.float32:
        return lambda x: np.exp(x)

    def exp_negative(x: Any) -> Any:
        # exp(x) = 2^n exp(r), |r| <= ln(2)/2, and exp(r) by its Taylor series: the libm call would not vectorise.
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


@register_jitable(inline="always")
def _surrogate(u: Any, constants: Any) -> Any:
    """The logistic derivative of (u - threshold) / width, over width; its argument is clamped as in the reference."""
    distance = abs((u - constants[3]) / constants[7])
    e = _exp_negative(-min(distance, constants[8]))
    return e / ((constants[11] + e) * (constants[11] + e)) / constants[7]


@_compiled
def _advance(source: Any, scale: Any, constants: Any, v: Any, a: Any, u_out: Any, v_out: Any, a_out: Any) -> int:
    """One time step of a run of neurons: from v[t-1], a[t-1] to u[t], v[t], a[t]; returns the number of spikes."""
    decay, gain, threshold = constants[0], constants[2], constants[3]
    zero, one = constants[10], constants[11]
    spikes = np.int32(0)
    for i in range(source.size):
        u = decay * v[i] + _decode(source[i]) * scale
        spiked = u > threshold
        u_out[i] = u
        v_out[i] = zero if spiked else u
        a_out[i] = a[i] + ((one if spiked else zero) - a[i]) * gain
        spikes += np.int32(spiked)
    return int(spikes)


@_compiled
def _hand_on(a: Any, target: Any, size: int, channels: int, gain: Any) -> None:
    """Write a block's traces out: as they are, or summed over windows of size x size times `gain`."""
    if size == 1:
        for i in range(target.size):
            target[i] = _encode(a[i], target)
        return
    segment = a.size // size
    for window in range(target.size // channels):
        out = target[window * channels : (window + 1) * channels]
        for c in range(channels):
            total = a[window * size * channels + c] - a[window * size * channels + c]
            for dy in range(size):
                for dx in range(size):
                    total += a[dy * segment + (window * size + dx) * channels + c]
            out[c] = _encode(total * gain, target)


@_compiled
def _take_back(source: Any, g: Any, size: int, channels: int, gain: Any) -> None:
    """The transpose of `_hand_on`: every neuron of a window receives the window's gradient times `gain`."""
    if size == 1:
        for i in range(source.size):
            g[i] = _decode(source[i])
        return
    segment = g.size // size
    for window in range(source.size // channels):
        taken = source[window * channels : (window + 1) * channels]
        for dy in range(size):
            for dx in range(size):
                start = dy * segment + (window * size + dx) * channels
                into = g[start : start + channels]
                for c in range(channels):
                    into[c] = _decode(taken[c]) * gain


@_parallel
def forward(current: Any, scale: Any, constants: Any, trace: Any, rows: int, width: int, channels: int, size: int, windows: int) -> int:
    """Traces of all neurons into `trace`, pooled where size > 1; returns the number of spikes.

    Args:
        current: (S, N), S = 1 or T; float32, float64, or uint16 for bfloat16.
        scale: (T,), what the current is multiplied with at each step, in the dtype of `constants`.
        constants: `Constants.array`.
        trace: (T, N / size²), written; float32, float64 or uint16.
        rows: with width, channels and size the `Geometry`.
        width: windows a row.
        channels: values a pixel.
        size: side of a window.
        windows: how many windows to work on together.
    """
    blocks = (width + windows - 1) // windows
    spikes = np.zeros(rows * blocks, np.int64)
    for block in prange(rows * blocks):
        row, first = block // blocks, (block % blocks) * windows
        here = min(windows, width - first)
        segment = here * size * channels
        v = np.zeros(size * segment, constants.dtype)
        a = np.zeros(size * segment, constants.dtype)
        out = (row * width + first) * channels
        count = 0
        for t in range(trace.shape[0]):
            source = current[min(t, current.shape[0] - 1)]
            for dy in range(size):
                start = ((row * size + dy) * width + first) * size * channels
                vs, at = v[dy * segment : (dy + 1) * segment], a[dy * segment : (dy + 1) * segment]
                count += _advance(source[start : start + segment], scale[t], constants, vs, at, vs, vs, at)
            _hand_on(a, trace[t, out : out + here * channels], size, channels, constants[9])
        spikes[block] = count
    return int(spikes.sum())


@_compiled
def _replay(current: Any, scale: Any, constants: Any, u: Any, a: Any, row: int, first: int, width: int, channels: int, size: int) -> None:
    """A block's forward pass again, this time keeping u and a of every step."""
    segment = u.shape[1] // size
    v = np.zeros(segment, constants.dtype)
    quiet = np.zeros(segment, constants.dtype)
    for dy in range(size):
        start = ((row * size + dy) * width + first) * size * channels
        low, high = dy * segment, (dy + 1) * segment
        v[:] = constants[10]
        for t in range(u.shape[0]):
            source = current[min(t, current.shape[0] - 1)]
            before = a[t - 1, low:high] if t > 0 else quiet
            _advance(source[start : start + segment], scale[t], constants, v, before, u[t, low:high], v, a[t, low:high])


@_compiled
def _final_step(u: Any, u_before: Any, a: Any, g: Any, synapse: Any, dependency: Any, out: Any, constants: Any, has_before: bool) -> None:
    """One step back of the `2021-03` gradient (and its ablations): g is dL/da[t] and `out` becomes dL/dI[t].

    `synapse` carries G[t+1] to G[t], `dependency` g[t+1] to g[t].
    """
    decay, synapse_decay, gain, threshold = constants[0], constants[1], constants[2], constants[3]
    quiet_below, intra, limit, zero, one = constants[4], constants[5], constants[6], constants[10], constants[11]
    for i in range(out.size):
        v = u_before[i] if has_before and not u_before[i] > threshold else zero
        error = g[i] * gain + synapse_decay * synapse[i]
        spiked = u[i] > threshold
        sensitivity = min(one / (u[i] - v), limit)
        chained = sensitivity * (error + u[i] * dependency[i] * intra) if spiked else decay * dependency[i]
        synapse[i] = error
        dependency[i] = chained
        out[i] = error * _surrogate(u[i], constants) if a[i] < quiet_below else chained


@_compiled
def _first_step(
    u: Any, u_before: Any, g: Any, synapse: Any, dependency: Any, out: Any, constants: Any, has_before: bool, quiet: bool
) -> None:
    """One step back of the `2020-10` gradient; `dependency` carries q[t+1] to q[t], `quiet` says whether the layer is."""
    decay, synapse_decay, gain, threshold = constants[0], constants[1], constants[2], constants[3]
    intra, limit, zero, one = constants[5], constants[6], constants[10], constants[11]
    for i in range(out.size):
        v = u_before[i] if has_before and not u_before[i] > threshold else zero
        spiked = u[i] > threshold
        through_reset = u[i] * dependency[i] * intra if spiked else zero
        error = (g[i] + through_reset) * gain + synapse_decay * synapse[i]
        sensitivity = max(min(one / (u[i] - v), limit), -limit)
        synapse[i] = error
        dependency[i] = g[i] if spiked else decay * dependency[i]
        busy = error * sensitivity if spiked else zero
        out[i] = error * _surrogate(u[i], constants) if quiet else busy


@_parallel
def backward(
    current: Any, scale: Any, constants: Any, gradient: Any, result: Any,
    rows: int, width: int, channels: int, size: int, windows: int, first_state: bool, quiet: bool,
) -> None:  # fmt: skip
    """dL/dI of all neurons into `result`, from dL/da in `gradient`.

    Args:
        current: (S, N) as in `forward`.
        scale: (T,) as in `forward`.
        constants: `Constants.array`.
        gradient: (T, N / size²), the gradient on what `forward` wrote.
        result: (S, N), written; where S = 1, the sum over the steps of scale[t] dL/dI[t].
        rows: with width, channels and size the `Geometry`.
        width: windows a row.
        channels: values a pixel.
        size: side of a window.
        windows: how many windows to work on together.
        first_state: compute the `2020-10` gradient, not the `2021-03` one.
        quiet: for `2020-10`: whether the whole layer learns through the surrogate.
    """
    blocks = (width + windows - 1) // windows
    still = current.shape[0] < gradient.shape[0]
    steps = gradient.shape[0]
    for block in prange(rows * blocks):
        row, first = block // blocks, (block % blocks) * windows
        here = min(windows, width - first)
        segment = here * size * channels
        n = size * segment
        u = np.empty((steps, n), constants.dtype)
        a = np.empty((steps, n), constants.dtype)
        _replay(current, scale, constants, u, a, row, first, width, channels, size)
        g = np.empty(n, constants.dtype)
        synapse = np.zeros(n, constants.dtype)
        dependency = np.zeros(n, constants.dtype)
        total = np.zeros(n, constants.dtype)
        step_result = np.empty(n, constants.dtype)
        out = (row * width + first) * channels
        for t in range(steps - 1, -1, -1):
            _take_back(gradient[t, out : out + here * channels], g, size, channels, constants[9])
            before = u[t - 1] if t > 0 else u[0]
            if first_state:
                _first_step(u[t], before, g, synapse, dependency, step_result, constants, t > 0, quiet)
            else:
                _final_step(u[t], before, a[t], g, synapse, dependency, step_result, constants, t > 0)
            if still:
                for i in range(n):
                    total[i] += scale[t] * step_result[i]
            else:
                _scatter_rows(step_result, result[t], row, first, width, channels, size)
        if still:
            _scatter_rows(total, result[0], row, first, width, channels, size)


@_compiled
def _scatter_rows(values: Any, target: Any, row: int, first: int, width: int, channels: int, size: int) -> None:
    """Write a block's `size` runs of neurons to their places in a whole step's memory."""
    segment = values.size // size
    for dy in range(size):
        start = ((row * size + dy) * width + first) * size * channels
        into = target[start : start + segment]
        for i in range(segment):
            into[i] = _encode(values[dy * segment + i], target)


@_parallel
def synapse(spikes: Any, gain: Any, trace: Any, block: int) -> None:
    """The synaptic filter a[t] = a[t-1] + gain (s[t] - a[t-1]) of (T, N) bytes or floats into `trace` (T, N)."""
    size = trace.shape[1]
    for index in prange((size + block - 1) // block):
        low, high = index * block, min(size, (index + 1) * block)
        a = np.zeros(high - low, trace.dtype)
        for t in range(trace.shape[0]):
            now, source = trace[t, low:high], spikes[t, low:high]
            for i in range(high - low):
                a[i] = a[i] + (trace.dtype.type(source[i]) - a[i]) * gain
                now[i] = a[i]
