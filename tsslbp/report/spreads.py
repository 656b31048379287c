"""Whether runs differ from each other as much as the published ones do: a ratio of standard deviations and its interval."""

import math
from dataclasses import dataclass
from typing import Literal

from scipy import stats

from tsslbp.report.statistics import CONFIDENCE, HALF_UNIT, Interval, Summary, check_published
from tsslbp.settings import Published

Spread = Literal["like", "wider", "narrower"]


@dataclass(frozen=True)
class SpreadRatio:
    """Our stddev over the published one, as printed.

    Attributes:
        ratio: without a unit.
        interval: the ratio's, 95 %.
        verdict: "like" where the interval contains 1, or would for another stddev that is printed as the published one.
    """

    ratio: float
    interval: Interval
    verdict: Spread


def compare_spreads(ours: Summary | None, published: Published) -> SpreadRatio | None:
    """Set the spread of runs beside the published one by the F distribution of a ratio of variances (R. A. Fisher, 1924).

    It assumes independent, normal runs, and is more sensitive to that than an interval of means: a hint, no proof.

    Returns:
        None where a side has fewer than two runs, no stddev, or one of zero.
    """
    std, runs = published.std, published.runs
    if ours is None or not ours.std or not std or runs is None or runs < 2:
        return None
    return SpreadRatio(ours.std / std, _interval(ours.std / std, ours.n, runs), _verdict(ours.std, ours.n, std, runs))


def least_std(published: Published) -> float | None:
    """The smallest stddev with which the published best can be one of the runs (Samuelson's inequality); None where the printed one is enough."""
    check = check_published(published)
    if check is None or check.possible or published.mean is None or published.runs is None or check.best < published.mean:
        return None
    return (check.best - published.mean - 2 * HALF_UNIT) * math.sqrt(published.runs) / (published.runs - 1)


def _verdict(ours: float, n: int, std: float, runs: int) -> Spread:
    if _interval(ours / (std + HALF_UNIT), n, runs).low > 1:
        return "wider"
    return "narrower" if std > HALF_UNIT and _interval(ours / (std - HALF_UNIT), n, runs).high < 1 else "like"


def _interval(ratio: float, n: int, runs: int) -> Interval:
    low, high = (float(stats.f.ppf(tail, n - 1, runs - 1)) for tail in ((1 + CONFIDENCE) / 2, (1 - CONFIDENCE) / 2))
    return Interval(ratio / math.sqrt(low), ratio / math.sqrt(high))
