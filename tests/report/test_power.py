"""Which effects pairs could have shown, against pairs that are drawn with a known effect."""

import numpy as np
import pytest

from tsslbp.report.power import effect_found_mostly
from tsslbp.report.statistics import PairedDifference, paired_difference

REPETITIONS = 4000


def difference_of(values) -> PairedDifference:
    return paired_difference(dict(enumerate(values)), dict.fromkeys(range(len(values)), 0.0))


@pytest.mark.parametrize("pairs", [2, 3, 5, 10, 100])
def test_an_effect_of_that_size_is_found_four_times_in_five(pairs):
    generator = np.random.default_rng(pairs)
    sample = generator.normal(size=pairs)
    sample = (sample - sample.mean()) / sample.std(ddof=1)  # its stddev is the one that is drawn from below
    effect = effect_found_mostly(difference_of(sample))
    drawn = generator.normal(effect, 1, (REPETITIONS, pairs))
    found = [not interval.low < 0 < interval.high for interval in (difference_of(row).interval for row in drawn)]
    assert np.mean(found) == pytest.approx(0.8, abs=0.02)  # three standard errors


@pytest.mark.parametrize("pairs", [3, 5, 10])
def test_it_takes_more_than_the_smallest_difference_that_excludes_zero(pairs):
    difference = difference_of(np.linspace(-1, 1, pairs))
    assert 1.2 < effect_found_mostly(difference) / difference.interval.half_width < 1.5


def test_it_grows_with_the_spread_and_not_with_the_mean():
    values = np.array([0.3, -0.1, 0.4, 0.2])
    assert effect_found_mostly(difference_of(3 * values)) == pytest.approx(3 * effect_found_mostly(difference_of(values)))
    assert effect_found_mostly(difference_of(values + 7)) == pytest.approx(effect_found_mostly(difference_of(values)))


def test_pairs_without_an_interval_could_show_nothing():
    with pytest.raises(ValueError, match="1 pairs have no interval"):
        effect_found_mostly(difference_of([0.3]))
