"""LIF neurons and the TSSL-BP gradient as pure functions; layers.py only adds weights.

Tensors are time-first, (T, B, *features); time counts steps. I: input current, u: membrane potential before its reset,
v: after it, s: spike in {0, 1}, a: synaptic trace (the paper's post-synaptic potential), with v[-1] = a[-1] = 0:

    u[t] = (1 - 1/tau_m) v[t-1] + I[t]          s[t] = 1 where u[t] > threshold, else 0
    v[t] = u[t] (1 - s[t])                      a[t] = (1 - 1/tau_s) a[t-1] + s[t] / tau_s

`reference.py` computes this in plain PyTorch, on any device; `cpu.py` and `gpu.py` compute the same numbers in one pass over
memory; `synapse.py` has the last equation alone, and back. Source: Zhang & Li, NeurIPS 2020, arXiv 2002.10085, sections 3.1 to 3.3, in the states of the authors' code that
rules.py names; where this project departs from it: docs/deviations.md.
"""

from typing import Any, Literal

import torch
from torch import Tensor, nn

from tsslbp.arguments import choice
from tsslbp.method.checks import check_finite_on_cpu, check_over_time
from tsslbp.method.neuron import cpu, gpu, reference
from tsslbp.method.neuron.rules import GRADIENTS, Neuron

__all__ = ["GRADIENTS", "LIF", "Neuron", "lif", "spike"]

Implementation = Literal["auto", "reference", "cpu", "gpu"]

_IMPLEMENTATIONS: dict[str, Any] = {"cpu": cpu, "gpu": gpu, "reference": reference}
"""By name, the fastest first; all of them compute the same."""


def lif(
    current: Tensor,
    tau_m: float,
    tau_s: float,
    threshold: float = 1.0,
    *,
    gradient: str = "2021-03",
    implementation: Implementation = "auto",
) -> Tensor:
    """Leaky integrate-and-fire neurons with hard reset and exponential synapse, differentiable by TSSL-BP.

    It returns the synaptic trace, what the next layer receives, not the spikes; `spikes_of(trace, tau_s)` has these.

    Args:
        current: (T, B, *features), floating point.
        tau_m: membrane time constant in steps, at least 1.
        tau_s: synaptic time constant in steps, at least 1.
        threshold: a neuron spikes where its potential is strictly greater.
        gradient: the backward rule, a key of `rules.GRADIENTS`: "2021-03", "2020-10", "2020-06", or the ablations "surrogate",
            "no-warmup" and "no-intra".
        implementation: "auto" takes the fastest that there is for the tensor, of "cpu" (Numba), "gpu" (Triton) and "reference"
            (plain PyTorch, any device and dtype).

    Returns:
        The synaptic trace, (T, B, *features), within [0, 1], dtype, device and memory layout of `current`.

    Raises:
        TypeError: current is not a tensor, or a constant is not a number.
        ValueError: a constant out of range, an unknown rule or implementation, one that does not take this tensor, or a current
            without a time step, of integers, sparse, or on the CPU not finite.

    Example:
        >>> import torch
        >>> from tsslbp import spikes_of
        >>> current = torch.full((4, 1), 0.7, requires_grad=True)  # T = 4 steps of one neuron
        >>> trace = lif(current, tau_m=5.0, tau_s=2.0)
        >>> trace.detach().T
        tensor([[0.0000, 0.5000, 0.2500, 0.6250]])
        >>> spikes_of(trace, tau_s=2.0).T
        tensor([[0., 1., 0., 1.]])
        >>> trace.sum().backward()
        >>> tuple(current.grad.shape)
        (4, 1)
    """
    neuron = Neuron(tau_m, tau_s, threshold, gradient)
    check_over_time("current", current)
    check_finite_on_cpu("current", current)
    trace: Tensor = spike(current, neuron, implementation=implementation)[0]
    return trace


class LIF(nn.Module):
    """`lif` as a module without weights: (T, B, *features) of current -> (T, B, *features) of synaptic trace.

    Args:
        tau_m: membrane time constant in steps, at least 1.
        tau_s: synaptic time constant in steps, at least 1.
        threshold: a neuron spikes where its potential is strictly greater.
        gradient: the backward rule, see `lif`.
        implementation: see `lif`.

    Raises:
        TypeError: a constant that is not a number.
        ValueError: a constant out of range, an unknown rule or implementation.

    Example:
        >>> import torch
        >>> layer = torch.nn.Sequential(torch.nn.Linear(8, 3, bias=False), LIF(tau_m=5.0, tau_s=3.0))
        >>> layer(torch.rand(5, 2, 8)).shape  # T, B, features
        torch.Size([5, 2, 3])
    """

    def __init__(
        self, tau_m: float, tau_s: float, threshold: float = 1.0, *, gradient: str = "2021-03", implementation: Implementation = "auto"
    ) -> None:
        super().__init__()
        self.neuron = Neuron(tau_m, tau_s, threshold, gradient)
        choice("implementation", implementation, ("auto", *_IMPLEMENTATIONS))
        self.implementation: Implementation = implementation

    def forward(self, current: Tensor) -> Tensor:
        """(T, B, *features) of current -> synaptic trace of the same shape."""
        neuron = self.neuron
        return lif(
            current, neuron.tau_m, neuron.tau_s, neuron.threshold, gradient=neuron.gradient, implementation=self.implementation
        )  # fmt: skip

    def extra_repr(self) -> str:
        """The constants, for `print(module)`."""
        neuron = self.neuron
        return f"tau_m={neuron.tau_m}, tau_s={neuron.tau_s}, threshold={neuron.threshold}, gradient={neuron.gradient!r}"


@torch.compiler.disable  # type: ignore[untyped-decorator]
def spike(
    current: Tensor, neuron: Neuron, scale: Tensor | None = None, pooling: int = 1, implementation: Implementation = "auto"
) -> tuple[Tensor, Tensor]:
    """What a layer does with its current: `lif`, and the pooling behind it.

    PyTorch's compiler takes it as it is: the kernels are compiled already.

    Args:
        current: (T, B, *features), or (1, B, *features) where `scale` is given; (.., B, C, H, W) where it is pooled.
        neuron: the neurons' constants.
        scale: (T,), float64; at step t the current is scale[t] times the one given.
        pooling: traces are summed over windows of this side and multiplied by `POOLING_GAIN`; 1: they are not.
        implementation: see `lif`.

    Returns:
        The trace, (T, B, *features) or (T, B, C, H/pooling, W/pooling), and the firing rate: the mean of the spikes
        over everything, a float64 scalar without gradient.

    Raises:
        ValueError: an implementation that is unknown or does not take this tensor, or images that pooling does not divide.
    """
    if pooling > 1 and (current.dim() != 5 or current.shape[-1] % pooling or current.shape[-2] % pooling):
        raise ValueError(f"current of shape {tuple(current.shape)}: expected (T, B, C, H, W) with sizes that {pooling} divides")
    trace, rate = _Spike.apply(current, neuron, scale, pooling, _chosen(current, implementation))
    return trace, rate


class _Spike(torch.autograd.Function):
    """The one autograd function: forward the LIF neuron, backward TSSL-BP. Only the current is kept in between."""

    @staticmethod
    def forward(
        ctx: Any, current: Tensor, neuron: Neuron, scale: Tensor | None, pooling: int, implementation: Any
    ) -> tuple[Tensor, Tensor]:
        trace, rate = implementation.spike_forward(current, neuron, scale, pooling)
        ctx.neuron, ctx.scale, ctx.pooling, ctx.implementation = neuron, scale, pooling, implementation
        ctx.save_for_backward(current, rate)
        ctx.mark_non_differentiable(rate)
        return trace, rate

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None, None]:
        current, rate = ctx.saved_tensors
        by_current = ctx.implementation.spike_backward(current, gradients[0], rate, ctx.neuron, ctx.scale, ctx.pooling)
        return by_current, None, None, None, None


def _chosen(current: Tensor, name: str) -> Any:
    """The module of this name, or the fastest one that takes the tensor."""
    if choice("implementation", name, ("auto", *_IMPLEMENTATIONS)) == "auto":
        return next(module for module in _IMPLEMENTATIONS.values() if module.is_possible(current))
    if not _IMPLEMENTATIONS[name].is_possible(current):
        raise ValueError(f"implementation {name!r} does not take {current.dtype} of shape {tuple(current.shape)} on {current.device}")
    return _IMPLEMENTATIONS[name]
