"""Which effects a comparison could have shown."""

from scipy import optimize, stats

from tsslbp.report.statistics import CONFIDENCE, PairedDifference

MOSTLY = 0.8
"""How often an effect is to be found; the usual choice (J. Cohen, Statistical Power Analysis for the Behavioral Sciences, 1988)."""


def effect_found_mostly(difference: PairedDifference) -> float:
    """The true mean difference, in points, for which the interval of as many pairs lies on its side of zero in 80 of 100 repetitions.

    By the noncentral t distribution, which takes the stddev of these pairs for the true one. It is above half the interval: a true
    effect of just that size is found little more often than every second time.

    Raises:
        ValueError: the pairs have no interval.
    """
    if difference.interval is None:
        raise ValueError(f"{len(difference.values)} pairs have no interval; at least two that differ are needed")
    pairs = len(difference.values)
    reach = float(stats.t.ppf((1 + CONFIDENCE) / 2, pairs - 1))
    shift = float(optimize.brentq(lambda shift: stats.nct.sf(reach, pairs - 1, shift) - MOSTLY, 0, 2 * reach))  # in standard errors
    return shift * difference.interval.half_width / reach
