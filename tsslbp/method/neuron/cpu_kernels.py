"""The neuron's two scans over time as fused CPU kernels (Numba): one pass over memory a direction.

They compute what `reference.py` defines in plain PyTorch, forward bit for bit: no fused multiply-add and no reordering
(fastmath stays off; the loops vectorise without it). Neurons are worked on in blocks that fit the level-2 cache, so the
forward pass reads the current and writes the trace, once each, and the backward pass reads the current and the
trace's gradient and writes the current's. The membrane potential never reaches memory: backward computes it again, and
where there are many steps in segments, so that a block's state grows with the square root of T and a block stays wide.

Memory seen by a kernel: `current` (S, N), S = T steps, or 1 where the same current times `scale[t]` flows at every
step; `trace` (T, N / size²), summed over size×size windows of an image whose memory is (rows, width, channels).
A layer that is not pooled has size 1 and is one long row. bfloat16 travels as uint16 and is worked on in float32.
All arithmetic is in the dtype of `constants`; see `Constants` for their order.

The loops are written for the vectoriser: nothing conditional but selects, state updated in place so that no two arrays
overlap, constants in local names. All of it stands in one file because Numba's cache looks for changes there only.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numba import njit, prange, types
from numba.extending import overload

CACHE_BYTES = 192 * 1024
"""What one block's state may occupy: well inside the level-2 cache of current CPUs (0.5 to 2 MB a core)."""

_compiled = njit(error_model="numpy", nogil=True)
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
    surrogate_steepness: float
    surrogate_limit: float
    pooling_gain: float

    def array(self, dtype: Any) -> Any:
        """As an array of the dtype to compute in, followed by 0 and 1 in that dtype: a literal would make it float64."""
        return np.array([*self, 0.0, 1.0], dtype=dtype)


class Geometry(NamedTuple):
    """How neurons lie in memory: `rows` of windows, `width` windows a row, `channels` values a pixel, windows of `size`²."""

    rows: int
    width: int
    channels: int
    size: int

    def windows_per_block(self, kept: int, itemsize: int) -> int:
        """How many windows are worked on together: so many kept values a neuron have to fit the cache."""
        per_window = kept * itemsize * self.channels * self.size**2
        whole_row = self.size > 1 and self.width * per_window <= 2 * CACHE_BYTES
        return self.width if whole_row else max(1, min(self.width, CACHE_BYTES // per_window))


def segment_length(steps: int) -> int:
    """Into segments of how many steps backward divides so many: all in one up to 32, then about their square root."""
    return steps if steps <= 32 else math.isqrt(steps - 1) + 1


def kept_values(steps: int) -> int:
    """What backward keeps of a neuron: u and a of a segment's steps and before it, and v and a at the start of every segment."""
    length = segment_length(steps)
    return 2 * (length + 1) + 2 * -(-steps // length)


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


@_compiled
def _advance(source: Any, scale: Any, constants: Any, v: Any, a: Any) -> int:
    """One time step of a run of neurons: v and a go from t-1 to t; returns the number of spikes."""
    decay, gain, threshold = constants[0], constants[2], constants[3]
    zero, one = constants[10], constants[11]
    spikes = np.int32(0)
    for i in range(source.size):
        u = decay * v[i] + _decode(source[i]) * scale
        spiked = u > threshold
        v[i] = zero if spiked else u
        a[i] = a[i] + ((one if spiked else zero) - a[i]) * gain
        spikes += np.int32(spiked)
    return int(spikes)


@_compiled
def _advance_and_keep(source: Any, scale: Any, constants: Any, v: Any, a: Any, u_kept: Any, a_kept: Any) -> None:
    """`_advance`, writing down u[t] and a[t] for the way back."""
    decay, gain, threshold = constants[0], constants[2], constants[3]
    zero, one = constants[10], constants[11]
    for i in range(source.size):
        u = decay * v[i] + _decode(source[i]) * scale
        spiked = u > threshold
        now = a[i] + ((one if spiked else zero) - a[i]) * gain
        v[i] = zero if spiked else u
        a[i] = now
        u_kept[i] = u
        a_kept[i] = now


@_compiled
def _hand_on(a: Any, sums: Any, target: Any, size: int, channels: int, gain: Any) -> None:
    """Write a block's traces out, summed over windows times `gain`: first over a window's rows, then over its columns."""
    segment = sums.size
    for i in range(segment):
        sums[i] = a[i]
    for dy in range(1, size):
        row = a[dy * segment : (dy + 1) * segment]
        for i in range(segment):
            sums[i] += row[i]
    if size > 1:
        for window in range(target.size // channels):
            into = sums[window * channels : (window + 1) * channels]
            for dx in range(size):
                column = sums[(window * size + dx) * channels : (window * size + dx + 1) * channels]
                if dx == 0:
                    for c in range(channels):
                        into[c] = column[c]
                else:
                    for c in range(channels):
                        into[c] += column[c]
    for i in range(target.size):
        target[i] = _encode(sums[i] * gain, target)


@_compiled
def _take_back(source: Any, scaled: Any, g: Any, size: int, channels: int, gain: Any) -> None:
    """The transpose of `_hand_on` for one row of a window, all of which receive the same: the window's gradient times `gain`."""
    into_g = g if size == 1 else scaled
    for i in range(source.size):
        into_g[i] = _decode(source[i]) * gain
    if size == 1:
        return
    for window in range(source.size // channels):
        taken = scaled[window * channels : (window + 1) * channels]
        for dx in range(size):
            into = g[(window * size + dx) * channels : (window * size + dx + 1) * channels]
            for c in range(channels):
                into[c] = taken[c]


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
        sums = np.empty(segment, constants.dtype)
        out = (row * width + first) * channels
        start, line = (row * size * width + first) * size * channels, width * size * channels
        count = 0
        for t in range(trace.shape[0]):
            source = current[min(t, current.shape[0] - 1)]
            for dy in range(size):
                part = slice(dy * segment, (dy + 1) * segment)
                count += _advance(source[start + dy * line : start + dy * line + segment], scale[t], constants, v[part], a[part])
            _hand_on(a, sums, trace[t, out : out + here * channels], size, channels, constants[9])
        spikes[block] = count
    return int(spikes.sum())


@_compiled
def _surrogates(u: Any, constants: Any, result: Any) -> None:
    """The logistic derivative of (u - threshold) times the steepness; its argument is clamped as in the reference."""
    threshold, steepness, limit, one = constants[3], constants[7], constants[8], constants[11]
    for i in range(u.size):
        e = _exp_negative(-min(abs((u[i] - threshold) * steepness), limit))
        result[i] = steepness * e / ((one + e) * (one + e))


@_compiled
def _final_step(u: Any, v: Any, a: Any, g: Any, warm_up: Any, error: Any, chained: Any, constants: Any) -> None:
    """One step back of the `2021-03` gradient (and its ablations): dL/dI[t] replaces the surrogate's derivative in `warm_up`.

    `v` is v[t-1] and g dL/da[t]; `error` goes from G[t+1] to G[t], `chained` from g[t+1] to g[t].
    """
    decay, synapse_decay, gain, threshold = constants[0], constants[1], constants[2], constants[3]
    quiet_below, intra, limit, one = constants[4], constants[5], constants[6], constants[11]
    for i in range(u.size):
        through_synapse = g[i] * gain + synapse_decay * error[i]
        sensitivity = min(one / (u[i] - v[i]), limit)
        at_spike = sensitivity * (through_synapse + u[i] * chained[i] * intra)
        elsewhere = decay * chained[i]
        now = at_spike if u[i] > threshold else elsewhere
        quiet = through_synapse * warm_up[i]
        error[i] = through_synapse
        chained[i] = now
        warm_up[i] = quiet if a[i] < quiet_below else now


@_compiled
def _first_step(u: Any, v: Any, g: Any, warm_up: Any, error: Any, q: Any, constants: Any, quiet: bool) -> None:
    """One step back of the `2020-10` gradient: as `_final_step`; `q` goes from q[t+1] to q[t], `quiet` speaks for the layer."""
    decay, synapse_decay, gain, threshold = constants[0], constants[1], constants[2], constants[3]
    intra, limit, zero, one = constants[5], constants[6], constants[10], constants[11]
    for i in range(u.size):
        spiked = u[i] > threshold
        through_reset = u[i] * q[i] * intra
        through_synapse = (g[i] + (through_reset if spiked else zero)) * gain + synapse_decay * error[i]
        sensitivity = max(min(one / (u[i] - v[i]), limit), -limit)
        elsewhere = decay * q[i]
        q[i] = g[i] if spiked else elsewhere
        error[i] = through_synapse
        at_spike = through_synapse * sensitivity
        busy = at_spike if spiked else zero
        warm_up[i] = through_synapse * warm_up[i] if quiet else busy


@_compiled
def _potential_before(u: Any, constants: Any, v: Any) -> None:
    """v[t-1] from u[t-1]: reset where it was above the threshold."""
    threshold, zero = constants[3], constants[10]
    for i in range(v.size):
        v[i] = u[i] if u[i] <= threshold else zero


@_compiled
def _step_back(
    kept: Any, at: int, part: Any, g: Any, v: Any, step: Any, error: Any, chained: Any, constants: Any, first_state: bool, quiet: bool
) -> None:
    """dL/dI of the step kept at index `at`, into `step`; `v`, of the same size, is used on the way."""
    u = kept[0, at, part]
    _surrogates(u, constants, step)
    _potential_before(kept[0, at - 1, part], constants, v)
    if first_state:
        _first_step(u, v, g, step, error, chained, constants, quiet)
    else:
        _final_step(u, v, kept[1, at, part], g, step, error, chained, constants)


@_compiled
def _scan(
    current: Any, scale: Any, constants: Any, begin: int, end: int, start: int, line: int, size: int, v: Any, a: Any, kept: Any, keep: bool
) -> None:
    """The steps from `begin` up to `end` of a block, whose rows begin at `start` and lie `line` apart; their u and a are kept or not."""
    segment = v.size // size
    for t in range(begin, end):
        source = current[min(t, current.shape[0] - 1)]
        for dy in range(size):
            part = slice(dy * segment, (dy + 1) * segment)
            flowing = source[start + dy * line : start + dy * line + segment]
            if keep:
                u_kept, a_kept = kept[0, t - begin + 1, part], kept[1, t - begin + 1, part]
                _advance_and_keep(flowing, scale[t], constants, v[part], a[part], u_kept, a_kept)
            else:
                _advance(flowing, scale[t], constants, v[part], a[part])


@_compiled
def _write(values: Any, target: Any, weight: Any, add: bool) -> None:
    """Write values, or add them times `weight`."""
    if add:
        for i in range(values.size):
            target[i] += values[i] * weight
    else:
        for i in range(values.size):
            target[i] = _encode(values[i], target)


@_parallel
def backward(
    current: Any, scale: Any, constants: Any, gradient: Any, result: Any,
    rows: int, width: int, channels: int, size: int, windows: int, length: int, first_state: bool, quiet: bool,
) -> None:  # fmt: skip
    """dL/dI of all neurons into `result`, from dL/da in `gradient`.

    Args:
        current: (S, N) as in `forward`.
        scale: (T,) as in `forward`.
        constants: `Constants.array`.
        gradient: (T, N / size²), the gradient on what `forward` wrote.
        result: (S, N), written; where S < T, the sum over the steps of scale[t] dL/dI[t].
        rows: with width, channels and size the `Geometry`.
        width: windows a row.
        channels: values a pixel.
        size: side of a window.
        windows: how many windows to work on together.
        length: steps of a segment, see `segment_length`.
        first_state: compute the `2020-10` gradient, not the `2021-03` one.
        quiet: for `2020-10`: whether the whole layer learns through the surrogate.
    """
    blocks = (width + windows - 1) // windows
    steps = gradient.shape[0]
    still = current.shape[0] < steps
    for block in prange(rows * blocks):
        row, first = block // blocks, (block % blocks) * windows
        here = min(windows, width - first)
        segment = here * size * channels
        n = size * segment
        # u and a of a segment's steps, after v and a before them; v and a at the start of every segment; what the scans carry.
        kept = np.empty((2, length + 1, n), constants.dtype)
        starts = np.empty(((steps + length - 1) // length, 2, n), constants.dtype)
        carried = np.zeros((5, n), constants.dtype)
        g = np.empty((2, segment), constants.dtype)
        v, a, error, chained, total = carried[0], carried[1], carried[2], carried[3], carried[4]
        out = (row * width + first) * channels
        start, line = (row * size * width + first) * size * channels, width * size * channels
        for index in range(len(starts)):
            starts[index] = carried[:2]
            if index < len(starts) - 1:
                _scan(current, scale, constants, index * length, (index + 1) * length, start, line, size, v, a, kept, False)
        for index in range(len(starts) - 1, -1, -1):
            begin, end = index * length, min((index + 1) * length, steps)
            carried[:2] = starts[index]
            kept[:, 0] = starts[index]
            _scan(current, scale, constants, begin, end, start, line, size, v, a, kept, True)
            for t in range(end - 1, begin - 1, -1):
                _take_back(gradient[t, out : out + here * channels], g[0], g[1], size, channels, constants[9])
                for dy in range(size):
                    part = slice(dy * segment, (dy + 1) * segment)
                    into = slice(start + dy * line, start + dy * line + segment)
                    step = a[part]
                    _step_back(kept, t - begin + 1, part, g[1], v[part], step, error[part], chained[part], constants, first_state, quiet)
                    if still:
                        _write(step, total[part], scale[t], True)
                    else:
                        _write(step, result[t, into], scale[t], False)
        if still:
            for dy in range(size):
                into = slice(start + dy * line, start + dy * line + segment)
                _write(total[dy * segment : (dy + 1) * segment], result[0, into], scale[0], False)


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
