"""What an ablation found, in sentences: how many pairs, what they could have shown, and how it stood in time."""

from dataclasses import replace

import pytest

from tests.support.report_builders import make_run, sample_studies, study_runs
from tsslbp.report.numbers import paired
from tsslbp.report.power import effect_found_mostly
from tsslbp.report.statistics import Interval
from tsslbp.report.studies.ablation import variants
from tsslbp.report.studies.answers import ablation_answers, variant_answers


@pytest.fixture(scope="module")
def ablation(base):
    studies = sample_studies()
    return {(each.like, each.name): each for each in variants(studies["ablation"], study_runs(studies)["ablation"], base, {})}


def test_two_pairs_have_a_wide_interval_and_the_report_says_so(ablation):
    interval = ablation["mnist-cnn", "surrogate alone"].difference.interval
    values = ablation["mnist-cnn", "surrogate alone"].difference.values
    assert interval.high - interval.low == pytest.approx(12.706 * abs(values[0] - values[1]), rel=1e-4)
    caution = ablation_answers(tuple(ablation.values()))[-1]
    assert "12.7 standard errors with 2, 2.8 standard errors with 5" in caution
    assert "Of the 15 intervals of 95 % that the variants have beside the unchanged method, about 0.8" in caution


def test_a_sentence_says_how_many_pairs_and_the_smallest_effect_that_they_could_have_shown(ablation):
    found = variant_answers(tuple(ablation.values()))
    intra = ablation["fashion-mlp", "no intra-neuron term"]
    interval = intra.difference.interval
    assert found["no intra-neuron term"][0] == (
        f"fashion-mlp, Fashion-MNIST: {paired(intra.difference)} points, 5 pairs of seeds, 15 epochs: not shown; a difference below "
        f"{(interval.high - interval.low) / 2:.2f} would not have been told from zero, a true effect of "
        f"{effect_found_mostly(intra.difference):.2f} is found four times in five. Best of the first 3: {paired(intra.pairs.early)}; after the last: "
        f"{paired(intra.pairs.last)}."
    )
    assert "5 pairs of seeds" in found["surrogate alone"][0] and ": real; a difference below 0." in found["surrogate alone"][0]
    assert found["desired_train 0,1,0,1,1"][0] == "fashion-mlp, Fashion-MNIST: not run."
    assert "unchanged" not in found


def test_numbers_of_other_settings_than_now_say_so_beside_the_name_of_the_present_ones(base):
    study = sample_studies()["ablation"]
    runs = study_runs(sample_studies())["ablation"]
    edited = study.model("fashion-mlp-no-intra").model_copy(update={"learning_rate": 0.5})
    edited_study = study.model_copy(update={"models": {**study.models, "fashion-mlp-no-intra": edited}})

    def told(settings):
        """The names of the variants of which a sentence says so."""
        found = variant_answers(variants(settings, runs, base, {}))
        return [name for name, group in found.items() if "other settings than params.yaml has now: learning_rate" in " ".join(group)]

    assert told(study) == []
    assert told(edited_study) == ["no intra-neuron term"]


def test_a_part_of_the_test_data_gives_no_verdict_whatever_the_pairs_agree_on(base):
    """The interval knows of the seeds' spread alone, and a percent is one of a hundred samples."""
    study = sample_studies()["ablation"]
    runs = {
        "fashion-mlp-2021-03": make_run(study, "fashion-mlp-2021-03", epochs=15, plateau=89, subset=("100 of 10,000",)),
        "fashion-mlp-surrogate": make_run(study, "fashion-mlp-surrogate", epochs=15, plateau=80, subset=("100 of 10,000",)),
    }
    found = variants(study, runs, base, {})
    sentence = variant_answers(found)["surrogate alone"][0]
    assert "5 pairs of seeds, 15 epochs, subset: too few samples. Best of" in sentence
    assert "Too few samples: surrogate alone" in ablation_answers(found)[0]


def test_looks_that_tell_different_stories_are_told_in_one_more_sentence(ablation):
    found = ablation["fashion-mlp", "surrogate alone"]
    ahead, behind, open_ = (replace(found.pairs.best, interval=Interval(*ends)) for ends in ((0.1, 0.3), (-0.3, -0.1), (-0.1, 0.3)))
    two = replace(ahead, seeds=(0, 1))

    def last_sentence(*models):
        """Of models with a difference early, one of the bests of all epochs, and one after the last."""
        group = [
            replace(found, like=f"model {number}", pairs=replace(found.pairs, early=early, best=best, last=last))
            for number, (early, best, last) in enumerate(models)
        ]
        return variant_answers(group)["surrogate alone"][-1]

    nowhere = "nowhere told from the unchanged method"
    assert last_sentence((ahead, open_, open_), (open_, open_, behind), (ahead, open_, open_)) == (
        "By the intervals of 5 pairs or more, the variant is ahead on model 0, model 2 by the best of the first quarter of the epochs; "
        f"{nowhere} by the best of all that both ran; behind on model 1 after the last of these."
    )
    assert last_sentence((ahead, open_, open_)).endswith(f"{nowhere} by the best of all that both ran and after the last of these.")
    assert last_sentence((ahead, ahead, ahead), (open_, open_, open_)).startswith("model 1, ")
    assert last_sentence((open_, replace(ahead, interval=None), open_)).startswith("model 0, ")
    assert last_sentence((two, replace(two, interval=open_.interval), two)).startswith("model 0, ")  # two that happen to agree
