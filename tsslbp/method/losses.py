"""The two losses of the reference: 0.5 times the sum of squares over batch, classes and steps.

Both take the output layer's trace (T, B, classes) and labels (B,), and return a scalar. Source: the authors' code and
arXiv 2002.10085, section 3.2.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from tsslbp.method.neuron.lif import synaptic_filter


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


class KernelLoss:
    """Match a desired spike train: delta = a - target, where the target is zero for all classes but the label.

    Args:
        time_steps: T.
        tau_s: synaptic time constant of the filter, in steps.
        desired_train: a 0 or 1 for each step; None: `default_desired_train`.
        target_filterings: how often the train passes the synapse: 2 in the reference's `2021-03` code (once while it
            builds the target, once in the loss), 1 in `2020-10`.

    Raises:
        ValueError: a train that does not have T steps, or none for this T.
    """

    def __init__(self, time_steps: int, tau_s: float, desired_train: Sequence[int] | None = None, target_filterings: int = 2) -> None:
        train = default_desired_train(time_steps) if desired_train is None else tuple(desired_train)
        if len(train) != time_steps or not set(train) <= {0, 1}:
            raise ValueError(f"desired_train {list(train)}: expected a 0 or 1 for each of {time_steps} steps")
        if target_filterings < 0:
            raise ValueError(f"target_filterings {target_filterings}: must not be negative")
        target = torch.tensor(train, dtype=torch.float64)[:, None]
        for _ in range(target_filterings):
            target = synaptic_filter(target, tau_s)
        self.target = target
        """What the label's neuron should hand on: (T, 1), float64."""

    def __call__(self, trace: Tensor, labels: Tensor) -> Tensor:
        """0.5 sum delta² of a trace (T, B, classes)."""
        if len(trace) != len(self.target):
            raise ValueError(f"trace of {len(trace)} steps: the loss was made for {len(self.target)}")
        label = functional.one_hot(labels, trace.shape[-1]).to(trace.dtype)
        return 0.5 * (trace - self.target.to(trace)[..., None] * label).square().sum()


class CountLoss:
    """Match desired spike counts: delta = (sum over t of a - c)/T, where c is `desired` for the label, else `undesired`.

    A label that has more than it should, or another class that has less, is left alone (delta = 0). Every step's
    gradient is delta, and delta² counts once a step.

    Args:
        desired: count for the label's neuron.
        undesired: count for the others.
    """

    def __init__(self, desired: float, undesired: float) -> None:
        self.desired, self.undesired = desired, undesired

    def __call__(self, trace: Tensor, labels: Tensor) -> Tensor:
        """0.5 T sum delta² of a trace (T, B, classes): its derivative by a[t] is delta at every step."""
        label = functional.one_hot(labels, trace.shape[-1]).bool()
        total = trace.sum(0)
        below = ((total - self.desired) / len(trace)).clamp(max=0)
        above = ((total - self.undesired) / len(trace)).clamp(min=0)
        return 0.5 * len(trace) * torch.where(label, below, above).square().sum()
