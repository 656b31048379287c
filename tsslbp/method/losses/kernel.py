"""The kernel loss: match a desired spike train, seen through the synapse."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from tsslbp.arguments import MOST_STEPS, listed, shown, whole
from tsslbp.method.checks import check_labels, check_trace
from tsslbp.method.losses.squares import half_squares
from tsslbp.method.neuron.rules import check_time_constant
from tsslbp.method.neuron.synapse import synaptic_filter
from tsslbp.settings import KernelLossSettings, Model, Recipe

MOST_FILTERINGS = 100
"""A train that passed the synapse so often has faded from the target."""


def from_settings(settings: KernelLossSettings, model: Model, recipe: Recipe) -> "KernelLoss":
    """Make the loss that a model's section `loss` describes."""
    return KernelLoss(model.time_steps, model.tau_s, settings.desired_train, recipe.target_filterings)


def default_desired_train(time_steps: int) -> tuple[int, ...]:
    """The reference's desired spike train: 0,1,1,1,1 for T = 5, and 0,1 repeated for T >= 10.

    Raises:
        ValueError: the reference has no train for this T; give one.
    """
    if time_steps == 5:
        return (0, 1, 1, 1, 1)
    if time_steps >= 10:
        return tuple(step % 2 for step in range(time_steps))
    raise ValueError(
        f"time_steps {time_steps}: the reference has a desired train for 5 and for 10 or more; give desired_train, a 0 or 1 for each step"
    )


def _checked_train(desired_train: object, time_steps: int) -> tuple[int, ...]:
    expected = f"a 0 or 1 for each of {time_steps} steps"
    train = listed("desired_train", desired_train, expected)
    spikes = tuple(int(value) for value in train if isinstance(value, (int, float, np.integer, np.floating)) and value in (0, 1))
    if not len(spikes) == len(train) == time_steps:
        raise ValueError(f"desired_train {shown(train)} of {len(train)} entries: expected {expected}")
    return spikes


class KernelLoss:
    """Match a desired spike train: delta = a - target, where the target is zero for all classes but the label.

    Args:
        time_steps: T.
        tau_s: synaptic time constant of the filter, in steps.
        desired_train: a 0 or 1 for each step; None: `default_desired_train`.
        target_filterings: how often the train passes the synapse: 2 in the reference's `2021-03` code (once while it
            builds the target, once in the loss), 1 in `2020-10` and `2020-06`.

    Raises:
        TypeError: an argument of another type.
        ValueError: a train that does not have T steps, or none for this T; a number out of range.

    Example:
        >>> import torch
        >>> loss = KernelLoss(time_steps=5, tau_s=3.0)
        >>> silent = torch.zeros(5, 2, 10)  # T, B, classes: no output neuron fired
        >>> round(loss(silent, torch.tensor([3, 7])).item(), 3)
        0.536
    """

    def __init__(self, time_steps: int, tau_s: float, desired_train: Sequence[int] | None = None, target_filterings: int = 2) -> None:
        time_steps = whole("time_steps", time_steps, 1, MOST_STEPS)
        tau_s = check_time_constant("tau_s", tau_s)
        train = default_desired_train(time_steps) if desired_train is None else _checked_train(desired_train, time_steps)
        target = torch.tensor(train, dtype=torch.float64)[:, None]
        for _ in range(whole("target_filterings", target_filterings, 0, MOST_FILTERINGS)):
            target = synaptic_filter(target, tau_s)
        self.target = target
        """The trace that the label's neuron should have: (T, 1), float64."""

    def __call__(self, trace: Tensor, labels: Tensor) -> Tensor:
        """0.5 sum delta² of a trace.

        Args:
            trace: (T, B, classes), of the output layer.
            labels: (B,), integers.

        Raises:
            TypeError: trace or labels are not tensors.
            ValueError: trace or labels have another shape or dtype, or numbers that cannot be.
        """
        check_trace(trace, len(self.target))
        labels = check_labels(labels, trace.shape[1], trace.shape[2])
        delta = trace.detach().clone()
        delta[:, torch.arange(len(labels), device=trace.device), labels] -= self.target.to(trace)
        return half_squares(trace, delta)
