"""What choosing the epoch on test data is worth: two parts that add up to the whole difference."""

import pytest

from tests.support.report_builders import make_run, sample_studies
from tsslbp.report.studies.ablation import variants
from tsslbp.report.studies.answers import caution, variant_answers
from tsslbp.report.studies.selection import selection_of

HELD_OUT = (80.0, 95.0, 90.0)
"""Chooses the second of three epochs."""


@pytest.fixture
def reference():
    return _with_accuracies((88.0, 88.5, 89.0), held_out=False)


@pytest.fixture
def run():
    return _with_accuracies((87.0, 88.0, 88.9), held_out=True)


def _with_accuracies(accuracies, *, held_out):
    """Three seeds with these test accuracies and a little more for each further seed."""
    record, provenance = make_run(sample_studies()["ablation"], "fashion-mlp-2021-03", seeds=(0, 1, 2), epochs=3)
    seeds = tuple(
        seed.model_copy(
            update={
                "history": tuple(
                    epoch.model_copy(update={"test_accuracy": test + 0.01 * seed.seed, "held_out_accuracy": chosen if held_out else None})
                    for epoch, test, chosen in zip(seed.history, accuracies, HELD_OUT, strict=True)
                )
            }
        )
        for seed in record.seeds
    )
    return record.model_copy(update={"seeds": seeds}), provenance


def test_the_parts_add_up_to_the_difference_of_the_bests(run, reference):
    found = selection_of(run[0].seeds, reference[0].seeds)
    assert found.chosen.mean == pytest.approx(88.0 - 88.9)
    assert found.missing.mean == pytest.approx(88.9 - 89.0)


def test_a_run_that_held_nothing_out_has_no_parts(run, reference):
    assert selection_of(reference[0].seeds, reference[0].seeds) is None


def test_they_are_of_the_seeds_and_epochs_that_both_have(base, run, reference):
    """The unchanged run's third epoch and the held-out run's third seed stay out of the parts as they do of the whole."""
    study = sample_studies()["ablation"]
    record, provenance = reference
    short = tuple(seed.model_copy(update={"history": seed.history[:2]}) for seed in record.seeds[:2])
    runs = {"fashion-mlp-2021-03": (record.model_copy(update={"seeds": short}), provenance), "fashion-mlp-surrogate": run}
    (pairs,) = [each.pairs for each in variants(study, runs, base, {}) if each.pairs]
    assert pairs.selection.chosen.seeds == pairs.selection.missing.seeds == (0, 1)
    assert pairs.selection.missing.mean == pytest.approx(88.0 - 88.5)
    assert pairs.differences == (*pairs.looks, pairs.selection.missing), "what was chosen is compared with the same run alone"
    assert pairs.selection.chosen.mean + pairs.selection.missing.mean == pytest.approx(pairs.best.mean)


def test_the_sentence_names_both(base, run, reference):
    study = sample_studies()["ablation"]
    runs = {"fashion-mlp-2021-03": reference, "fashion-mlp-surrogate": run}
    (sentence, *_) = variant_answers(variants(study, runs, base, {}))["surrogate alone"]
    assert "chosen on held-out samples has −0.90 beside the best on test data; with both at their best on test data" in sentence
    assert sentence.endswith("these runs have −0.10 beside the unchanged ones.")


def test_the_caution_counts_the_part_that_compares_two_runs_and_not_the_one_within_a_run(base, run, reference):
    """The epoch chosen on held-out samples is never above the best of the same run: no chance puts zero into that interval's middle."""
    study = sample_studies()["ablation"]
    record, provenance = run
    first = record.seeds[0].model_copy(
        update={
            "history": tuple(
                epoch.model_copy(update={"test_accuracy": epoch.test_accuracy - epoch.epoch}) for epoch in record.seeds[0].history
            )
        }
    )
    uneven = record.model_copy(update={"seeds": (first, *record.seeds[1:])}), provenance
    found = variants(study, {"fashion-mlp-2021-03": reference, "fashion-mlp-surrogate": uneven}, base, {})
    assert "Of the 4 intervals" in caution(found)[0]
