"""The bridge from tensors on a GPU to the Triton kernels: what `fused.py` is for the CPU.

Same functions as in `definition.py`, same numbers (tests/test_fused_gpu.py, which needs no GPU). Pooling stays in PyTorch.
Triton is imported where a kernel is launched: a machine without a GPU need not have it.
"""

import importlib.util
from typing import Any

import torch
from torch import Tensor

from tsslbp import definition
from tsslbp.fused import WORKING, inverse, kernel_constants, memory_order
from tsslbp.rules import BUSY_RATE, Neuron

_NEURONS_PER_PROGRAM = 256


def is_possible(current: Tensor) -> bool:
    """Whether the kernels take this tensor: on a GPU, float32, float64 or bfloat16, not empty, and Triton is installed."""
    fits = current.device.type == "cuda" and current.dtype in WORKING and current.numel() > 0
    return fits and importlib.util.find_spec("triton") is not None


def spike_forward(current: Tensor, constants: Neuron, scale: Tensor | None, pooling: int) -> tuple[Tensor, Tensor]:
    """As the definition's: the trace, pooled where `pooling` > 1, and the firing rate."""
    from tsslbp.gpu_kernels import forward

    order, source, scales, numbers = _arguments(current, constants, scale)
    trace = torch.empty((len(scales), *source.shape[1:]), dtype=numbers.dtype if pooling > 1 else current.dtype, device=current.device)
    neurons = source[0].numel()
    programs = -(-neurons // _NEURONS_PER_PROGRAM)
    spikes = torch.empty(programs, dtype=torch.int64, device=current.device)
    with torch.cuda.device_of(current):  # type: ignore[no-untyped-call]
        forward[(programs,)](
            source, scales, numbers, trace, spikes, len(scales), neurons, 0 if scale is not None else neurons,
            size=_NEURONS_PER_PROGRAM, enable_fp_fusion=False,
        )  # fmt: skip
    rate = spikes.sum().double() / (len(scales) * neurons)
    trace = trace.permute(inverse(order))
    return (trace if pooling == 1 else definition.pool(trace, pooling).to(current.dtype)), rate


def spike_backward(current: Tensor, gradient: Tensor, rate: Tensor, constants: Neuron, scale: Tensor | None, pooling: int) -> Tensor:
    """As the definition's: dL/dI from the gradient on the trace."""
    from tsslbp.gpu_kernels import backward

    order, source, scales, numbers = _arguments(current, constants, scale)
    arrived = gradient if pooling == 1 else definition.unpool(gradient.to(numbers.dtype), pooling)
    arrived = arrived.permute(order).contiguous()
    result = torch.empty_like(source)
    potentials, traces = torch.empty((2, *arrived.shape), dtype=numbers.dtype, device=current.device)
    neurons = source[0].numel()
    with torch.cuda.device_of(current):  # type: ignore[no-untyped-call]
        backward[(-(-neurons // _NEURONS_PER_PROGRAM),)](
            source, scales, numbers, arrived, result, potentials, traces, rate,
            len(scales), neurons, 0 if scale is not None else neurons, BUSY_RATE,
            size=_NEURONS_PER_PROGRAM, still=scale is not None, first_state=constants.rule.first_state, enable_fp_fusion=False,
        )  # fmt: skip
    return result.permute(inverse(order))


def _arguments(current: Tensor, constants: Neuron, scale: Tensor | None) -> tuple[tuple[int, ...], Tensor, Tensor, Any]:
    """The order of axes to work in, the current in it, the scale of every step, and the constants, both in the dtype to compute in."""
    order = memory_order(current)
    numbers = torch.from_numpy(kernel_constants(constants, 1, WORKING[current.dtype])).to(current.device)
    scales = torch.ones(len(current)) if scale is None else scale
    return order, current.detach().permute(order).contiguous(), scales.to(numbers), numbers
