"""What the pictures claim, what they show, and that the same runs give the same bytes."""

import io
import struct

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.image import imread
from tsslbp.report.figures.canvas import BLUE, DOTS_PER_INCH, WIDTH_INCHES
from tsslbp.report.figures.curves import confusion_matrix, firing_rates, learning_curves
from tsslbp.report.figures.event_raster import raster
from tsslbp.report.figures.forest import ablation, comparison
from tsslbp.report.figures.recording import Recording

from tests.report_builders import make_run, mixed_runs, settings
from tsslbp.report.rows import make_rows
from tsslbp.report.statistics import paired_difference


@pytest.fixture(scope="module")
def runs():
    return mixed_runs(settings())


@pytest.fixture(scope="module")
def rows(runs):
    return {row.model: row for row in make_rows(settings(), runs)}


@pytest.fixture
def drawn(monkeypatch):
    """Every line that is plotted: label -> (x, y)."""
    lines = {}
    plot = Axes.plot

    def spy(self, x, y, *args, **kwargs):
        lines[kwargs.get("label")] = (np.asarray(x), np.asarray(y))
        return plot(self, x, y, *args, **kwargs)

    monkeypatch.setattr(Axes, "plot", spy)
    return lines


def pixels(picture):
    return imread(io.BytesIO(picture.png), format="png")


def text_chunks(png: bytes) -> list[bytes]:
    """The names of a PNG's chunks that carry text or a time."""
    found, position = [], 8
    while position < len(png):
        (length,) = struct.unpack(">I", png[position : position + 4])
        found.append(png[position + 4 : position + 8])
        position += length + 12
    return [name for name in found if name in (b"tEXt", b"iTXt", b"zTXt", b"tIME")]


@pytest.mark.parametrize("draw", [learning_curves, confusion_matrix, firing_rates])
def test_a_picture_names_its_data_runs_and_commit(runs, rows, draw):
    picture = draw(runs["nmnist-cnn-t30"][0], rows["nmnist-cnn-t30"])
    row = rows["nmnist-cnn-t30"]
    for fact in ("N-MNIST", "n = 2 seeds", "12 epochs", "1,000 of the 60,000", row.origin.git_commit[:10], row.origin.data_checksum[:10]):
        assert fact in picture.caption
    assert picture.name.endswith("nmnist-cnn-t30") and picture.alt
    assert pixels(picture).shape[:2] == (picture.height, picture.width)
    assert picture.width == WIDTH_INCHES * DOTS_PER_INCH


def test_the_same_runs_give_the_same_bytes_whatever_the_users_style(runs, rows):
    key = "fashion-mlp"
    plain = learning_curves(runs[key][0], rows[key])
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "black"}):
        styled = learning_curves(runs[key][0], rows[key])
        assert mpl.rcParams["font.size"] == 30
    assert plain.png == styled.png
    assert text_chunks(plain.png) == []


def test_learning_curve_is_the_mean_over_seeds_with_each_best_epoch(runs, rows, drawn):
    record = runs["mnist-cnn"][0]
    learning_curves(record, rows["mnist-cnn"])
    accuracies = np.array([[epoch.test_accuracy for epoch in seed.history] for seed in record.seeds])
    epochs, mean = drawn["mean of seeds"]
    assert list(epochs) == list(range(1, 101))
    np.testing.assert_allclose(mean, accuracies.mean(axis=0))
    best_epochs, bests = drawn["best epoch of a seed"]
    np.testing.assert_array_equal(bests, accuracies.max(axis=1))
    np.testing.assert_array_equal(best_epochs, accuracies.argmax(axis=1) + 1)


def test_uneven_seeds_are_averaged_as_far_as_all_got(rows, drawn):
    long, _ = make_run(settings(), "mnist-cnn", epochs=9)
    short, _ = make_run(settings(), "mnist-cnn", epochs=4)
    learning_curves(long.model_copy(update={"seeds": (long.seeds[0], short.seeds[1])}), rows["mnist-cnn"])
    assert len(drawn["mean of seeds"][0]) == 4


def test_one_epoch_of_one_seed_can_be_drawn(runs):
    record, provenance = make_run(settings(), "cifar10-wide", seeds=(0,), epochs=1)
    row = next(row for row in make_rows(settings(), {"cifar10-wide": (record, provenance)}) if row.model == "cifar10-wide")
    for draw in (learning_curves, firing_rates, confusion_matrix):
        assert draw(record, row).png.startswith(b"\x89PNG")


def test_confusion_sums_the_seeds_and_names_the_worst_mistake(runs, rows):
    record = runs["fashion-mlp"][0]
    matrix = np.eye(10, dtype=int) * 90
    matrix[4, 2] = 10
    seeds = tuple(
        record.seeds[0].model_copy(update={"confusion": tuple(map(tuple, confusion))})
        for confusion in (matrix, np.eye(10, dtype=int) * 100)
    )
    picture = confusion_matrix(record.model_copy(update={"seeds": seeds}), rows["fashion-mlp"])
    assert "takes coat for pullover, 5.0 percent" in picture.alt


def test_confusion_can_be_drawn_where_a_class_has_no_samples(runs, rows):
    record = runs["fashion-mlp"][0]
    empty = record.seeds[0].model_copy(update={"confusion": ((0,) * 10,) * 10})
    assert confusion_matrix(record.model_copy(update={"seeds": (empty,)}), rows["fashion-mlp"]).png


def test_firing_rates_show_every_layer_under_its_notation(runs, rows, drawn):
    record = runs["mnist-cnn"][0]
    picture = firing_rates(record, rows["mnist-cnn"])
    assert set(drawn) == {"1: 15C5", "2: 40C5", "3: 300", "4: out"}
    last = np.mean([seed.history[-1].firing_rates for seed in record.seeds], axis=0)
    assert ", ".join(f"{rate:.3f}" for rate in last) in picture.alt


def test_without_firing_rates_there_is_no_picture_of_them(runs, rows):
    record = runs["fashion-mlp"][0]
    silent = [
        seed.model_copy(update={"history": tuple(epoch.model_copy(update={"firing_rates": ()}) for epoch in seed.history)})
        for seed in record.seeds
    ]
    assert firing_rates(record.model_copy(update={"seeds": tuple(silent)}), rows["fashion-mlp"]) is None


def test_comparison_tells_every_difference_and_every_n(rows):
    picture = comparison(list(rows.values()), {"mnist-cnn": [99.5, 99.4]})
    assert "mnist-cnn −0." in picture.alt or "mnist-cnn +0." in picture.alt or "mnist-cnn 0." in picture.alt
    assert "cifar10-cnn" not in picture.alt
    assert "nmnist-cnn-t30 n = 2" in picture.caption and "commit" in picture.caption.lower()


def test_comparison_marks_what_lies_beyond_the_frame(rows, drawn):
    """The subset is 8 points below; the frame fits the full rows, so an arrow stands at its edge."""
    comparison([rows["mnist-cnn"], rows["nmnist-cnn-t30"]], {})
    edge = abs(float(drawn[None][0]))
    assert edge < 1


def test_comparison_of_nothing_says_so():
    assert "nothing to compare yet" in comparison(make_rows(settings(), {}), {}).alt


def test_ablation_gives_variant_minus_baseline():
    baseline = {0: 89.0, 1: 89.2, 2: 89.1}
    differences = {
        "surrogate": paired_difference({0: 88.0, 1: 88.3, 2: 88.2}, baseline),
        "no warm-up": paired_difference({1: 89.7}, baseline),
    }
    picture = ablation("fashion-mlp", differences, "Fashion-MNIST", "abcdef0123")
    assert "surrogate −0.93; no warm-up +0.50" in picture.alt
    for fact in ("Fashion-MNIST", "surrogate n = 3", "no warm-up n = 1", "Commit abcdef0123."):
        assert fact in picture.caption
    assert (np.abs(pixels(picture)[:, :, :3] - mpl.colors.to_rgb(BLUE)).max(axis=2) < 0.01).sum() > 500


def test_one_variant_that_hardly_learns_leaves_room_for_the_others(drawn):
    """It is 30 points below; the frame fits the others, and an arrow stands at its edge."""
    baseline = {0: 89.0, 1: 89.2}
    gains = {"better": 0.4, "like": 0.01, "worse": -0.3, "broken": -30.0}
    differences = {
        name: paired_difference({seed: value + gain for seed, value in baseline.items()}, baseline) for name, gain in gains.items()
    }
    picture = ablation("fashion-mlp", differences, "Fashion-MNIST", "abc")
    assert -2 < float(drawn[None][0]) < -0.4  # the last mark that was drawn
    assert "broken −30.00" in picture.alt and "an arrow: beyond the frame" in picture.caption


def test_raster_counts_what_it_shows():
    rng = np.random.default_rng(0)
    events = np.zeros(200, dtype=[("x", "u1"), ("y", "u1"), ("p", "u1"), ("t", "i4")])
    events["t"], events["x"], events["p"] = np.sort(rng.integers(0, 90_000, 200)), rng.integers(0, 34, 200), rng.integers(0, 2, 200)
    binned = np.unique(np.stack([events["t"] // 3000, events["p"], events["y"], events["x"]], axis=1), axis=0)
    picture = raster(Recording(events, events[:150], binned, {"1": rng.random((30, 50)) < 0.1}, 3000, "N-MNIST, n = 1, commit abc."))
    assert f"200 events, 150 after stabilising, {len(binned)} binned" in picture.alt
    assert picture.caption.endswith("N-MNIST, n = 1, commit abc.")
