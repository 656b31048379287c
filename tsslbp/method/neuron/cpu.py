"""The bridge from tensors to the compiled kernels: memory layouts, dtypes and thread counts, no arithmetic.

Same functions as in `reference.py`, same numbers (tests/method/test_neuron_cpu.py), for tensors on the CPU.
"""

import math
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numba
import numpy as np
import torch
from torch import Tensor

from tsslbp.method.neuron import cpu_kernels
from tsslbp.method.neuron.rules import BUSY_RATE, POOLING_GAIN, SURROGATE_LIMIT, SURROGATE_WIDTH, Neuron

WORKING = {torch.float32: np.float32, torch.float64: np.float64, torch.bfloat16: np.float32}
"""The dtype to compute in, for each that a current may have."""


def is_possible(current: Tensor) -> bool:
    """Whether the kernels take this tensor: on the CPU, float32, float64 or bfloat16, and not empty."""
    return current.device.type == "cpu" and current.dtype in WORKING and current.numel() > 0


def can_filter(spikes: Tensor) -> bool:
    """Whether `synaptic_filter` takes this tensor: no gradient is asked for, on the CPU, floats or bytes, not empty."""
    fits = spikes.device.type == "cpu" and spikes.dtype in (torch.uint8, torch.float32, torch.float64) and spikes.numel() > 0
    return fits and not (spikes.requires_grad and torch.is_grad_enabled())


def synaptic_filter(spikes: Tensor, tau_s: float) -> Tensor:
    """As `synapse.filtered`; the trace keeps the memory layout of `spikes`."""
    order = memory_order(spikes)
    source = spikes.permute(order).contiguous()
    trace = torch.empty(source.shape, dtype=torch.float32 if spikes.dtype == torch.uint8 else spikes.dtype)
    dtype = WORKING[trace.dtype]
    with _kernel("synapse") as synapse:
        synapse(_flat(source), dtype(1 / tau_s), _flat(trace), cpu_kernels.FORWARD_RUN)
    return trace.permute(inverse(order))


def spike_forward(current: Tensor, constants: Neuron, scale: Tensor | None, pooling: int) -> tuple[Tensor, Tensor]:
    """As in `reference.py`: the trace, pooled where `pooling` > 1, and the firing rate."""
    order = _layout(current, pooling)
    source = current.detach().permute(order).contiguous()
    steps = _steps(source, scale)
    geometry = _geometry(source, pooling)
    trace = torch.empty(_pooled_shape(source, steps, pooling), dtype=current.dtype)
    working = WORKING[current.dtype]
    arrays = _flat(source), _scale(scale, steps, working), kernel_constants(constants, working), _flat(trace)
    with _kernel("forward") as forward:
        spikes = forward(*arrays, *geometry, *geometry.rows_per_run(cpu_kernels.FORWARD_RUN))
    rate = torch.tensor(spikes / (steps * source[0].numel()), dtype=torch.float64)
    return trace.permute(inverse(order)), rate


def spike_backward(current: Tensor, gradient: Tensor, rate: Tensor, constants: Neuron, scale: Tensor | None, pooling: int) -> Tensor:
    """As in `reference.py`: dL/dI from the gradient on the trace."""
    order = _layout(current, pooling)
    source = current.detach().permute(order).contiguous()
    arrived = gradient.permute(order).contiguous()
    result = torch.empty_like(source)
    geometry = _geometry(source, pooling)
    working = WORKING[current.dtype]
    steps = _steps(source, scale)
    run = geometry.lines_per_run(cpu_kernels.backward_run(steps, np.dtype(working).itemsize))
    arrays = _flat(source), _scale(scale, steps, working), kernel_constants(constants, working), _flat(arrived), _flat(result)
    with _kernel("backward") as backward:
        backward(*arrays, *geometry, *run, constants.rule.first_state, rate.item() <= BUSY_RATE)
    return result.permute(inverse(order))


def kernel_constants(constants: Neuron, dtype: Any) -> Any:
    """The neuron's numbers as the kernels read them, an array."""
    rule = constants.rule
    named = {
        cpu_kernels.MEMBRANE_DECAY: 1 - 1 / constants.tau_m,
        cpu_kernels.SYNAPSE_DECAY: 1 - 1 / constants.tau_s,
        cpu_kernels.SYNAPSE_GAIN: 1 / constants.tau_s,
        cpu_kernels.THRESHOLD: constants.threshold,
        cpu_kernels.QUIET_BELOW: rule.quiet_below / constants.tau_s,
        cpu_kernels.INTRA_GAIN: 1 / constants.tau_m if rule.intra else 0.0,
        cpu_kernels.SENSITIVITY_LIMIT: rule.sensitivity_limit,
        cpu_kernels.SURROGATE_STEEPNESS: 1 / SURROGATE_WIDTH,
        cpu_kernels.SURROGATE_LIMIT: SURROGATE_LIMIT,
        cpu_kernels.POOLING_GAIN: POOLING_GAIN,
        cpu_kernels.ZERO: 0.0,
        cpu_kernels.ONE: 1.0,
    }
    return np.array([named[index] for index in range(len(named))], dtype)


def _scale(scale: Tensor | None, steps: int, dtype: Any) -> Any:
    return np.ones(steps, dtype) if scale is None else scale.numpy().astype(dtype)


def _steps(source: Tensor, scale: Tensor | None) -> int:
    return len(source) if scale is None else len(scale)


def _layout(current: Tensor, pooling: int) -> tuple[int, ...]:
    """The order of axes to work in: images that are pooled as (T, B, H, W, C), all else as it lies in memory."""
    return (0, 1, 3, 4, 2) if pooling > 1 else memory_order(current)


def memory_order(tensor: Tensor) -> tuple[int, ...]:
    """Time, then the other axes by falling stride: a dense tensor permuted so is contiguous."""
    strides = tensor.stride()
    return (0, *sorted(range(1, tensor.dim()), key=lambda axis: (-strides[axis], axis)))


def inverse(order: tuple[int, ...]) -> tuple[int, ...]:
    """The order of axes that undoes `order`."""
    return tuple(sorted(range(len(order)), key=order.__getitem__))


def _geometry(source: Tensor, pooling: int) -> cpu_kernels.Geometry:
    if pooling == 1:
        return cpu_kernels.Geometry(rows=1, width=source[0].numel(), channels=1, size=1)
    _, batch, height, width, channels = source.shape
    return cpu_kernels.Geometry(rows=batch * height // pooling, width=width // pooling, channels=channels, size=pooling)


def _pooled_shape(source: Tensor, steps: int, pooling: int) -> tuple[int, ...]:
    if pooling == 1:
        return steps, *source.shape[1:]
    _, batch, height, width, channels = source.shape
    return steps, batch, height // pooling, width // pooling, channels


def _flat(tensor: Tensor) -> Any:
    """A contiguous tensor as a (time, rest) array over the same memory; bfloat16 as its bits."""
    bits = tensor.view(torch.uint16) if tensor.dtype == torch.bfloat16 else tensor
    return bits.reshape(len(tensor), math.prod(tensor.shape[1:])).numpy()


_IN_TURN = threading.Lock()
"""Two Python threads that start Numba's pool at once end the process where Numba has only its own simple pool (workqueue)."""
_forked = False


def _note_fork() -> None:
    """A forked child has none of the pool's threads, and OpenMP ends it when it asks for them."""
    global _IN_TURN, _forked
    _IN_TURN, _forked = threading.Lock(), True


os.register_at_fork(after_in_child=_note_fork)


@contextmanager
def _kernel(name: str) -> Iterator[Any]:
    """A kernel for as many threads as PyTorch uses; in one thread, and in a forked process, the one that needs no pool."""
    threads = min(torch.get_num_threads(), int(numba.config.NUMBA_NUM_THREADS))  # type: ignore[attr-defined]
    if threads == 1 or _forked:
        yield getattr(cpu_kernels, name)
        return
    with _IN_TURN:
        numba.set_num_threads(threads)
        yield getattr(cpu_kernels, f"{name}_parallel")
