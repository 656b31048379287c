"""Runs of one training under several names: which of them a study shows."""

import pytest

from tests.support.report_builders import make_run, sample_studies
from tsslbp.report.rows import make_rows
from tsslbp.report.studies.variants import cut, longest
from tsslbp.storage.summary import counted_seeds


@pytest.fixture(scope="module")
def studies():
    return sample_studies()


def test_a_longer_run_of_the_same_training_in_another_study_is_taken_in_place_of_a_short_one(studies, base):
    ablation, recipes = studies["ablation"], studies["recipes"]
    short = make_run(ablation, "fashion-mlp-filtered-once", epochs=15)
    long = make_run(recipes, "fashion-mlp-filtered-once", epochs=40)
    runs = {"fashion-mlp-filtered-once": short, "fashion-mlp-surrogate": make_run(ablation, "fashion-mlp-surrogate", epochs=15)}

    def taken(run):
        found = longest(ablation, runs, [(recipes, {"fashion-mlp-filtered-once": run})])
        assert found["fashion-mlp-surrogate"] == runs["fashion-mlp-surrogate"]
        return found["fashion-mlp-filtered-once"]

    assert taken(long)[0].seeds == long[0].seeds
    (row,) = [row for row in make_rows(ablation, {"fashion-mlp-filtered-once": taken(long)}) if row.was_run]
    assert row.departures == ("40 of 100 epochs",)  # and no other settings
    fewer = long[0].model_copy(update={"seeds": long[0].seeds[1:]}), long[1]
    older = long[0].model_copy(update={"code": "0" * 64}), long[1]
    for other in (fewer, older, make_run(recipes, "fashion-mlp-filtered-once", epochs=15)):
        assert taken(other) == short
    failed = make_run(ablation, "fashion-mlp-filtered-once", epochs=15)
    failed = failed[0].model_copy(update={"seeds": ()}), failed[1]
    assert longest(ablation, {"fashion-mlp-filtered-once": failed}, [(recipes, {"fashion-mlp-filtered-once": failed})]) == {
        "fashion-mlp-filtered-once": failed
    }
    assert longest(ablation, {}, [(recipes, {"fashion-mlp-filtered-once": long})]) == {}


def test_of_a_run_that_is_cut_short_the_seeds_that_have_all_that_is_left_are_whole(base):
    """The best of 30 epochs and the best of 15 have no mean that says anything."""
    record, provenance = make_run(base, "mnist-cnn", epochs=100)
    begun = make_run(base, "mnist-cnn", epochs=15)[0].seeds[1:]
    found, _ = cut((record.model_copy(update={"seeds": (record.seeds[0], *begun)}), provenance), {0, 1, 2}, 30)
    assert [len(seed.history) for seed in found.seeds] == [30, 15, 15]
    assert [seed.seed for seed in counted_seeds(found)] == [seed.seed for seed in counted_seeds(found, 100)] == [0]
