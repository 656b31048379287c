"""Recipes beside published rows: what is compared with what, and which recipe a row may be said to be consistent with."""

import re
from dataclasses import replace

import pytest

from tests.support.report_builders import make_run, sample_studies, study_runs
from tsslbp.report.numbers import estimate, spread
from tsslbp.report.studies.recipes import recipe_answers, recipe_rows
from tsslbp.report.studies.variants import cut
from tsslbp.settings import Augmentation


@pytest.fixture(scope="module")
def studies():
    return sample_studies()


@pytest.fixture(scope="module")
def recipes(base, base_runs, studies):
    return recipe_rows(studies["recipes"], study_runs(studies)["recipes"], base, base_runs)


def test_every_published_row_is_beside_the_bases_recipe_and_then_each_other(recipes):
    assert [(each.row.model, each.row.recipe, each.from_base) for each in recipes] == [
        ("fashion-mlp", "2021-03", True),
        ("fashion-mlp", "2020-10", False),
        ("fashion-mlp", "2021-03 filtered once", False),
        ("mnist-cnn", "2021-03", True),  # whole
        ("mnist-cnn", "2021-03", True),  # and cut
        ("mnist-cnn", "2020-10", False),
    ]
    assert {each.row.published.mean for each in recipes} == {89.75, 99.50}


def test_the_bases_run_is_cut_to_the_extent_of_the_others(recipes, base_runs):
    """The best of a hundred epochs is no match for the best of twenty."""
    whole, row = (each for each in recipes if each.from_base and each.row.model == "mnist-cnn")
    first = base_runs["mnist-cnn"][0].seeds[0]
    assert whole.row.bests == tuple(seed.best for seed in base_runs["mnist-cnn"][0].seeds)
    assert (row.row.seeds, row.row.epochs) == (1, 20)
    assert row.row.bests == (max(epoch.test_accuracy for epoch in first.history[:20]),)
    assert row.row.best_minus_final == pytest.approx(row.row.bests[0] - first.history[19].test_accuracy)
    assert row.row.departures == ("1 of 5 seeds", "20 of 100 epochs")


def test_beside_a_run_that_has_begun_the_bases_is_cut_to_as_many_epochs(base, base_runs, studies):
    begun = make_run(studies["recipes"], "mnist-cnn-2020-10", seeds=(0,), epochs=7)
    rows = recipe_rows(studies["recipes"], {"mnist-cnn-2020-10": begun}, base, base_runs)
    cut_row, own = [each.row for each in rows if each.row.model == "mnist-cnn"][-2:]
    assert (cut_row.epochs, own.epochs) == (7, 7)
    assert cut_row.bests == (max(epoch.test_accuracy for epoch in base_runs["mnist-cnn"][0].seeds[0].history[:7]),)


def test_a_base_that_ran_no_seed_of_the_study_was_not_run_for_it(base, studies):
    run = make_run(base, "mnist-cnn", seeds=(3, 4))
    assert cut(run, {0}, 20) is None
    rows = recipe_rows(studies["recipes"], {}, base, {"mnist-cnn": run})
    assert [each.row.model for each in rows if each.row.was_run] == ["mnist-cnn"]  # whole, as its own row in the tables
    assert not next(each for each in rows if each.row.model == "mnist-cnn" and each.row.bests == ()).row.was_run
    assert sum(each.from_base for each in rows if each.row.model == "mnist-cnn") == 1
    assert recipe_answers(rows)[1].endswith(" Not run: 2020-10.")


def test_a_recipe_is_named_by_the_settings_in_which_it_differs(recipes):
    told = {(each.row.model, each.row.recipe): each.row.variant for each in recipes}
    assert told["fashion-mlp", "2020-10"] == (
        "tau_s 2, desired_train 0,1,0,1,1, learning_rate 0.0002, gradient 2020-10, target_filterings 1, convolution_init kaiming_normal"
    )
    assert told["fashion-mlp", "2021-03"] == (
        "tau_s 3, desired_train 0,1,1,1,1, learning_rate 0.0005, gradient 2021-03, target_filterings 2, convolution_init uniform"
    )
    assert "batch_size 100" in told["mnist-cnn", "2020-10"] and "batch_size 50" in told["mnist-cnn", "2021-03"]


def test_only_runs_like_the_published_ones_speak_for_a_recipe(recipes):
    fashion, mnist = recipe_answers(recipes)
    said, _, spreads = fashion.partition(" Spread, in published stddevs: ")
    assert re.sub(r"[\d.]+ ± [\d.]+, \S+ \[.+?\]", "…", said) == (
        "fashion-mlp, published 89.75 ± 0.03. Consistent: 2020-10 with …, 5 × 100. "
        "Lower: 2021-03 with …, 5 × 100; 2021-03 filtered once with …, 5 × 100."
    )
    spreads, _, with_larger_stddev = spreads.partition(
        " But if the published best of 89.92 is right, the stddev is at least 0.09; in that one: "
    )
    assert with_larger_stddev.startswith("2021-03 ")
    assert re.findall(r"([^;]+?) [\d.]+ \[[\d.]+, [\d.]+\], (\w+)", spreads) == [
        ("2021-03", "like"),
        (" 2020-10", "like"),
        (" 2021-03 filtered once", "like"),
    ]
    row = next(each.row for each in recipes if each.row.model == "fashion-mlp" and each.row.recipe == "2020-10")
    assert f"2020-10 with {spread(row.best)}, {estimate(row.comparison.difference, row.comparison.interval)}, 5 × 100" in fashion
    assert mnist.startswith("mnist-cnn, published 99.50 ± 0.02. Consistent: 2021-03 with ")
    beside = f", 1 of 5 × 20 of 100, beside {spread(recipes[4].row.best)} of 2021-03 with as many. Spread, in published stddevs: "
    assert ". Too few runs, epochs or data to tell: 2020-10 with " in mnist and beside in mnist


@pytest.mark.parametrize(("seeds", "speaks"), [((0, 1), False), ((0, 1, 2), True)])
def test_three_whole_seeds_speak_for_or_against_a_recipe_and_two_do_not(base, base_runs, studies, seeds, speaks):
    study, key = studies["recipes"], "mnist-cnn-2020-10"
    study = study.model_copy(update={"models": {key: study.model(key).model_copy(update={"seeds": (0, 1, 2), "epochs": 100})}})
    runs = {key: make_run(study, key, seeds=seeds, epochs=100, plateau=90)}
    (answer,) = recipe_answers(recipe_rows(study, runs, base, base_runs))
    assert bool(re.search(r"Lower: 2020-10 with [^;]*, 3 of 5 × 100\.", answer)) is speaks
    assert ("Too few runs, epochs or data to tell: 2020-10 with " in answer) is not speaks
    assert answer.count("2021-03 with ") == 1  # whole, though its seeds beside those of the study are enough as well
    assert "Consistent: 2021-03 with " in answer and "none" not in answer
    assert "; 2020-10 " not in answer.partition(" Spread, ")[2], "a ratio of stddevs is of rows in full"


def test_that_no_recipe_is_consistent_is_said_where_one_was_judged(base, studies):
    """A reader looks for the recipe that made the table: that none of these did is the answer, not a gap."""
    study, key = studies["recipes"], "fashion-mlp-2020-10"
    judged = {key: make_run(study, key, epochs=100, plateau=80)}
    fashion, mnist = recipe_answers(recipe_rows(study, judged, base, {}))
    assert fashion.startswith("fashion-mlp, published 89.75 ± 0.03. Consistent: none of the recipes judged. Lower: 2020-10 with ")
    assert "Consistent" not in mnist, "none of its recipes was run, so nothing was judged"


def test_a_verdict_on_the_edge_is_told_beside_its_recipe(recipes):
    """A published 99.50 stands for 99.495 to 99.505: a verdict that this would change is not quoted as if it were sure."""
    said = "the verdict hinges on how the published numbers were rounded"
    judged = next(each for each in recipes if each.row.recipe == "2020-10")
    for hinges in (False, True):
        row = replace(judged.row, comparison=replace(judged.row.comparison, hinges_on_rounding=hinges))
        (answer,) = recipe_answers([replace(judged, row=row)])
        assert (f", 5 × 100, {said}." in answer) is hinges
        assert (said in replace(judged, row=row).note) is hinges


def test_a_recipe_whose_settings_changed_since_is_told_apart(base, studies):
    study = studies["recipes"]
    run = make_run(study, "fashion-mlp-2020-10", epochs=100)
    edited = study.model("fashion-mlp-2020-10").model_copy(update={"learning_rate": 0.5})
    edited_study = study.model_copy(update={"models": {**study.models, "fashion-mlp-2020-10": edited}})
    fashion = recipe_answers(recipe_rows(edited_study, {"fashion-mlp-2020-10": run}, base, {}))[0]
    assert re.search(
        r"Of other settings than params\.yaml has now: 2020-10 with .*, 5 × 100, other settings than .* now: learning_rate\.", fashion
    )
    assert "Too few" not in fashion and "Consistent" not in fashion


def test_a_short_run_of_the_base_is_told_whole_and_once(base, studies):
    run = make_run(base, "mnist-cnn", seeds=(0, 1), epochs=12)
    rows = recipe_rows(studies["recipes"], {}, base, {"mnist-cnn": run})
    assert [each.row.extent for each in rows if each.row.was_run] == ["2 of 5 × 12 of 100", "1 of 5 × 12 of 100"]
    (told,) = [answer for answer in recipe_answers(rows) if answer.startswith("mnist-cnn")]
    assert re.findall(r"2021-03 with [^;]*?, (\d of 5 × \d+ of 100)", told) == ["2 of 5 × 12 of 100"]


def test_a_recipe_whose_runs_spread_wider_than_the_published_ones_says_so(base, studies):
    runs = {"fashion-mlp-2020-10": make_run(studies["recipes"], "fashion-mlp-2020-10", epochs=100, plateau=89.72, spread=0.4)}
    fashion = recipe_answers(recipe_rows(studies["recipes"], runs, base, {}))[0]
    assert re.search(r"Spread, in published stddevs: 2020-10 [\d.]+ \[[\d.]+, [\d.]+\], wider\. But", fashion)


def test_recipes_that_were_not_run_are_named(base, studies):
    rows = recipe_rows(studies["recipes"], {}, base, {})
    assert recipe_answers(rows)[1] == "mnist-cnn, published 99.50 ± 0.02. Not run: 2021-03; 2020-10."


def test_augmentation_and_selection_are_settings_like_any_other(base, studies):
    """Two variants of one recipe keep their names apart, in results.csv too."""
    study = studies["recipes"]
    older = study.models["mnist-cnn-2020-10"]
    models = {
        "mnist-cnn-2020-10": older,
        "mnist-cnn-crop": older.model_copy(update={"augmentation": Augmentation(crop=2, flip=True)}),
        "mnist-cnn-held-out": base.models["mnist-cnn"].model_copy(update={"selection": "held-out", "like": "mnist-cnn"}),
    }
    found = recipe_rows(study.model_copy(update={"models": models}), {}, base, {})
    names = [each.row.recipe for each in found]
    assert names[0] == "2021-03" and names[3] == "selection held-out" and len(set(names)) == 4
    assert names[2].startswith("2020-10, ") and "crop 2, flip true" in names[2]
    assert "selection held-out" in found[3].row.variant and "selection test" in found[0].row.variant


def test_seeds_that_failed_are_told_of_a_recipe_and_one_that_fails_always_was_run(base, studies):
    """A mean of the seeds that survived is not one of all seeds."""
    study, key = studies["recipes"], "fashion-mlp-2020-10"
    some = {key: make_run(study, key, seeds=(0, 1, 2), epochs=100, plateau=80, failed={3: "silent", 4: "silent"})}
    every = {key: make_run(study, key, seeds=(), failed=dict.fromkeys(range(5), "silent"))}
    told, untold = (recipe_answers(recipe_rows(study, runs, base, {}))[0] for runs in (some, every))
    assert re.search(r"Lower: 2020-10 with [^;]*, 3 of 5 × 100, 2 of 5 seeds failed\.", told)
    assert "Training fails: 2020-10 (5 of 5 seeds). Not run: 2021-03" in untold
    assert untold.count("2020-10") == 1


def test_longer_runs_than_the_published_speak_neither_for_nor_against_a_recipe(base, studies):
    study, key = studies["recipes"], "fashion-mlp-2020-10"
    answer = recipe_answers(recipe_rows(study, {key: make_run(study, key, epochs=200, plateau=80)}, base, {}))[0]
    assert "More epochs to choose from than the published runs: 2020-10 with " in answer and "Lower" not in answer
