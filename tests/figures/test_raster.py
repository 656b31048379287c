"""The picture of a recording and of what the network sees of it."""

import io

import numpy as np
import pytest
from matplotlib.image import imread

from tsslbp.figures.raster import SAMPLE, Raster, draw_raster, sample


def shown_raster(neurons):
    rng = np.random.default_rng(0)
    events = np.zeros(200, dtype=[("x", "u1"), ("y", "u1"), ("p", "u1"), ("t", "i4")])
    events["t"], events["x"], events["p"] = np.sort(rng.integers(0, 290_000, 200)), rng.integers(0, 34, 200), rng.integers(0, 2, 200)
    early = events[events["t"] < 87_000]
    binned = np.unique(np.stack([early["t"] // 3000, early["p"], early["y"], early["x"]], axis=1), axis=0)
    return Raster(events, events[:150], binned, {"1": rng.random((30, neurons)) < 0.036}, 3000, "N-MNIST, n = 1, commit abc.")


def test_the_raster_shows_the_time_that_the_network_sees():
    shown = shown_raster(50)
    picture = draw_raster(shown)
    seen = (shown.raw["t"] <= 87_000).sum()
    assert f"first 87 ms: {seen} events, {seen} after stabilizing, {len(shown.binned)} binned" in picture.alt
    assert f"87 ms of {shown.raw['t'].max() / 1000:.0f} ms" in picture.caption and picture.caption.endswith("N-MNIST, n = 1, commit abc.")


def test_the_raster_of_a_large_layer_is_of_a_sample_and_not_black():
    few, many = (imread(io.BytesIO(draw_raster(shown_raster(neurons)).png), format="png")[:, :, :3] for neurons in (SAMPLE, 9216))
    lines = slice(-560, -180)  # the layer's panel
    shares = [float((image[lines] < 0.2).all(axis=2).mean()) for image in (few, many)]
    assert 0.0005 < shares[1] < 0.03
    assert shares[1] == pytest.approx(shares[0], rel=0.6)


def test_a_sample_is_spread_over_the_whole_layer():
    assert list(sample(10)) == list(range(10))
    drawn = sample(9216)
    assert len(drawn) == SAMPLE == len(set(drawn)) and (drawn[0], drawn[-1]) == (0, 9215)
    assert np.diff(drawn).min() >= 9215 // SAMPLE
