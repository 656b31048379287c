"""The count loss: match desired spike counts."""

import torch
from torch import Tensor
from torch.nn import functional

from tsslbp.arguments import MOST_STEPS, number
from tsslbp.method.checks import check_labels, check_trace
from tsslbp.method.losses.squares import half_squares
from tsslbp.settings import CountLossSettings, Model, Recipe


def from_settings(settings: CountLossSettings, model: Model, recipe: Recipe) -> "CountLoss":
    """Make the loss that a model's section `loss` describes."""
    return CountLoss(settings.desired_count, settings.undesired_count)


class CountLoss:
    """Match desired spike counts: delta = (sum over t of a - c)/T, where c is `desired` for the label, else `undesired`.

    A label that has more than it should, or another class that has less, is left alone (delta = 0). Every step's
    gradient is delta, and delta² counts once per step.

    Args:
        desired: count for the label's neuron.
        undesired: count for the others.

    Raises:
        TypeError: a count that is not a number.
        ValueError: a count below 0, or beyond the steps that there can be.

    Example:
        >>> import torch
        >>> loss = CountLoss(desired=4, undesired=1)
        >>> silent = torch.zeros(5, 2, 10)  # delta is -4/5 for the two labels, 0 for the others
        >>> round(loss(silent, torch.tensor([3, 7])).item(), 3)
        3.2
    """

    def __init__(self, desired: float, undesired: float) -> None:
        allowed = f"0 to {MOST_STEPS} spikes"
        self.desired = number("desired", desired, allowed, high=MOST_STEPS)
        self.undesired = number("undesired", undesired, allowed, high=MOST_STEPS)

    def __call__(self, trace: Tensor, labels: Tensor) -> Tensor:
        """0.5 T sum delta² of a trace: its derivative by a[t] is delta at every step.

        Args:
            trace: (T, B, classes), of the output layer.
            labels: (B,), integers.

        Raises:
            TypeError: trace or labels are not tensors.
            ValueError: trace or labels have another shape or dtype, or numbers that cannot be.
        """
        check_trace(trace)
        labels = check_labels(labels, trace.shape[1], trace.shape[2])
        label = functional.one_hot(labels, trace.shape[2]).bool()
        total = trace.detach().sum(0)
        below = ((total - self.desired) / len(trace)).clamp(max=0)
        above = ((total - self.undesired) / len(trace)).clamp(min=0)
        return half_squares(trace, torch.where(label, below, above), float(len(trace)))
