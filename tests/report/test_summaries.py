"""The answers in short: what each says of better, worse and neither, and of what was not run far enough."""

from dataclasses import replace

import pytest

from tests.support.report_builders import make_run, sample_studies, study_runs
from tsslbp.report.statistics import Interval
from tsslbp.report.studies.ablation import variants
from tsslbp.report.studies.recipes import judged_recipes, recipe_rows
from tsslbp.report.studies.summaries import recipes_summary, variant_summaries


@pytest.fixture(scope="module")
def ablation(base):
    studies = sample_studies()
    return {(each.like, each.name): each for each in variants(studies["ablation"], study_runs(studies)["ablation"], base, {})}


@pytest.fixture(scope="module")
def recipes(base, base_runs):
    studies = sample_studies()
    return recipe_rows(studies["recipes"], study_runs(studies)["recipes"], base, base_runs)


def test_every_outcome_has_its_words(ablation):
    pairs = ablation["fashion-mlp", "surrogate alone"].pairs

    def told(effect, low, high, **changes):
        best = replace(pairs.best, interval=Interval(low, high))
        found = replace(ablation["fashion-mlp", "surrogate alone"], effect=effect, pairs=replace(pairs, best=best), **changes)
        return variant_summaries([found])["surrogate alone"]

    assert told("real", 0.1, 0.3) == "In short: the variant is better on fashion-mlp (5 pairs of seeds, 15 epochs)."
    assert told("real", -0.3, -0.1) == "In short: the variant is worse on fashion-mlp (5 pairs of seeds, 15 epochs)."
    assert told("not shown", -0.3, 0.1) == "In short: no difference is shown on fashion-mlp (5 pairs of seeds, 15 epochs)."
    assert told("training fails", -0.3, -0.1) == "In short: training fails on fashion-mlp."
    for effect in ("too few pairs", "too few samples", "all pairs agree"):
        assert told(effect, 0.1, 0.3) == "In short: too little was run to tell on fashion-mlp (5 pairs of seeds, 15 epochs)."


def test_models_of_one_outcome_are_told_together_and_the_unchanged_one_has_no_sentence(ablation):
    found = variant_summaries(tuple(ablation.values()))
    assert found["surrogate alone"].startswith("In short: the variant is worse on fashion-mlp (5 pairs of seeds, 15 epochs)")
    assert "unchanged" not in found
    assert "desired_train 0,1,0,1,1" not in found  # it was not run
    one = ablation["fashion-mlp", "surrogate alone"]
    two = variant_summaries([one, replace(one, like="another")])["surrogate alone"]
    assert two == "In short: the variant is worse on fashion-mlp (5 pairs of seeds, 15 epochs), another (5 pairs of seeds, 15 epochs)."


def test_recipes_are_counted_by_what_can_be_judged(recipes):
    judged = judged_recipes([each for each in recipes if each.row.model == "fashion-mlp"])
    consistent = sum(row.comparison.verdict == "consistent" for row in judged.values())
    (sentence,) = recipes_summary(recipes)
    assert 0 < consistent < len(judged)
    assert f"for fashion-mlp, {consistent} of the {len(judged)} recipes judged" in sentence
    assert recipes_summary(()) == ()


@pytest.mark.parametrize(("verdict", "said"), [("consistent", "consistent"), ("lower", "not consistent")])
def test_of_one_recipe_alone_the_sentence_is_in_the_singular(recipes, verdict, said):
    one = next(each for each in recipes if judged_recipes([each]))
    row = replace(one.row, comparison=replace(one.row.comparison, verdict=verdict))
    (sentence,) = recipes_summary([replace(one, row=row)])
    assert sentence == f"In short: for {row.model}, the one recipe judged is {said} with what was published."


def test_where_nothing_can_be_judged_the_sentence_says_so(base):
    study = sample_studies()["recipes"]
    begun = make_run(study, "mnist-cnn-2020-10", seeds=(0,), epochs=7)
    (sentence,) = recipes_summary(recipe_rows(study, {"mnist-cnn-2020-10": begun}, base, {}))
    assert sentence.endswith("for mnist-cnn, none can be judged yet.")
