"""0.5 times a sum of squares whose derivative is known: one autograd node instead of a chain of small tensors."""

from typing import Any

from torch import Tensor
from torch.autograd import Function


def half_squares(trace: Tensor, delta: Tensor, weight: float = 1.0) -> Tensor:
    """0.5 weight sum delta², with delta as its derivative by the trace at every step.

    Args:
        trace: (T, B, classes), what the gradient goes to.
        delta: (T, B, classes), or (B, classes) where it is the same at every step; computed from the trace, without a gradient.
        weight: of the sum; T where delta stands for all steps.
    """
    value: Tensor = _HalfSquares.apply(trace, delta, weight)
    return value


class _HalfSquares(Function):
    @staticmethod
    def forward(ctx: Any, trace: Tensor, delta: Tensor, weight: float) -> Tensor:
        ctx.save_for_backward(delta)
        ctx.steps = len(trace)
        return 0.5 * weight * delta.square().sum()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (delta,) = ctx.saved_tensors
        slope = gradients[0] * delta
        return (slope if slope.dim() == 3 else slope.expand(ctx.steps, *slope.shape)), None, None
