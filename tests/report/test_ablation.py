"""Variants beside the unchanged model: what is compared with what, and which effect is called real."""

import pytest

from tests.support.report_builders import make_run, sample_studies, study_runs
from tsslbp.report.statistics import HALF_UNIT
from tsslbp.report.studies.ablation import variants
from tsslbp.report.studies.answers import ablation_answers
from tsslbp.settings import SettingsError


@pytest.fixture(scope="module")
def studies():
    return sample_studies()


@pytest.fixture(scope="module")
def ablation(base, studies):
    return {(each.like, each.name): each for each in variants(studies["ablation"], study_runs(studies)["ablation"], base, {})}


def test_differences_are_of_the_same_seeds_to_the_unchanged_model(ablation, studies):
    runs = study_runs(studies)["ablation"]
    own, reference = ({seed.seed: seed.best for seed in runs[f"fashion-mlp-{name}"][0].seeds} for name in ("surrogate", "2021-03"))
    found = ablation["fashion-mlp", "surrogate alone"]
    assert found.difference.values == tuple(own[seed] - reference[seed] for seed in range(5))
    assert found.row.variant == "gradient surrogate"


def test_an_effect_is_real_where_its_interval_excludes_zero(ablation):
    for variant in ablation.values():
        if variant.difference is not None and variant.difference.interval is not None:
            assert (variant.effect == "real") == (variant.difference.interval.side is not None)
    assert ablation["fashion-mlp", "surrogate alone"].effect == "real"
    assert ablation["fashion-mlp", "no intra-neuron term"].effect == "not shown"
    assert ablation["fashion-mlp", "unchanged"].effect == "unchanged"
    assert ablation["mnist-cnn", "no warm-up"].effect == "not run"
    assert ablation["fashion-mlp", "desired_train 0,1,0,1,1"].difference is None


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


def test_early_and_last_are_of_the_first_quarter_and_of_the_last_epoch_that_both_have(studies, base):
    study = studies["ablation"]
    runs = {
        "fashion-mlp-2021-03": make_run(study, "fashion-mlp-2021-03", epochs=15),
        "fashion-mlp-surrogate": make_run(study, "fashion-mlp-surrogate", epochs=9),
    }
    pairs = next(each for each in variants(study, runs, base, {}) if each.name == "surrogate alone").pairs
    reference, own = (
        [epoch.test_accuracy for epoch in runs[f"fashion-mlp-{name}"][0].seeds[0].history] for name in ("2021-03", "surrogate")
    )
    assert (pairs.epochs, pairs.quarter) == (9, 2)
    assert pairs.early.values[0] == pytest.approx(max(own[:2]) - max(reference[:2]))
    assert pairs.last.values[0] == pytest.approx(own[8] - reference[8])


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
    assert (failed.effect, failed.difference) == ("training fails", None)
    assert failed.outcome == "training fails (2 of 2 seeds)"
    assert "seeds 0, 1 failed: epoch 3" in failed.note
    answer = ablation_answers(found)[1]
    assert "Training fails: surrogate alone (1 of 2 seeds); no warm-up (2 of 2 seeds)." in answer


def test_failed_training_is_the_result_although_the_other_seeds_can_be_compared(studies, base):
    study = studies["ablation"]
    runs = {
        "fashion-mlp-2021-03": make_run(study, "fashion-mlp-2021-03", epochs=15, plateau=88.5),
        "fashion-mlp-no-warmup": make_run(
            study, "fashion-mlp-no-warmup", seeds=(1, 2), epochs=15, plateau=20, failed={0: "a", 3: "a", 4: "b"}
        ),
    }
    found = next(each for each in variants(study, runs, base, {}) if each.name == "no warm-up")
    assert (found.effect, found.outcome) == ("training fails", "training fails (3 of 5 seeds)")
    assert found.difference.interval is not None


def test_variants_of_one_recipe_are_told_apart_by_their_settings(studies, base):
    """As selection or augmentation will be: settings like any other."""
    study = studies["ablation"]
    models = {key: study.models[key] for key in ("mnist-cnn-2021-03", "mnist-cnn-surrogate")}
    wider = study.models["mnist-cnn-surrogate"].model_copy(update={"dropout": 0.1, "threshold": 0.5})
    shown = variants(study.model_copy(update={"models": {**models, "mnist-cnn-wider": wider}}), {}, base, {})
    assert [each.name for each in shown] == [
        "unchanged",
        "surrogate alone, gradient surrogate",
        "surrogate alone, threshold 0.5, dropout 0.1, gradient surrogate",
    ]


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


def test_the_bases_run_is_as_long_as_the_longest_beside_it(studies, base):
    """A longer run of another study may stand in a variant's place: it is compared over all that both have."""
    own = make_run(studies["ablation"], "fashion-cnn-bf16", seeds=(0,), epochs=12)
    whole = make_run(base, "fashion-cnn", epochs=20)
    found = variants(studies["ablation"], {"fashion-cnn-bf16": own}, base, {"fashion-cnn": whole})
    unchanged, bf16 = (each for each in found if each.like == "fashion-cnn")
    assert unchanged.row.epochs == 12
    assert bf16.difference.values == (own[0].seeds[0].best - max(epoch.test_accuracy for epoch in whole[0].seeds[0].history[:12]),)


def test_an_unchanged_model_that_waits_to_be_run_is_the_bases_run_until_then(studies, base):
    study = studies["ablation"]
    own = make_run(study, "fashion-mlp-surrogate", epochs=15)
    whole = make_run(base, "fashion-mlp", epochs=20)
    found = {
        each.name: each
        for each in variants(study, {"fashion-mlp-surrogate": own}, base, {"fashion-mlp": whole})
        if each.like == "fashion-mlp"
    }
    assert (found["unchanged"].from_base, found["unchanged"].row.epochs) == (True, 15)
    assert len(found["surrogate alone"].difference.seeds) == 5
    assert sum(each.effect == "unchanged" for each in found.values()) == 1


def test_runs_of_other_code_or_data_are_told_apart(studies, base):
    study = studies["ablation"]
    record, provenance = make_run(study, "fashion-mlp-surrogate", epochs=15)
    other = record.model_copy(update={"code": "0" * 32, "data": record.data.model_copy(update={"checksum": "1" * 32})})
    runs = {"fashion-mlp-2021-03": make_run(study, "fashion-mlp-2021-03", epochs=15), "fashion-mlp-surrogate": (other, provenance)}
    found = next(each for each in variants(study, runs, base, {}) if each.name == "surrogate alone")
    assert found.note == "other data than the unchanged runs; other code than the unchanged runs"


@pytest.mark.parametrize(
    ("device", "own", "theirs", "note"),
    [
        ("cpu, a processor", "onednn", "blas", "other library of products than the unchanged runs"),
        ("cpu, a processor", "blas", "blas", ""),
        ("cpu, a processor", "blas", None, ""),  # an older record does not say it
        ("cuda, a GPU", "onednn", "blas", ""),  # a GPU has its own, whatever was chosen for CPUs
    ],
)
def test_pairs_with_another_library_of_products_are_told_apart(studies, base, device, own, theirs, note):
    assert _note_of_pairs(studies, base, {"products": own, "device": device}, {"products": theirs, "device": device}) == note


@pytest.mark.parametrize(
    ("device", "note"),
    [
        ("cpu, a processor", "other number of threads than the unchanged runs"),
        ("cuda, a GPU", ""),  # no CPU's thread takes part in its sums
    ],
)
def test_pairs_with_another_number_of_threads_are_told_apart(studies, base, device, note):
    assert _note_of_pairs(studies, base, {"threads": 2, "device": device}, {"threads": 1, "device": device}) == note


def _note_of_pairs(studies, base, own, theirs):
    """What is noted of pairs of which one has this provenance on either side; the others are alike."""
    study = studies["ablation"]

    def of(model, changes):
        record, provenance = make_run(study, model, epochs=15)
        seeds = (provenance.seeds[0].model_copy(update=changes), *provenance.seeds[1:])
        return record, provenance.model_copy(update={"seeds": seeds})

    runs = {"fashion-mlp-2021-03": of("fashion-mlp-2021-03", theirs), "fashion-mlp-surrogate": of("fashion-mlp-surrogate", own)}
    return next(each for each in variants(study, runs, base, {}) if each.name == "surrogate alone").note


def test_an_ablation_has_one_unchanged_model(studies, base):
    models = {**studies["ablation"].models, "mnist-cnn-again": studies["ablation"].models["mnist-cnn-2021-03"]}
    with pytest.raises(SettingsError, match="mnist-cnn-2021-03, mnist-cnn-again are all mnist-cnn unchanged"):
        variants(studies["ablation"].model_copy(update={"models": models}), {}, base, {})


def test_the_smallest_effect_is_where_a_shifted_difference_begins_to_be_real(studies, base):
    """Adding a constant to every pair moves the interval and leaves its width: half of that is the border."""
    study = studies["ablation"]
    own, reference = (make_run(study, f"fashion-mlp-{name}", epochs=15, plateau=88) for name in ("surrogate", "2021-03"))
    first = _surrogate(study, base, own, reference)
    half = first.difference.interval.half_width
    for beyond, effect in ((-1e-6, "not shown"), (1e-6, "real")):
        shift = half - first.difference.mean + HALF_UNIT + beyond
        seeds = tuple(
            seed.model_copy(
                update={"history": tuple(epoch.model_copy(update={"test_accuracy": epoch.test_accuracy + shift}) for epoch in seed.history)}
            )
            for seed in own[0].seeds
        )
        moved = own[0].model_copy(update={"seeds": seeds}), own[1]
        assert _surrogate(study, base, moved, reference).effect == effect


def _surrogate(study, base, own, reference):
    runs = {"fashion-mlp-2021-03": reference, "fashion-mlp-surrogate": own}
    return next(each for each in variants(study, runs, base, {}) if each.name == "surrogate alone")
