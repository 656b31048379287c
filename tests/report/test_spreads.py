"""How runs spread beside published ones: against scipy's law, by chance as often as promised, and generous about rounding."""

from statistics import stdev

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tsslbp.report.spreads import compare_spreads, least_std
from tsslbp.report.statistics import check_published, summarize
from tsslbp.settings import Published


def published(std: float | None, runs: int | None = 5) -> Published:
    return Published(mean=89.75, std=std, best=None, runs=runs)


RUNS = [89.6, 89.9, 89.7, 90.1, 89.8]


def test_a_ratio_excludes_one_where_the_test_of_variances_does():
    for std in (0.05, 0.06, 0.07, 0.3, 0.6, 0.7, 1.0):
        found = compare_spreads(summarize(RUNS), published(std))
        f = (stdev(RUNS) / std) ** 2
        p = 2 * min(stats.f.cdf(f, 4, 4), stats.f.sf(f, 4, 4))
        assert found.ratio == pytest.approx(stdev(RUNS) / std)
        assert (found.interval.low <= 1 <= found.interval.high) == (p >= 0.05)


@given(st.floats(0.01, 1), st.integers(2, 9), st.integers(2, 9))
def test_whichever_side_is_published_the_interval_is_the_same_turned_round(std, n, runs):
    values = [float(value) for value in range(n)]
    one = compare_spreads(summarize(values), published(std, runs)).interval
    factor = std / stdev([float(value) for value in range(runs)])
    other = compare_spreads(summarize([factor * value for value in range(runs)]), published(stdev(values), n)).interval
    assert (one.low, one.high) == pytest.approx((1 / other.high, 1 / other.low))


def test_runs_of_equal_spread_are_told_apart_in_one_of_twenty():
    draws = np.random.default_rng(0).normal(size=(2000, 2, 5))
    found = [compare_spreads(summarize(list(a)), published(stdev(b))).interval for a, b in draws]
    assert 0.035 < np.mean([not each.low <= 1 <= each.high for each in found]) < 0.065


@pytest.mark.parametrize(
    ("std", "verdict"), [(0.02, "wider"), (0.05, "wider"), (0.06, "like"), (0.3, "like"), (0.6, "like"), (0.61, "narrower")]
)
def test_a_verdict_holds_for_every_stddev_that_is_printed_alike(std, verdict):
    """Of five runs and five, the interval excludes 1 from a ratio of 3.10 on: for RUNS below 0.062 and above 0.596, give or take 0.005."""
    assert compare_spreads(summarize(RUNS), published(std)).verdict == verdict


def test_nothing_is_said_without_two_spreads():
    some = summarize(RUNS)
    assert compare_spreads(None, published(0.03)) is None
    assert compare_spreads(summarize([89.6]), published(0.03)) is None
    assert compare_spreads(summarize([89.6, 89.6]), published(0.03)) is None
    assert [compare_spreads(some, published(*pair)) for pair in ((None, 5), (0.0, 5), (0.03, None), (0.03, 1))] == [None] * 4


def test_the_least_stddev_is_where_a_published_best_becomes_possible():
    cell = Published(mean=89.75, std=0.03, best=89.92, runs=5)
    least = least_std(cell)
    for std, possible in ((least - 0.006, False), (least, True)):
        assert check_published(cell.model_copy(update={"std": std})).possible == possible
    assert [least_std(cell.model_copy(update={"best": best})) for best in (89.80, 89.70, None)] == [None] * 3
