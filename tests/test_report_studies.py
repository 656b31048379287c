"""Recipes beside published rows and variants beside the unchanged model: what is compared with what, and what may be said of it."""

import csv
import io
import re
from itertools import pairwise

import pytest

from tests.report_builders import make_run, mixed_runs, settings, study_runs, study_settings
from tsslbp.config import SettingsError
from tsslbp.report.ablation import ablation_answers, variants
from tsslbp.report.page import draw_pictures, results_page
from tsslbp.report.recipes import recipe_answers, recipe_rows
from tsslbp.report.rows import make_rows
from tsslbp.report.studies import make_studies
from tsslbp.report.tables import ablation_csv, results_csv, results_markdown, results_tex
from tsslbp.report.variants import cut


@pytest.fixture(scope="module")
def base():
    return settings()


@pytest.fixture(scope="module")
def studies():
    return study_settings()


@pytest.fixture(scope="module")
def base_runs(base):
    return mixed_runs(base) | {"fashion-mlp": make_run(base, "fashion-mlp", epochs=100, plateau=89.3)}


@pytest.fixture(scope="module")
def recipes(base, base_runs, studies):
    return recipe_rows(studies["recipes"], study_runs(studies)["recipes"], base, base_runs)


@pytest.fixture(scope="module")
def ablation(base, studies):
    return {(each.like, each.name): each for each in variants(studies["ablation"], study_runs(studies)["ablation"], base, {})}


@pytest.fixture(scope="module")
def whole(base, base_runs, studies):
    """Rows and studies, as the stage has them."""
    runs = study_runs(studies)
    return make_rows(base, base_runs), make_studies({name: (study, runs[name]) for name, study in studies.items()}, base, base_runs)


# --- recipes


def test_every_published_row_stands_beside_the_bases_recipe_and_then_each_other(recipes):
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
    assert whole.bests == tuple(seed.best for seed in base_runs["mnist-cnn"][0].seeds)
    assert (row.row.seeds, row.row.epochs) == (1, 20)
    assert row.bests == (max(epoch.test_accuracy for epoch in first.history[:20]),)
    assert row.row.best_minus_final == pytest.approx(row.bests[0] - first.history[19].test_accuracy)
    assert row.row.departures == ("1 of 5 seeds", "20 of 100 epochs")


def test_a_base_that_ran_no_seed_of_the_study_was_not_run_for_it(base, studies):
    run = make_run(base, "mnist-cnn", seeds=(3, 4))
    assert cut(run, {0}, 20) is None
    rows = recipe_rows(studies["recipes"], {}, base, {"mnist-cnn": run})
    assert [each.row.model for each in rows if each.row.was_run] == ["mnist-cnn"]  # whole, as its own row in the tables
    assert not next(each for each in rows if each.row.model == "mnist-cnn" and each.bests == ()).row.was_run


def test_a_recipe_is_named_by_the_settings_in_which_it_differs(recipes):
    told = {(each.row.model, each.row.recipe): each.settings for each in recipes}
    assert told["fashion-mlp", "2020-10"] == (
        "tau_s 2, desired_train 0,1,0,1,1, learning_rate 0.0002, gradient 2020-10, target_filterings 1, convolution_init kaiming_normal"
    )
    assert told["fashion-mlp", "2021-03"] == (
        "tau_s 3, desired_train 0,1,1,1,1, learning_rate 0.0005, gradient 2021-03, target_filterings 2, convolution_init uniform"
    )
    assert "batch_size 100" in told["mnist-cnn", "2020-10"] and "batch_size 50" in told["mnist-cnn", "2021-03"]


def test_only_runs_like_the_published_ones_speak_for_a_recipe(recipes):
    fashion, mnist = recipe_answers(recipes)
    assert fashion == (
        "fashion-mlp, published 89.75 ± 0.03: consistent with 2020-10; inconsistent with 2021-03 (lower), 2021-03 filtered once (lower)."
    )
    assert mnist == (
        "mnist-cnn, published 99.50 ± 0.02: consistent with 2021-03; too few runs, epochs or data to tell for 2020-10 (1 of 5 × 20 of 100)."
    )


def test_recipes_that_were_not_run_are_named(base, studies):
    rows = recipe_rows(studies["recipes"], {}, base, {})
    assert recipe_answers(rows)[1] == "mnist-cnn, published 99.50 ± 0.02: not run: 2021-03, 2020-10."


# --- ablation


def test_differences_are_of_the_same_seeds_to_the_unchanged_model(ablation, studies):
    runs = study_runs(studies)["ablation"]
    own, reference = ({seed.seed: seed.best for seed in runs[f"fashion-mlp-{name}"][0].seeds} for name in ("surrogate", "2021-03"))
    found = ablation["fashion-mlp", "surrogate alone"]
    assert found.difference.values == tuple(own[seed] - reference[seed] for seed in range(5))
    assert found.settings == "gradient surrogate"


def test_an_effect_is_real_where_its_interval_excludes_zero(ablation):
    for variant in ablation.values():
        if variant.difference is not None and variant.difference.interval is not None:
            low, high = variant.difference.interval.low, variant.difference.interval.high
            assert (variant.effect == "real") == (low > 0 or high < 0)
    assert ablation["fashion-mlp", "surrogate alone"].effect == "real"
    assert ablation["fashion-mlp", "no intra-neuron term"].effect == "not shown"
    assert ablation["fashion-mlp", "unchanged"].effect == "unchanged"
    assert ablation["mnist-cnn", "no warm-up"].effect == "not run"
    assert ablation["fashion-mlp", "desired_train 0,1,0,1,1"].difference is None


def test_two_pairs_have_a_wide_interval_and_the_report_says_so(ablation):
    interval = ablation["mnist-cnn", "surrogate alone"].difference.interval
    values = ablation["mnist-cnn", "surrogate alone"].difference.values
    assert interval.high - interval.low == pytest.approx(12.706 * abs(values[0] - values[1]), rel=1e-4)
    caution = ablation_answers(tuple(ablation.values()))[-1]
    assert "12.7 standard errors with 2, 2.8 standard errors with 5" in caution
    assert "Of 5 intervals of 95 % about 0.2" in caution or "Of 5 intervals of 95 % about 0.3" in caution


def test_a_longer_run_has_no_more_epochs_to_choose_from(studies, base):
    study = studies["ablation"]
    runs = {
        "fashion-mlp-2021-03": make_run(study, "fashion-mlp-2021-03", epochs=15),
        "fashion-mlp-surrogate": make_run(study, "fashion-mlp-surrogate", epochs=9),
    }
    found = next(each for each in variants(study, runs, base, {}) if each.name == "surrogate alone")
    reference, own = (runs[f"fashion-mlp-{name}"][0].seeds[0].history for name in ("2021-03", "surrogate"))
    assert found.difference.values[0] == pytest.approx(
        max(epoch.test_accuracy for epoch in own) - max(epoch.test_accuracy for epoch in reference[:9])
    )
    assert "9 of 15 epochs" in found.note


def test_one_seed_in_common_is_too_few(studies, base):
    study = studies["ablation"]
    runs = {
        "fashion-mlp-2021-03": make_run(study, "fashion-mlp-2021-03", seeds=(0, 1), epochs=15),
        "fashion-mlp-surrogate": make_run(study, "fashion-mlp-surrogate", seeds=(1, 2), epochs=15),
        "fashion-mlp-no-intra": make_run(study, "fashion-mlp-no-intra", seeds=(7,), epochs=15),
    }
    effects = {each.name: (each.effect, each.difference is None) for each in variants(study, runs, base, {}) if each.row.was_run}
    assert effects["surrogate alone"] == ("too few pairs", False)
    assert effects["no intra-neuron term"] == ("too few pairs", True)


def test_a_variant_of_which_every_seed_failed_is_told_from_one_that_was_not_run(studies, base):
    study = studies["ablation"]
    silent = {0: "epoch 3: layer 3 never fired", 1: "epoch 3: layer 3 never fired"}
    runs = {
        "mnist-cnn-2021-03": make_run(study, "mnist-cnn-2021-03", seeds=(0, 1), epochs=5),
        "mnist-cnn-no-warmup": make_run(study, "mnist-cnn-no-warmup", seeds=(), failed=silent),
        "mnist-cnn-surrogate": make_run(study, "mnist-cnn-surrogate", seeds=(1,), epochs=5, failed={0: silent[0]}),
    }
    found = variants(study, runs, base, {})
    failed = next(each for each in found if each.like == "mnist-cnn" and each.name == "no warm-up")
    assert (failed.effect, failed.difference) == ("failed", None)
    assert "seed 1 failed: epoch 3" in failed.note
    answer = ablation_answers(found)[1]
    assert "Failed: no warm-up (2 of 2 seeds failed)." in answer
    assert re.search(r"Too few pairs: surrogate alone \S+ \(1 of 2 seeds failed\)\.", answer)


def test_where_a_study_has_no_unchanged_model_the_bases_run_is_cut_to_its_extent(studies, base):
    study = studies["ablation"]
    own = make_run(study, "fashion-cnn-bf16", seeds=(0,), epochs=5)
    whole = make_run(base, "fashion-cnn", epochs=20)
    unchanged, bf16 = (
        each for each in variants(study, {"fashion-cnn-bf16": own}, base, {"fashion-cnn": whole}) if each.like == "fashion-cnn"
    )
    assert (unchanged.name, unchanged.effect, unchanged.from_base, unchanged.note) == ("unchanged", "unchanged", True, "")
    assert (unchanged.row.seeds, unchanged.row.epochs) == (1, 5)
    assert bf16.difference.values == (own[0].seeds[0].best - max(epoch.test_accuracy for epoch in whole[0].seeds[0].history[:5]),)
    assert not any(each.was_run for each in (variant.row for variant in variants(study, {}, base, {})))


def test_runs_of_other_code_or_data_are_told_apart(studies, base):
    study = studies["ablation"]
    record, provenance = make_run(study, "fashion-mlp-surrogate", epochs=15)
    other = record.model_copy(update={"code": "0" * 32, "data": record.data.model_copy(update={"checksum": "1" * 32})})
    runs = {"fashion-mlp-2021-03": make_run(study, "fashion-mlp-2021-03", epochs=15), "fashion-mlp-surrogate": (other, provenance)}
    found = next(each for each in variants(study, runs, base, {}) if each.name == "surrogate alone")
    assert found.note == "other data than the unchanged runs; other code than the unchanged runs"


def test_an_ablation_has_one_unchanged_model(studies, base):
    models = {**studies["ablation"].models, "mnist-cnn-again": studies["ablation"].models["mnist-cnn-2021-03"]}
    with pytest.raises(SettingsError, match="mnist-cnn-2021-03, mnist-cnn-again are all mnist-cnn unchanged"):
        variants(studies["ablation"].model_copy(update={"models": models}), {}, base, {})


# --- every format


def test_csv_has_one_row_a_model_and_recipe(whole):
    lines = list(csv.DictReader(io.StringIO(results_csv(*whole))))
    pairs = [(line["model"], line["recipe"]) for line in lines]
    assert len(set(pairs)) == len(pairs) == 7 + 3
    assert pairs.index(("mnist-cnn", "2020-10")) == pairs.index(("mnist-cnn", "2021-03")) + 1
    assert next(line for line in lines if line["model"] == "mnist-cnn")["epochs"] == "100"


def test_ablation_csv_has_one_row_a_variant(whole):
    lines = list(csv.DictReader(io.StringIO(ablation_csv(whole[1]))))
    assert len({(line["model"], line["variant"]) for line in lines}) == len(lines) == 17
    real = next(line for line in lines if line["variant"] == "surrogate alone")
    assert float(real["difference_low"]) < float(real["difference"]) < float(real["difference_high"]) < 0
    assert (real["effect"], real["pairs"], real["epochs"]) == ("real", "5", "15")


def estimates(text: str) -> set[str]:
    """Every difference with its interval that stands in a text."""
    plain = text.replace("$-$", "−").replace("\u00a0", " ")
    return set(re.findall(r"[+−]?\d+\.\d\d \\?\[[+−]?\d+\.\d\d, [+−]?\d+\.\d\d\\?\]", plain.replace("\\[", "[").replace("\\]", "]")))


def test_every_format_has_the_same_numbers(whole):
    texts = [write(*whole) for write in (results_markdown, results_tex)]
    page = results_page(settings(), whole[0], {}, whole[1])
    found = [estimates(text) for text in (*texts, page)]
    assert found[0] == found[1] == found[2]
    assert len(found[0]) >= 3 + 5


def test_markdown_tables_are_rectangular(whole):
    for above, below in pairwise(results_markdown(*whole).splitlines()):
        if above.startswith("|") and below.startswith("|"):
            assert len(re.findall(r"(?<!\\)\|", above)) == len(re.findall(r"(?<!\\)\|", below))


def test_latex_rows_have_as_many_cells_as_columns(whole):
    for table in re.findall(r"\\begin\{tabular\}\{(?:@\{\})?([lr]+)(?:@\{\})?\}(.*?)\\end\{tabular\}", results_tex(*whole), re.DOTALL):
        body = table[1].split("\\midrule", 1)[1]
        for line in body.splitlines():
            if line.endswith(r"\\") and "multicolumn" not in line:
                assert len(re.findall(r"(?<!\\)&", line)) == len(table[0]) - 1, line


def test_the_page_shows_both_studies_and_their_pictures(whole, base_runs):
    pictures = draw_pictures(whole[0], {"mnist-cnn": base_runs["mnist-cnn"], **base_runs}, whole[1])
    assert [picture.name for picture in pictures["Recipes beside published"]] == ["recipes"]
    assert [picture.name for picture in pictures["Parts of the method"]] == ["ablation-fashion-mlp", "ablation-mnist-cnn"]
    for picture in (*pictures["Recipes beside published"], *pictures["Parts of the method"]):
        for fact in ("n = ", "ommit ", "Data: "):
            assert fact in picture.caption
    page = results_page(settings(), whole[0], pictures, whole[1])
    assert page.count("<table") == 6
    assert page.index('id="tables"') < page.index('id="recipes"') < page.index('id="ablation"') < page.index("<figure>")
    for body, columns in re.findall(r'<table class="(?:recipes|ablation)">(.*?)</table>()', page, re.DOTALL):
        widths = {
            sum(map(int, re.findall(r'colspan="(\d+)"', row))) + len(re.findall(r"<t[hd](?![^>]*colspan)", row))
            for row in re.findall(r"<tr.*?</tr>", body, re.DOTALL)
        }
        assert len(widths) == 1, columns


def test_studies_that_were_not_run_say_so_in_every_format(base, studies):
    nothing = make_studies({name: (study, {}) for name, study in studies.items()}, base, {})
    rows = make_rows(base, {})
    for text in (results_markdown(rows, nothing), results_tex(rows, nothing), results_page(base, rows, {}, nothing)):
        assert "fashion-mlp, published" in text
        assert "Not run: unchanged; surrogate alone" in text
    assert draw_pictures(rows, {}, nothing) == {}
    assert ablation_csv(nothing).count("not run") == 17


def test_a_pipeline_without_studies_has_no_word_of_them(whole):
    text = results_markdown(whole[0])
    assert "recipe gives" not in text and "each part of the method" not in text
