"""How far an accuracy on a part of the test data goes: the interval that its few samples mean, whatever the seeds agree on."""

import math
from dataclasses import dataclass

from scipy import stats

from tsslbp.report.statistics import CONFIDENCE, Interval


@dataclass(frozen=True)
class Sampling:
    """A part of the test data.

    Attributes:
        samples: how many there are.
        interval: of the mean accuracy after the last epoch on all samples of their kind, percent, 95 %.
    """

    samples: int
    interval: Interval

    @property
    def remark(self) -> str:
        """In words: "100 test samples: one is worth 1.00 points, ..."."""
        low, high = self.interval.low, self.interval.high
        return (
            f"{self.samples:,} test samples: one is worth {100 / self.samples:.2f} points, and by their choice alone "
            f"the last epoch's mean accuracy on all samples of their kind lies in [{low:.2f}, {high:.2f}] (95 %)"
        )


def sampling(accuracy: float, samples: int) -> Sampling:
    """The score interval of a proportion (E. B. Wilson, Journal of the American Statistical Association 22, 1927).

    For the mean over seeds that share the samples it is rather too wide: a mean of several networks varies from sample to sample at most
    as much as right and wrong do. It takes the samples as drawn at random, and the accuracy as of an epoch that was not chosen on them.

    Args:
        accuracy: on the samples, of one network or the mean of several, percent.
        samples: at least 1.
    """
    right, z = accuracy / 100, float(stats.norm.ppf((1 + CONFIDENCE) / 2))
    shrunk = 1 + z**2 / samples
    center = (right + z**2 / (2 * samples)) / shrunk
    half = z / shrunk * math.sqrt(right * (1 - right) / samples + z**2 / (4 * samples**2))
    return Sampling(samples, Interval(100 * max(center - half, 0.0), 100 * min(center + half, 1.0)))
