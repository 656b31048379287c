"""The bridge from tensors on a GPU to the Triton kernels: what `cpu.py` is for the CPU.

Same functions as in `reference.py`, same numbers (tests/method/test_neuron_gpu.py, which needs no GPU). Pooling stays in PyTorch.
Triton is imported where a kernel is launched: a machine without a GPU need not have it.
"""

import importlib.util
from typing import NamedTuple

import torch
from torch import Tensor

from tsslbp.method.neuron import reference
from tsslbp.method.neuron.cpu import WORKING, inverse, kernel_constants, memory_order
from tsslbp.method.neuron.rules import BUSY_RATE, Neuron

_NEURONS_PER_PROGRAM = 256


def is_possible(current: Tensor) -> bool:
    """Whether the kernels take this tensor: on a GPU, float32, float64 or bfloat16, not empty, and Triton is installed."""
    fits = current.device.type == "cuda" and current.dtype in WORKING and current.numel() > 0
    return fits and importlib.util.find_spec("triton") is not None


class _Launch(NamedTuple):
    """What both kernels are given.

    Attributes:
        order: of the axes to work in.
        source: the current in that order.
        scales: what it is multiplied with at every step, in the dtype to compute in.
        numbers: the neuron's constants, likewise.
    """

    order: tuple[int, ...]
    source: Tensor
    scales: Tensor
    numbers: Tensor

    @property
    def sizes(self) -> tuple[int, int, int]:
        """T, N, and by how much the current of a step lies after that of the step before: not at all where it is constant."""
        neurons = self.source[0].numel()
        return len(self.scales), neurons, 0 if len(self.source) < len(self.scales) else neurons

    @property
    def programs(self) -> int:
        """How many programs it takes."""
        return -(-self.source[0].numel() // _NEURONS_PER_PROGRAM)


def _launch(current: Tensor, constants: Neuron, scale: Tensor | None) -> _Launch:
    order = memory_order(current)
    numbers = torch.from_numpy(kernel_constants(constants, WORKING[current.dtype])).to(current.device)
    scales = torch.ones(len(current)) if scale is None else scale
    return _Launch(order, current.detach().permute(order).contiguous(), scales.to(numbers), numbers)


def spike_forward(current: Tensor, constants: Neuron, scale: Tensor | None, pooling: int) -> tuple[Tensor, Tensor]:
    """As the definition's: the trace, pooled where `pooling` > 1, and the firing rate."""
    from tsslbp.method.neuron.gpu_kernels import forward

    launch = _launch(current, constants, scale)
    shape = (len(launch.scales), *launch.source.shape[1:])
    trace = torch.empty(shape, dtype=launch.numbers.dtype if pooling > 1 else current.dtype, device=current.device)
    spikes = torch.empty(launch.programs, dtype=torch.int64, device=current.device)
    with torch.cuda.device_of(current):  # type: ignore[no-untyped-call]
        forward[(launch.programs,)](
            *launch[1:], trace, spikes, *launch.sizes, size=_NEURONS_PER_PROGRAM, enable_fp_fusion=False
        )  # fmt: skip
    rate = spikes.sum().double() / trace.numel()
    trace = trace.permute(inverse(launch.order))
    return (trace if pooling == 1 else reference.pool(trace, pooling).to(current.dtype)), rate


def spike_backward(current: Tensor, gradient: Tensor, rate: Tensor, constants: Neuron, scale: Tensor | None, pooling: int) -> Tensor:
    """As the definition's: dL/dI from the gradient on the trace."""
    from tsslbp.method.neuron.gpu_kernels import backward

    launch = _launch(current, constants, scale)
    arrived = gradient if pooling == 1 else reference.unpool(gradient.to(launch.numbers.dtype), pooling)
    arrived = arrived.permute(launch.order).contiguous()
    result = torch.empty_like(launch.source)
    potentials, traces = torch.empty((2, *arrived.shape), dtype=launch.numbers.dtype, device=current.device)
    with torch.cuda.device_of(current):  # type: ignore[no-untyped-call]
        backward[(launch.programs,)](
            *launch[1:], arrived, result, potentials, traces, rate, *launch.sizes, BUSY_RATE,
            size=_NEURONS_PER_PROGRAM, still=scale is not None, first_state=constants.rule.first_state, enable_fp_fusion=False,
        )  # fmt: skip
    return result.permute(inverse(launch.order))
