"""Pairs of seeds: those that count in the variant's row, over the epochs that both have, and what else differs between the two."""

import csv
import io

import pytest

from tests.support.report_builders import make_run, sample_studies
from tsslbp.report.studies.ablation import variants
from tsslbp.report.studies.answers import variant_answers
from tsslbp.report.tables.comparisons import ablation_table
from tsslbp.report.tables.formats import csv_table, markdown_table

UNCHANGED, SURROGATE = "fashion-mlp-2021-03", "fashion-mlp-surrogate"


@pytest.fixture(scope="module")
def study():
    return sample_studies()["ablation"]


@pytest.fixture
def runs(study):
    return {key: make_run(study, key, epochs=15, plateau=plateau) for key, plateau in ((UNCHANGED, 89.0), (SURROGATE, 88.9))}


def _begun(run, seed):
    """The run, of which a seed has just begun."""
    record, provenance = run
    seeds = tuple(each.model_copy(update={"history": each.history[:3]}) if each.seed == seed else each for each in record.seeds)
    return record.model_copy(update={"seeds": seeds}), provenance


def _surrogate(study, base, runs):
    return next(each for each in variants(study, runs, base, {}) if each.name == "surrogate alone")


@pytest.mark.parametrize("side", [UNCHANGED, SURROGATE])
def test_a_seed_that_has_just_begun_takes_no_epochs_from_the_others(study, base, runs, side):
    """Three epochs of five seeds would say something else than fifteen of four, beside a row that is of these four."""
    whole = _surrogate(study, base, runs).pairs
    pairs = _surrogate(study, base, runs | {side: _begun(runs[side], 4)}).pairs
    assert (pairs.epochs, pairs.best.seeds) == (15, (0, 1, 2, 3))
    for look, of_all in zip(pairs.looks, whole.looks, strict=True):
        assert look.values == of_all.values[:4]


def test_the_unchanged_seeds_of_a_short_variant_need_not_be_longer(study, base, runs):
    """Of the unchanged seeds one ran its fifteen epochs and four ran five, as many as the variant's."""
    short = {seed: make_run(study, key, epochs=5)[0].seeds[seed] for key in (UNCHANGED,) for seed in range(1, 5)}
    record, provenance = runs[UNCHANGED]
    mixed = record.model_copy(update={"seeds": (record.seeds[0], *short.values())}), provenance
    pairs = _surrogate(study, base, {UNCHANGED: mixed, SURROGATE: make_run(study, SURROGATE, epochs=5)}).pairs
    assert (pairs.epochs, pairs.best.seeds) == (5, (0, 1, 2, 3, 4))


def test_tables_say_over_how_many_epochs_the_pairs_are(study, base, runs):
    found = [_surrogate(study, base, runs | {UNCHANGED: _begun(runs[UNCHANGED], 4)})]
    table = ablation_table(found)
    (values,) = csv.DictReader(io.StringIO(csv_table(table.columns, found)))
    assert (values["pairs"], values["pair_epochs"]) == ("4", "15")
    assert "| 4 × 15 |" in markdown_table(table)


def test_pairs_that_all_agree_are_not_too_few(study, base, runs):
    record, provenance = runs[SURROGATE]
    same = record.model_copy(update={"seeds": runs[UNCHANGED][0].seeds}), provenance
    found = _surrogate(study, base, runs | {SURROGATE: same})
    assert (found.effect, found.difference.mean, found.difference.interval) == ("all pairs agree", 0.0, None)
    (sentence,) = variant_answers([found])["surrogate alone"]
    assert "0.00 points, 5 pairs of seeds, 15 epochs: all pairs agree. " in sentence


def test_pairs_on_few_test_samples_are_too_few_samples_although_they_agree(base):
    study = sample_studies()["ablation"]
    model = study.model(SURROGATE).model_copy(update={"dataset": "nmnist", "like": "nmnist-cnn-t30"})
    study = study.model_copy(update={"models": {SURROGATE: model}})
    record, provenance = make_run(study, SURROGATE, epochs=15, subset=("100 of the 10,000 test recordings",))
    unchanged = record.model_copy(update={"model": "nmnist-cnn-t30"}), provenance
    found = variants(study, {SURROGATE: (record, provenance)}, base, {"nmnist-cnn-t30": unchanged})[-1]
    assert (found.effect, found.difference.interval) == ("too few samples", None)


def test_other_arrays_of_the_same_files_are_other_data(study, base, runs):
    def made(key, arrays):
        record, provenance = runs[key]
        return record.model_copy(update={"data": record.data.model_copy(update={"arrays": arrays})}), provenance

    def note(own, theirs):
        return _surrogate(study, base, {UNCHANGED: made(UNCHANGED, theirs), SURROGATE: made(SURROGATE, own)}).note

    assert note("1" * 32, "2" * 32) == "other data than the unchanged runs"
    assert note("1" * 32, "1" * 32) == note("1" * 32, "") == ""  # an older record does not say it


@pytest.mark.parametrize(("library", "told"), [("torch", True), ("numpy", True), ("python", False)])
def test_pairs_with_other_libraries_are_told_apart(study, base, runs, library, told):
    record, provenance = runs[SURROGATE]
    first, *others = provenance.seeds
    changed = first.model_copy(update={"versions": first.versions | {library: "0.1"}})
    run = record, provenance.model_copy(update={"seeds": (changed, *others)})
    assert ("other version of PyTorch, NumPy or Numba" in _surrogate(study, base, runs | {SURROGATE: run}).note) is told


def test_unchanged_runs_of_other_settings_are_told_beside_the_variant(study, base, runs):
    """The variant was trained anew with a changed learning rate, the unchanged model was not: two things differ."""
    record, provenance = runs[UNCHANGED]
    older = record.model_copy(update={"settings": {**record.settings, "learning_rate": 0.1}})
    found = _surrogate(study, base, runs | {UNCHANGED: (older, provenance)})
    said = "the unchanged runs are of other settings than params.yaml has now: learning_rate"
    assert said in found.note
    assert said in variant_answers([found])["surrogate alone"][0]
