"""The constants of TSSL-BP neurons and the backward rules they can follow, each a state of the authors' code or an ablation."""

import math
from dataclasses import dataclass

from tsslbp.arguments import POSITIVE, choice, number

POOLING_GAIN = 1.1
"""The reference sums over a pooling window and multiplies by this; no source is given there."""
SURROGATE_WIDTH = 0.2
"""Width of the warm-up's sigmoid, in units of the potential (reference code)."""
SURROGATE_LIMIT = 8.0
"""The sigmoid's argument is clamped to this (reference code)."""
BUSY_RATE = 0.1
"""`2020-10`: a layer that fires at most this often, per neuron and step, learns through the surrogate."""


@dataclass(frozen=True)
class GradientRule:
    """Which backward rule a neuron follows.

    Attributes:
        first_state: the rule of the `2020-10` and `2020-06` code, else that of `2021-03`.
        quiet_below: a neuron learns through the surrogate where a[t] is below this times 1/tau_s (`2021-03` only).
        intra: whether a spike gets, through its own reset, gradient from the spikes after it.
        sensitivity_limit: largest |1 / (u[t] - v[t-1])|.
    """

    first_state: bool = False
    quiet_below: float = 0.25
    intra: bool = True
    sensitivity_limit: float = 8.0


GRADIENTS = {
    "2021-03": GradientRule(),
    "2020-10": GradientRule(first_state=True, sensitivity_limit=10.0),
    "2020-06": GradientRule(first_state=True, intra=False, sensitivity_limit=10.0),
    "surrogate": GradientRule(quiet_below=math.inf),
    "no-warmup": GradientRule(quiet_below=0.0),
    "no-intra": GradientRule(intra=False),
}


@dataclass(frozen=True)
class Neuron:
    """The constants of a layer's neurons: time constants in steps (at least 1), threshold (above 0), gradient rule.

    Raises:
        TypeError: a constant that is not a number.
        ValueError: a constant out of range or an unknown rule.
    """

    tau_m: float
    tau_s: float
    threshold: float = 1.0
    gradient: str = "2021-03"

    def __post_init__(self) -> None:
        # As floats: an int beyond 64 bits is more than a tensor can be compared with.
        object.__setattr__(self, "tau_m", check_time_constant("tau_m", self.tau_m))
        object.__setattr__(self, "tau_s", check_time_constant("tau_s", self.tau_s))
        object.__setattr__(self, "threshold", number("threshold", self.threshold, "positive and finite", POSITIVE))
        choice("gradient", self.gradient, GRADIENTS)

    @property
    def rule(self) -> GradientRule:
        """The backward rule that `gradient` names."""
        return GRADIENTS[self.gradient]


def check_time_constant(name: str, value: object) -> float:
    """Return a time constant, in steps, as a float once it is found to be finite and at least 1.

    Raises:
        TypeError: it is not a number.
        ValueError: it lies outside.
    """
    return number(name, value, "finite and at least 1 step, or what decays would alternate in sign", low=1)
