"""What a few runs say about an accuracy, and how they stand to a published row. Pure functions; accuracies in percent.

Means, sample standard deviations (n - 1) and Student intervals assume runs that are independent and roughly normal. Five
runs cannot show whether they are, so an interval here is an indication, not a proof.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from statistics import fmean, stdev
from typing import Literal

from scipy import stats

from tsslbp.settings import Published

Verdict = Literal["consistent", "higher", "lower", "too few samples", "too few runs", "nothing published", "not run"]
VERDICTS: tuple[Verdict, ...] = ("consistent", "higher", "lower", "too few samples", "too few runs", "nothing published", "not run")

CONFIDENCE = 0.95
HALF_UNIT = 0.005
"""Published accuracies have two decimals: what was rounded lies at most this far from what was printed."""
NO_SPREAD = 1e-6
"""A stddev below it, in points, is the rounding of floats: one test image more or less is thousands of times as much."""


@dataclass(frozen=True)
class Interval:
    """A closed interval, in percent or points."""

    low: float
    high: float

    @property
    def side(self) -> Literal["above", "below"] | None:
        """On which side of zero it lies; None where zero is in it, or an end is printed as 0.00: less than one test image of ten thousand."""
        return "above" if self.low >= HALF_UNIT else "below" if self.high <= -HALF_UNIT else None

    @property
    def half_width(self) -> float:
        """Of an interval around a difference: the smallest difference that it would have told from zero."""
        return (self.high - self.low) / 2


NO_BOUNDS = Interval(-math.inf, math.inf)
PERCENT = Interval(0.0, 100.0)


@dataclass(frozen=True)
class Summary:
    """Some runs in a few numbers. `std` (n - 1) and the mean's 95 % `interval` are None for a single run.

    Runs that agree to the last image have no interval, either: it would have no width, as if the mean were known exactly.
    """

    n: int
    mean: float
    std: float | None
    best: float
    interval: Interval | None


@dataclass(frozen=True)
class Comparison:
    """Our mean minus the published one, in points, its 95 % Welch interval, and what follows from it.

    Attributes:
        verdict: "consistent" where the interval contains 0.
        difference: None where there is no mean on one side.
        interval: None where a side has fewer than two runs or no stddev, and where our runs agree to the last image, as in `Summary`.
        hinges_on_rounding: whether other values, printed as the same two decimals, would have changed the verdict.
    """

    verdict: Verdict
    difference: float | None = None
    interval: Interval | None = None
    hinges_on_rounding: bool = False


@dataclass(frozen=True)
class PairedDifference:
    """Mean of a - b over the seeds that both have, in points; `interval` is None for a single seed, or where all pairs agree."""

    seeds: tuple[int, ...]
    values: tuple[float, ...]
    mean: float
    interval: Interval | None


@dataclass(frozen=True)
class CellCheck:
    """Whether the best of n runs can belong to their mean and stddev.

    Attributes:
        best: as published.
        allowed: every best that some unrounded mean, stddev and best would let pass, widest case, in percent.
        possible: whether `best` lies in there.
    """

    best: float
    allowed: Interval
    possible: bool


def summarize(values: Sequence[float], bounds: Interval = NO_BOUNDS) -> Summary:
    """Mean, sample stddev, best and the mean's 95 % Student interval, cut where it would leave `bounds`.

    Raises:
        ValueError: there are no values.
    """
    if not values:
        raise ValueError("no values to summarize; at least one run is needed")
    mean = fmean(values)
    if len(values) == 1:
        return Summary(1, mean, None, values[0], None)
    std = stdev(values)
    if std < NO_SPREAD:
        return Summary(len(values), mean, std, max(values), None)
    interval = _student_interval(mean, std / math.sqrt(len(values)), len(values) - 1)
    return Summary(len(values), mean, std, max(values), Interval(max(interval.low, bounds.low), min(interval.high, bounds.high)))


def summarize_accuracies(values: Sequence[float]) -> Summary:
    """The same for accuracies in percent: the interval is cut at 0 and 100.

    A true mean accuracy lies in there, so the cut interval covers it exactly as often as the whole one.
    """
    return summarize(values, PERCENT)


def compare(values: Sequence[float], published: Published | None) -> Comparison:
    """Set runs beside a published row by Welch's unequal-variance interval (B. L. Welch, Biometrika 34, 1947).

    The interval takes the published numbers as printed, so that anyone can recompute it. Their rounding is looked at
    separately: a small printed stddev such as 0.02 may stand for anything from 0.015 to 0.025.
    """
    if not values:
        return Comparison("not run")
    ours = summarize(values)
    if published is None or (published.mean is None and published.best is None):
        return Comparison("nothing published")
    if published.mean is None:
        return Comparison("too few runs")
    difference = ours.mean - published.mean
    if ours.std is None or ours.std < NO_SPREAD or published.std is None or published.runs is None or published.runs < 2:
        return Comparison("too few runs", difference)
    std, runs = published.std, published.runs
    interval = welch_interval(difference, ours.std, ours.n, std, runs)
    verdict = _verdict(interval)
    nearby = (
        _verdict(welch_interval(difference + shift, ours.std, ours.n, max(0.0, std + change), runs))
        for shift, change in product((-HALF_UNIT, HALF_UNIT), repeat=2)
    )
    return Comparison(verdict, difference, interval, any(other != verdict for other in nearby))


def welch_interval(difference: float, std_a: float, n_a: int, std_b: float, n_b: int) -> Interval:
    """95 % interval of a difference of two means; both `n` at least 2, stddevs with n - 1."""
    variance_a, variance_b = std_a**2 / n_a, std_b**2 / n_b
    variance = variance_a + variance_b
    if variance == 0:
        return Interval(difference, difference)
    # Welch-Satterthwaite, in shares of the variance: their squares cannot underflow to 0 / 0
    share_a, share_b = variance_a / variance, variance_b / variance
    freedom = 1 / (share_a**2 / (n_a - 1) + share_b**2 / (n_b - 1))
    return _student_interval(difference, math.sqrt(variance), freedom)


def paired_difference(a: Mapping[int, float], b: Mapping[int, float]) -> PairedDifference:
    """Mean of a - b seed by seed, with its 95 % Student interval: what the seeds share cancels out.

    Args:
        a: accuracy in percent by seed.
        b: the same for what `a` is compared with; seeds that only one side has are left out.

    Raises:
        ValueError: no seed is in both.
    """
    seeds = tuple(sorted(a.keys() & b.keys()))
    if not seeds:
        raise ValueError(f"no seed in common: {sorted(a)} and {sorted(b)}; paired differences need runs of the same seeds")
    values = tuple(a[seed] - b[seed] for seed in seeds)
    summary = summarize(values)
    return PairedDifference(seeds, values, summary.mean, summary.interval)


def reach(n: int) -> float:
    """How many standard errors the 95 % Student interval of a mean of n values, at least 2, reaches to either side."""
    return float(stats.t.ppf((1 + CONFIDENCE) / 2, n - 1))


def check_published(published: Published) -> CellCheck | None:
    """Whether a published best can belong to its mean and stddev, whatever the runs were; None where a number is missing.

    Of n values with sample stddev s the largest lies at least s / sqrt(n) above the mean (all others equal to it, one
    low) and at most (n - 1) s / sqrt(n) (all others equal, one high: Samuelson's inequality). All three numbers are
    known to two decimals; the bounds take the most generous values that round to what is printed.
    """
    mean, std, best, runs = published.mean, published.std, published.best, published.runs
    if mean is None or std is None or best is None or runs is None or runs < 2:
        return None
    lowest = mean - HALF_UNIT + max(0.0, std - HALF_UNIT) / math.sqrt(runs)
    highest = mean + HALF_UNIT + (runs - 1) * (std + HALF_UNIT) / math.sqrt(runs)
    allowed = Interval(lowest - HALF_UNIT, highest + HALF_UNIT)
    rounding_of_floats = 1e-9
    return CellCheck(best, allowed, allowed.low - rounding_of_floats <= best <= allowed.high + rounding_of_floats)


def optimism(best: Sequence[float], final: Sequence[float]) -> float:
    """Mean of best - final over runs, in points: what choosing the epoch on test data was worth.

    Raises:
        ValueError: the lengths differ, or there are no runs.
    """
    return fmean(b - f for b, f in zip(best, final, strict=True))


def _student_interval(center: float, error: float, freedom: float) -> Interval:
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, freedom)) * error
    return Interval(center - half, center + half)


def _verdict(interval: Interval) -> Verdict:
    if interval.low > 0:
        return "higher"
    return "lower" if interval.high < 0 else "consistent"
