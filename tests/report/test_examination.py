"""What is said of a row that is not as published, from curves whose answer is known."""

from dataclasses import replace

import pytest

from tests.support.report_builders import make_run
from tsslbp.report.examination import examinations
from tsslbp.report.rows import make_rows
from tsslbp.report.statistics import compare


def curve(run, accuracies, fit):
    """The same run with these test accuracies in every seed, and `fit` percent of the training data in the last epoch."""
    record, provenance = run
    history = tuple(
        epoch.model_copy(update={"test_accuracy": accuracy, "train_accuracy": fit})
        for epoch, accuracy in zip(record.seeds[0].history, accuracies, strict=True)
    )
    seeds = tuple(
        seed.model_copy(
            update={
                "history": (*history[: seed.seed], history[seed.seed].model_copy(update={"test_accuracy": 99.0}), *history[seed.seed + 1 :])
            }
        )
        for seed in record.seeds
    )
    return record.model_copy(update={"seeds": seeds}), provenance


def test_epochs_and_fit_are_those_of_the_curves(base):
    run = curve(make_run(base, "mnist-cnn", epochs=100), [*(60 * [97.0]), *(39 * [97.5]), 98.2], 99.5)
    (said,) = examinations(make_rows(base, {"mnist-cnn": run}), {"mnist-cnn": run})
    assert said == (
        "mnist-cnn is lower than published by 0.50. Its seeds are best in epochs 1, 2, 3, 4, 5 of 100; the second half of the epochs "
        "raised the mean of the bests from 99.00 to 99.00. During the last epoch 99.50 % of the training samples were classified "
        "rightly, as the weights changed. The training loss was lowest in epochs 100, 100, 100, 100, 100 and ended 0 % above that."
    )


def test_a_late_best_shows_in_the_second_half(base):
    run = make_run(base, "mnist-cnn", epochs=100)
    record, provenance = run
    seeds = tuple(
        seed.model_copy(
            update={"history": tuple(epoch.model_copy(update={"test_accuracy": 90 + 0.05 * epoch.epoch}) for epoch in seed.history)}
        )
        for seed in record.seeds
    )
    late = record.model_copy(update={"seeds": seeds}), provenance
    (said,) = examinations(make_rows(base, {"mnist-cnn": late}), {"mnist-cnn": late})
    assert (
        "best in epochs 100, 100, 100, 100, 100 of 100; the second half of the epochs raised the mean of the bests from 92.50 to 95.00"
        in said
    )


def test_one_whole_seed_is_examined_and_the_unfinished_beside_it_are_not(base):
    whole, begun = (curve(make_run(base, "mnist-cnn", epochs=epochs), epochs * [97.5], 99.5) for epochs in (100, 15))
    record = whole[0].model_copy(update={"seeds": (whole[0].seeds[2], *begun[0].seeds[3:])})
    run = record, whole[1]
    (said,) = examinations(make_rows(base, {"mnist-cnn": run}), {"mnist-cnn": run})
    assert said == (
        "mnist-cnn, with 1 of 5 seeds, is lower than published by 0.50. Its seed is best in epoch 3 of 100; the second half of the epochs "
        "raised its best from 99.00 to 99.00. During the last epoch 99.50 % of the training samples were classified "
        "rightly, as the weights changed. The training loss was lowest in epoch 100 and ended 0 % above that."
    )


def losing(seed, lowest, rise):
    """The seed with a training loss of 0.1 everywhere, but 0.05 in epoch `lowest` and 0.05 · (1 + rise) in the last."""
    losses = {len(seed.history): 0.05 * (1 + rise), lowest: 0.05}
    history = tuple(epoch.model_copy(update={"train_loss": losses.get(epoch.epoch, 0.1)}) for epoch in seed.history)
    return seed.model_copy(update={"history": history})


def test_a_training_loss_that_rises_again_is_told_from_where_and_how_far(base):
    record, provenance = make_run(base, "mnist-cnn", epochs=100, plateau=99)
    seeds = tuple(losing(seed, 40 + 10 * seed.seed, seed.seed / 10) for seed in reversed(record.seeds))
    run = record.model_copy(update={"seeds": seeds}), provenance
    (said,) = examinations(make_rows(base, {"mnist-cnn": run}), {"mnist-cnn": run})
    assert said.endswith(" The training loss was lowest in epochs 40, 50, 60, 70, 80 and ended 0 to 40 % above that.")


@pytest.mark.parametrize(
    ("accuracies", "said"),
    [
        ((97.0, 91.0, 96.5), " For a single epoch the test accuracy fell: seed 2, epoch 51, to 91.00 between 97.00 and 96.50."),
        ((97.0, 91.0, 91.0), ""),
        ((97.0, 92.5, 97.0), ""),
    ],
)
def test_a_fall_of_a_single_epoch_is_told_and_a_lasting_or_small_one_is_not(base, accuracies, said):
    record, provenance = make_run(base, "mnist-cnn", epochs=100, plateau=99)
    test_curve = [99.0, *(49 * [accuracies[0]]), accuracies[1], *(49 * [accuracies[2]])]
    history = tuple(
        epoch.model_copy(update={"test_accuracy": accuracy}) for epoch, accuracy in zip(record.seeds[2].history, test_curve, strict=True)
    )
    seeds = (*record.seeds[:2], record.seeds[2].model_copy(update={"history": history}), *record.seeds[3:])
    run = record.model_copy(update={"seeds": seeds}), provenance
    (sentences,) = examinations(make_rows(base, {"mnist-cnn": run}), {"mnist-cnn": run})
    assert sentences.endswith(f" % above that.{said}")


def test_a_training_loss_of_nothing_is_no_measure_of_a_rise(base):
    record, provenance = make_run(base, "mnist-cnn", epochs=100, plateau=99)
    seeds = tuple(
        seed.model_copy(update={"history": (*seed.history[:-1], seed.history[-1].model_copy(update={"train_loss": 0.0}))})
        for seed in record.seeds
    )
    run = record.model_copy(update={"seeds": seeds}), provenance
    (said,) = examinations(make_rows(base, {"mnist-cnn": run}), {"mnist-cnn": run})
    assert said.endswith("as the weights changed.")


def test_a_subset_is_not_examined(base):
    run = make_run(base, "mnist-cnn", epochs=100, plateau=90, subset=("a part",))
    assert examinations(make_rows(base, {"mnist-cnn": run}), {"mnist-cnn": run}) == ()


def test_only_whole_rows_that_are_not_consistent_are_examined(base):
    runs = {
        "mnist-cnn": make_run(base, "mnist-cnn", epochs=100, plateau=99.5),
        "fashion-mlp": make_run(base, "fashion-mlp", epochs=20, plateau=80),
    }
    rows = make_rows(base, runs)
    assert {row.model: row.comparison.verdict for row in rows if row.was_run} == {"mnist-cnn": "consistent", "fashion-mlp": "lower"}
    assert examinations(rows, runs) == ()


def test_a_row_of_older_code_says_so(base):
    runs = {"mnist-cnn": make_run(base, "mnist-cnn", epochs=100, plateau=99)}
    (present,), (older,) = (examinations(make_rows(base, runs, lambda *_, now=now: now), runs) for now in (True, False))
    said = " (measured with an older state of the method's code)"
    assert said in older and older.replace(said, "") == present


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"dropout": 0.2}, "as the weights changed and with dropout."),
        ({"augmentation": {"crop": 4, "flip": False}}, "as the weights changed and with augmentation."),
        ({"dropout": 0.2, "augmentation": {"crop": 0, "flip": True}}, "as the weights changed and with dropout and augmentation."),
        ({"augmentation": {"crop": 0, "flip": False}}, "as the weights changed."),
    ],
)
def test_what_hindered_the_network_during_training_is_said(base, changes, said):
    """Its own accuracy on these samples may be higher than what was counted."""
    record, provenance = make_run(base, "mnist-cnn", epochs=100, plateau=99)
    run = record.model_copy(update={"settings": {**record.settings, **changes}}), provenance
    row = replace(make_rows(base, {"mnist-cnn": run})[0], departures=())
    (sentences,) = examinations([row], {"mnist-cnn": run})
    assert f"{said} The training loss" in sentences


def test_a_difference_that_rounds_to_nothing_is_not_examined(base):
    run = make_run(base, "mnist-cnn", seeds=(0,), epochs=100)
    for best, examined in ((99.503, 0), (99.51, 1)):
        comparison = compare([best], base.published["mnist-cnn"])
        row = replace(make_rows(base, {"mnist-cnn": run})[0], comparison=comparison)
        assert len(examinations([row], {"mnist-cnn": run})) == examined
