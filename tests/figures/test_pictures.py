"""What the pictures claim, what they show, and that the same runs give the same bytes."""

import io
import re
import struct

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.image import imread

from tests.support.report_builders import make_run, mixed_runs, sample_studies, settings
from tsslbp.figures import curves
from tsslbp.figures.canvas import BLUE, DOTS_PER_INCH, WIDTH_INCHES
from tsslbp.figures.confusion import confusion_matrix
from tsslbp.figures.curves import firing_curves, layer_names, learning_curves, training_curves
from tsslbp.report.gallery import ablation, comparison, draw_pictures
from tsslbp.report.rows import make_rows
from tsslbp.report.studies.ablation import variants


@pytest.fixture(scope="module")
def studies():
    return sample_studies()


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


@pytest.mark.parametrize("section", ["learning", "confusion", "firing"])
def test_a_picture_names_its_data_runs_and_commit(runs, rows, section):
    row = rows["nmnist-cnn-t30"]
    (picture,) = draw_pictures([row], runs)[section]
    for fact in ("N-MNIST", "n = 2 seeds", "12 epochs", "1,000 of the 60,000", row.origin.git_commit[:10], row.origin.data_checksum[:10]):
        assert fact in picture.caption
    assert picture.name.endswith("nmnist-cnn-t30") and picture.alt
    assert pixels(picture).shape[:2] == (picture.height, picture.width)
    assert picture.width == WIDTH_INCHES * DOTS_PER_INCH


def test_the_same_runs_give_the_same_bytes_whatever_the_users_style(runs):
    seeds = runs["fashion-mlp"][0].seeds
    plain = learning_curves(seeds, "fashion-mlp")
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "black"}):
        styled = learning_curves(seeds, "fashion-mlp")
        assert mpl.rcParams["font.size"] == 30
    assert plain.png == styled.png
    assert text_chunks(plain.png) == []


def test_learning_curve_is_the_mean_over_seeds_with_each_best_epoch(runs, drawn):
    record = runs["mnist-cnn"][0]
    learning_curves(record.seeds, "mnist-cnn", published=99.5)
    accuracies = np.array([[epoch.test_accuracy for epoch in seed.history] for seed in record.seeds])
    epochs, mean = drawn["mean of seeds"]
    assert list(epochs) == list(range(1, 101))
    np.testing.assert_allclose(mean, accuracies.mean(axis=0))
    best_epochs, bests = drawn["best epoch of a seed"]
    np.testing.assert_array_equal(bests, accuracies.max(axis=1))
    np.testing.assert_array_equal(best_epochs, accuracies.argmax(axis=1) + 1)


def test_uneven_seeds_are_averaged_as_far_as_all_got(drawn):
    long, _ = make_run(settings(), "mnist-cnn", epochs=9)
    short, _ = make_run(settings(), "mnist-cnn", epochs=4)
    seeds = (long.seeds[0], short.seeds[1])
    picture = learning_curves(seeds, "mnist-cnn")
    epochs, mean = drawn["mean of seeds"]
    assert len(epochs) == 4
    assert picture.alt.endswith(f"ends at {mean[-1]:.2f} percent after epoch 4.")
    assert "as far as all got, epoch 4" in picture.caption


def test_the_best_epoch_of_a_longer_seed_lies_within_the_frame(monkeypatch):
    frames = []
    monkeypatch.setattr(curves, "finish", lambda figure, *_: frames.append((figure.axes[0].get_xlim(), figure.axes[0].get_ylim())))
    long, short = (make_run(settings(), "mnist-cnn", epochs=epochs)[0].seeds[0] for epochs in (9, 2))
    late = (*long.history[:8], long.history[8].model_copy(update={"test_accuracy": 99.99}))
    learning_curves((long.model_copy(update={"history": late}), short), "mnist-cnn")
    ((_, last), (low, high)) = frames[0]
    assert last > 9 and low < 99.99 < high


def test_one_seed_is_called_that_and_not_a_mean_within_a_range(runs, drawn):
    seeds = runs["mnist-cnn"][0].seeds[:1]
    captions = [picture.caption for picture in (learning_curves(seeds, "mnist-cnn"), firing_curves(seeds, "mnist-cnn", []))]
    assert {"one seed", "mean of seeds"} & drawn.keys() == {"one seed"}
    assert all("one seed" in caption and "range" not in caption for caption in captions)


def test_training_curves_show_one_seed_on_both_data_sets(runs, drawn):
    history = runs["mnist-cnn"][0].seeds[0].history
    picture = training_curves(history, "mnist-cnn seed 0")
    for label, name in (("test", "test_accuracy"), ("training", "train_accuracy"), (None, "train_loss")):
        np.testing.assert_array_equal(drawn[label][1], [getattr(epoch, name) for epoch in history])
    assert f"{history[-1].test_accuracy:.2f} percent" in picture.alt


def test_one_epoch_of_one_seed_can_be_drawn():
    (seed,) = make_run(settings(), "cifar10-wide", seeds=(0,), epochs=1)[0].seeds
    pictures = (
        learning_curves([seed], "x"),
        training_curves(seed.history, "x"),
        firing_curves([seed], "x", []),
        confusion_matrix([seed.confusion], "x"),
    )
    assert all(picture.png.startswith(b"\x89PNG") for picture in pictures)


def test_confusion_sums_the_seeds_and_names_the_worst_mistake(rows):
    matrix = np.eye(10, dtype=int) * 90
    matrix[4, 2] = 10
    picture = confusion_matrix([matrix.tolist(), (np.eye(10, dtype=int) * 100).tolist()], "x", class_names=rows["fashion-mlp"].class_names)
    assert "takes coat for pullover, 5.0 percent" in picture.alt
    assert "all seeds together" in picture.caption


def test_confusion_can_be_drawn_where_a_class_has_no_samples():
    picture = confusion_matrix([((0,) * 10,) * 10], "x")
    assert picture.png and "all seeds together" not in picture.caption


def test_firing_rates_show_every_layer_under_its_notation(runs, drawn):
    record = runs["mnist-cnn"][0]
    picture = firing_curves(record.seeds, "mnist-cnn", layer_names(record.settings["architecture"]))
    assert set(drawn) == {"1: 15C5", "2: 40C5", "3: 300", "4: out"}
    last = np.mean([seed.history[-1].firing_rates for seed in record.seeds], axis=0)
    assert ", ".join(f"{rate:.3f}" for rate in last) in picture.alt


def test_layers_without_fitting_names_have_numbers(runs, drawn):
    firing_curves(runs["mnist-cnn"][0].seeds, "mnist-cnn", layer_names("400"))
    assert set(drawn) == {"1", "2", "3", "4"}


def test_without_firing_rates_there_is_no_picture_of_them(runs):
    silent = [
        seed.model_copy(update={"history": tuple(epoch.model_copy(update={"firing_rates": ()}) for epoch in seed.history)})
        for seed in runs["fashion-mlp"][0].seeds
    ]
    assert firing_curves(silent, "x", []) is None


def test_comparison_tells_every_difference_and_every_n(rows):
    picture = comparison(list(rows.values()))
    assert re.search(r"mnist-cnn [−+]?0\.", picture.alt)
    assert "cifar10-cnn" not in picture.alt
    assert "nmnist-cnn-t30, 2 of 5 × 12 of 100, subset (n = 2)" in picture.caption and "commit" in picture.caption.lower()


def test_comparison_marks_what_lies_beyond_the_frame(rows, drawn):
    """The subset is 8 points below; the frame fits the full rows, so an arrow stands at its edge."""
    comparison([rows["mnist-cnn"], rows["nmnist-cnn-t30"]])
    edge = abs(float(drawn[None][0]))
    assert edge < 1


def test_comparison_of_nothing_says_so():
    assert "nothing to compare yet" in comparison(make_rows(settings(), {})).alt


@pytest.fixture(scope="module")
def found(base, studies):
    """Variants of fashion-mlp: 30 points below, a little above, and one of which seeds failed."""
    study = studies["ablation"]
    plateaus = {"2021-03": 89.0, "surrogate": 89.3, "no-intra": 88.98, "filtered-once": 59.0}
    runs = {f"fashion-mlp-{name}": make_run(study, f"fashion-mlp-{name}", epochs=15, plateau=value) for name, value in plateaus.items()}
    runs["fashion-mlp-no-warmup"] = make_run(study, "fashion-mlp-no-warmup", seeds=(1,), epochs=15, plateau=20, failed={0: "silent"})
    return [each for each in variants(study, runs, base, {}) if each.like == "fashion-mlp" and each.row.recipe != "2021-03"]


def test_ablation_gives_variant_minus_baseline(found):
    picture = ablation("fashion-mlp", found)
    surrogate = next(each for each in found if each.name == "surrogate alone")
    assert f"surrogate alone +{surrogate.difference.mean:.2f}" in picture.alt
    for fact in ("Fashion-MNIST", "surrogate alone (n = 5)", "15 epochs", f"Commit {surrogate.row.origin.git_commit[:10]}."):
        assert fact in picture.caption
    assert (np.abs(pixels(picture)[:, :, :3] - mpl.colors.to_rgb(BLUE)).max(axis=2) < 0.01).sum() > 500


def test_one_variant_that_hardly_learns_leaves_room_for_the_others(found, drawn):
    """It is 30 points below; the frame fits the others, and an arrow stands at its edge."""
    picture = ablation("fashion-mlp", found)
    assert -2 < float(drawn[None][0]) < -0.2  # the last mark that was drawn
    assert re.search(r"target filtered once −(29|30)", picture.alt) and "an arrow: beyond the frame" in picture.caption


def test_captions_name_every_commit_that_ran(base, studies):
    """Of each seed, whether its code was edited, and in an ablation of the unchanged runs, too."""

    def run_at(settings, key, *commits):
        record, provenance = make_run(settings, key, seeds=tuple(range(len(commits))), epochs=15)
        seeds = zip(provenance.seeds, commits, strict=True)
        return record, provenance.model_copy(update={"seeds": tuple(seed.model_copy(update={"git_commit": at}) for seed, at in seeds)})

    first, second, third = ("a" * 40, "b" * 40, f"{'c' * 40}+changes")
    runs = {"mnist-cnn": run_at(base, "mnist-cnn", first, third)}
    pictures = draw_pictures(make_rows(base, runs), runs)
    for name in ("comparison", "learning", "confusion", "firing"):
        assert pictures[name][0].caption.endswith(
            " commit aaaaaaaaaa, cccccccccc+changes." if name != "comparison" else " Commit aaaaaaaaaa, cccccccccc+changes."
        )
    own = {"fashion-mlp-surrogate": run_at(studies["ablation"], "fashion-mlp-surrogate", first, second)}
    group = [
        each
        for each in variants(studies["ablation"], own, base, {"fashion-mlp": run_at(base, "fashion-mlp", first, third)})
        if each.like == "fashion-mlp"
    ]
    assert ablation("fashion-mlp", group).caption.endswith(" Commit aaaaaaaaaa, cccccccccc+changes, bbbbbbbbbb.")


def test_failed_training_is_in_the_picture(found):
    assert "no warm-up training fails (1 of 2 seeds)" in ablation("fashion-mlp", found).alt
