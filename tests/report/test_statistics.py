"""Intervals against scipy, verdicts against their definition, and bounds against every set of runs that there can be."""

import math
from statistics import fmean, stdev

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from scipy import stats

from tests.support.report_builders import settings
from tsslbp.report.statistics import (
    NO_SPREAD,
    Interval,
    check_published,
    compare,
    optimism,
    paired_difference,
    summarize,
    summarize_accuracies,
    welch_interval,
)
from tsslbp.settings import Published

accuracies = st.integers(0, 10_000).map(lambda hundredths: hundredths / 100)
runs = st.lists(accuracies, min_size=2, max_size=8)


def published(mean: float | None, std: float | None, best: float | None = None, n: int | None = 5) -> Published:
    return Published(mean=mean, std=std, best=best, runs=n)


@given(runs)
def test_summary_is_mean_sample_stddev_best_and_student_interval(values):
    summary = summarize(values)
    assume(stdev(values) > 0)
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert (summary.n, summary.mean, summary.std, summary.best) == (len(values), fmean(values), stdev(values), max(values))
    assert (summary.interval.low, summary.interval.high) == pytest.approx((expected.low, expected.high))


def test_one_run_has_no_spread_and_none_is_refused():
    assert (summarize([89.5]).std, summarize([89.5]).interval, summarize([89.5]).best) == (None, None, 89.5)
    with pytest.raises(ValueError, match="at least one run"):
        summarize([])


def test_runs_that_agree_to_the_last_image_give_no_interval():
    assert (summarize([99.41, 99.41]).std, summarize([99.41, 99.41]).interval) == (0.0, None)
    assert paired_difference({0: 99.32, 1: 99.41}, {0: 99.37, 1: 99.46}).interval is None
    assert summarize([99.41] * 9 + [99.42]).interval is not None


@given(runs)
@example([99.9, 100.0])
@example([0.0, 0.3])
def test_an_interval_of_accuracies_stays_within_0_and_100(values):
    assume(stdev(values) > 0)
    whole, cut = summarize(values).interval, summarize_accuracies(values).interval
    assert 0 <= cut.low <= fmean(values) <= cut.high <= 100
    assert (cut.low, cut.high) == (max(0.0, whole.low), min(100.0, whole.high))


@pytest.mark.filterwarnings("ignore:Precision loss")  # scipy, of runs that hardly differ
@given(runs, runs)
def test_difference_is_welchs(ours, theirs):
    assume(stdev(ours) > 0.01 or stdev(theirs) > 0.01)
    interval = welch_interval(fmean(ours) - fmean(theirs), stdev(ours), len(ours), stdev(theirs), len(theirs))
    expected = stats.ttest_ind(ours, theirs, equal_var=False).confidence_interval(0.95)
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_runs_without_any_spread_still_have_an_interval():
    assert welch_interval(0.5, 0.0, 5, 0.0, 5).low == 0.5
    assert welch_interval(0.5, 1e-200, 5, 0.0, 5).high == pytest.approx(0.5)


@given(runs, accuracies, st.floats(0, 1))
def test_verdict_follows_from_where_zero_lies(values, mean, std):
    result = compare(values, published(mean, std))
    assert result.difference == pytest.approx(fmean(values) - mean)
    if stdev(values) < NO_SPREAD:
        assert (result.verdict, result.interval) == ("too few runs", None)
        return
    expected = "higher" if result.interval.low > 0 else "lower" if result.interval.high < 0 else "consistent"
    assert result.verdict == expected


@pytest.mark.parametrize(
    ("values", "row", "verdict"),
    [
        ([], published(99.5, 0.02), "not run"),
        ([], None, "not run"),
        ([99.5], published(99.5, 0.02), "too few runs"),
        ([99.5, 99.6], None, "nothing published"),
        ([99.5, 99.6], published(None, None, None, None), "nothing published"),
        ([99.5], None, "nothing published"),
        ([99.5, 99.6], published(None, None, 91.41, None), "too few runs"),
        ([99.5, 99.6], published(99.5, None), "too few runs"),
        ([99.5, 99.6], published(99.5, 0.02, n=1), "too few runs"),
        ([99.45, 99.45, 99.45], published(99.5, 0.02), "too few runs"),  # as if the mean were known exactly
        ([99.45, 99.45, 99.46], published(99.5, 0.02), "lower"),
        ([99.48, 99.50, 99.52, 99.49, 99.51], published(99.5, 0.02), "consistent"),
        ([99.58, 99.60, 99.62, 99.59, 99.61], published(99.5, 0.02), "higher"),
        ([99.38, 99.40, 99.42, 99.39, 99.41], published(99.5, 0.02), "lower"),
    ],
)
def test_verdicts(values, row, verdict):
    assert compare(values, row).verdict == verdict


def test_a_verdict_on_the_edge_says_that_it_hinges_on_rounding():
    runs = [99.45, 99.46, 99.47, 99.46, 99.46]
    edge = compare(runs, published(99.485, 0.02)).interval
    on_edge, far_off = published(99.485 - edge.high, 0.02), published(99.3, 0.02)
    assert compare(runs, on_edge).hinges_on_rounding
    assert not compare(runs, far_off).hinges_on_rounding


@given(st.dictionaries(st.integers(0, 9), accuracies, min_size=1), st.floats(-5, 5))
def test_a_constant_gain_is_found_exactly(baseline, gain):
    better = {seed: value + gain for seed, value in baseline.items()}
    paired = paired_difference(better, {**baseline, 99: 50.0})
    assert paired.seeds == tuple(sorted(baseline))
    assert paired.mean == pytest.approx(gain, abs=1e-9)
    assert paired.interval is None, "what the pairs do not differ in tells nothing of how far another pair would be"


def test_paired_interval_is_that_of_a_paired_t_test():
    a, b = {0: 89.5, 1: 89.9, 2: 90.2}, {2: 90.0, 1: 89.5, 0: 89.4}
    expected = stats.ttest_rel([89.5, 89.9, 90.2], [89.4, 89.5, 90.0]).confidence_interval(0.95)
    assert paired_difference(a, b).interval.low == pytest.approx(expected.low)
    assert paired_difference(b, a).interval.low == pytest.approx(-expected.high)


def test_pairs_need_a_common_seed():
    with pytest.raises(ValueError, match=r"no seed in common: \[0\] and \[1\]"):
        paired_difference({0: 1.0}, {1: 1.0})


@given(st.lists(st.floats(0, 100), min_size=2, max_size=8))
@example([90.0, 90.0, 90.0, 90.0, 91.0])
@example([91.0, 91.0, 91.0, 91.0, 90.0])
@example([90.0, 90.0])
def test_numbers_of_real_runs_always_pass_the_check(values):
    printed = published(round(fmean(values), 2), round(stdev(values), 2), round(max(values), 2), len(values))
    assert check_published(printed).possible


@pytest.mark.parametrize(("n", "best"), [(2, 90.9), (5, 92.2), (5, 90.2)])
def test_the_check_refuses_what_no_runs_can_give(n, best):
    """(n - 1) / sqrt(n) stddevs are the most, 1 / sqrt(n) the least: 90.71 for two, 90.45 to 91.79 for five, rounding aside."""
    row = published(90.0, 1.0, best, n)
    assert not check_published(row).possible
    assert check_published(row.model_copy(update={"best": 90.0 + (n - 1) / math.sqrt(n)})).possible


def test_of_the_published_rows_one_contradicts_itself():
    checks = {key: check_published(row) for key, row in settings().published.items()}
    assert {key for key, check in checks.items() if check and not check.possible} == {"fashion-mlp"}
    assert {key for key, check in checks.items() if check is None} == {"cifar10-wide"}
    assert checks["fashion-mlp"].allowed.high < 89.83


def test_optimism_is_the_mean_gain_over_the_last_epoch():
    assert optimism([90.0, 92.0], [89.0, 91.5]) == pytest.approx(0.75)
    with pytest.raises(ValueError):
        optimism([90.0], [])


@pytest.mark.parametrize(("low", "side"), [(-0.1, None), (0.004, None), (0.006, "above")])
def test_an_end_that_is_printed_as_zero_is_not_beyond_zero(low, side):
    assert Interval(low, 0.2).side == side
    assert Interval(-0.2, -low).side == (side and "below")
