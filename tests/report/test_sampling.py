"""What few test samples let an accuracy say: scipy's interval where the right ones can be counted, wider with fewer, and shown."""

import math
import statistics
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tests.support.report_builders import make_run
from tsslbp.report.rows import make_rows
from tsslbp.report.sampling import sampling
from tsslbp.report.statistics import Comparison
from tsslbp.report.texts import results_csv, results_markdown

counts = st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
some = partial(st.lists, min_size=1, max_size=50)


@given(counts)
def test_it_is_scipys_interval(count):
    right, samples = count
    expected = stats.binomtest(right, samples).proportion_ci(0.95, method="wilson")
    found = sampling(100 * right / samples, samples).interval
    assert (found.low, found.high) == pytest.approx((100 * expected.low, 100 * expected.high), abs=1e-6)


@given(st.floats(0, 100), st.integers(1, 5_000))
def test_it_holds_the_accuracy_within_0_and_100_and_shrinks(accuracy, samples):
    few, many = sampling(accuracy, samples).interval, sampling(accuracy, 4 * samples).interval
    assert 0 <= few.low <= accuracy + 1e-9 and accuracy - 1e-9 <= few.high <= 100
    assert many.high - many.low < few.high - few.low


@given(some(st.floats(0, 1)) | some(st.sampled_from([0.0, 1.0])), st.integers(1, 5_000), st.sampled_from([-1, 1]) | st.floats(-1, 1))
def test_the_interval_is_wide_enough_for_the_mean_of_several_networks(shares, samples, off):
    """By `shares` of them each sample of a kind is taken rightly: their mean on drawn samples is off by 1.96 errors at most, in 95 %."""
    error = statistics.pstdev(shares) / math.sqrt(samples)
    mean = statistics.fmean(shares)
    drawn = min(max(mean + 1.959964 * off * error, 0.0), 1.0)
    interval = sampling(100 * drawn, samples).interval
    assert interval.low - 1e-4 <= 100 * mean <= interval.high + 1e-4


def test_the_interval_is_no_wider_where_all_networks_take_the_same_samples():
    """Then they are as one: 1.96 errors of right and wrong reach just to its end."""
    drawn = 0.9 + 1.959964 * math.sqrt(0.9 * 0.1 / 100)
    assert sampling(100 * drawn, 100).interval.low == pytest.approx(90, abs=1e-4)


def test_a_row_on_a_part_of_the_test_data_shows_it_and_others_do_not(base):
    runs = {
        "nmnist-cnn-t30": make_run(base, "nmnist-cnn-t30", plateau=95, spread=0.4, subset=("100 of the 10,000 test recordings",)),
        "mnist-cnn": make_run(base, "mnist-cnn"),
    }
    rows = {row.model: row for row in make_rows(base, runs)}
    row = rows["nmnist-cnn-t30"]
    assert row.comparison == Comparison("too few samples", row.best.mean - base.published["nmnist-cnn-t30"].mean)
    assert not row.is_compared and row.judgement == "too few samples"
    assert rows["mnist-cnn"].is_compared
    assert rows["mnist-cnn"].sampling is None and rows["nmnist-cnn-t100"].sampling is None
    assert row.sampling == sampling(row.final.mean, 100)
    low, high = row.sampling.interval.low, row.sampling.interval.high
    assert (
        f"100 test samples: one is worth 1.00 points, and by their choice alone the last epoch's mean accuracy on all samples of their kind lies in [{low:.2f}, {high:.2f}] (95 %)"
        in row.note
    )
    assert f"{low:.2f}, {high:.2f}" in results_markdown(tuple(rows.values()))
    assert str(high) in results_csv(tuple(rows.values()))
