"""The animation of a recording: a frame per step, small, the same bytes each time, with every spike in its place."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support.paths import ROOT
from tsslbp.figures.animation import draw_animation, layer_maps, sensor_frames
from tsslbp.figures.raster import Raster
from tsslbp.figures.raster_file import FILE_NAME, load_raster


def raster(steps: int = 4) -> Raster:
    """Two events and a few spikes, in layers of a convolution, a dense layer and three classes."""
    events = np.zeros(2, dtype=[("x", "i2"), ("y", "i2"), ("p", "u1"), ("t", "i4")])
    events["x"], events["y"], events["p"], events["t"] = [1, 7], [2, 5], [1, 0], [0, 3000]
    binned = np.array([[0, 1, 2, 1], [1, 0, 5, 7]])
    layers = {"1: 2C3": np.zeros((steps, 2 * 3 * 4), bool), "2: 6": np.ones((steps, 6), bool), "3: out": np.eye(steps, 3, dtype=bool)}
    layers["1: 2C3"][1, 12 + 5] = True  # the second channel's second row, second column
    return Raster(events, events, binned, layers, 3000, "Made up.")


def test_events_are_where_and_when_they_were():
    frames = sensor_frames(raster())
    assert frames.shape == (4, 8, 8)
    assert (frames[0, 2, 1], frames[1, 5, 7], frames.astype(bool).sum()) == (2, 1, 2)


def test_a_spike_is_in_its_channels_tile_and_pale_one_step_later():
    maps = layer_maps("1: 2C3", raster().layers["1: 2C3"])
    assert maps.shape == (4, 4, 2 * 5)  # two tiles of 3 x 4 with a margin, side by side
    assert [maps[step, 1, 5 + 1] for step in range(4)] == [0, 2, 1, 0]
    assert np.count_nonzero(maps) == 2


def test_dense_layers_are_laid_out_in_a_rectangle():
    maps = layer_maps("2: 6", np.ones((1, 6), bool))
    assert (maps[0] == 2).sum() == 6
    assert maps.shape == (1, 3, 4)


def test_it_has_a_frame_per_step_and_equal_rasters_give_equal_bytes():
    first = draw_animation(raster())
    assert first == draw_animation(raster())
    with Image.open(io.BytesIO(first)) as image:
        assert (image.format, image.n_frames, image.info["loop"]) == ("GIF", 4, 0)


@pytest.mark.slow
def test_the_committed_one_is_of_the_committed_raster_and_at_most_a_megabyte():
    path = ROOT / "reports/figures/recording.gif"
    shown = load_raster(ROOT / "reports" / FILE_NAME)
    assert path.stat().st_size <= 1_000_000
    with Image.open(path) as image:
        assert image.n_frames == len(next(iter(shown.layers.values())))
        colors = {tuple(map(int, color)) for frame in range(image.n_frames) for color in _colors(image, frame)}
    blue, vermillion = (0x00, 0x72, 0xB2), (0xD5, 0x5E, 0x00)
    for wanted in (blue, vermillion):
        assert min(max(abs(a - b) for a, b in zip(color, wanted, strict=True)) for color in colors) < 24


def _colors(image: Image.Image, frame: int) -> np.ndarray:
    image.seek(frame)
    return np.unique(np.asarray(image.convert("RGB")).reshape(-1, 3), axis=0)


@pytest.mark.parametrize("page", ["README.md"])
def test_a_page_shows_it(page):
    assert "(reports/figures/recording.gif)" in Path(ROOT / page).read_text()
