"""The two studies: what they are made of, and that a study's stage runs what it says, where it says."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from stages.common import STUDIES, load_studies, stage_name
from tests.support.in_process import prepare, train
from tests.support.paths import ROOT
from tests.support.project import MODEL, Project
from tsslbp.settings import Settings, SettingsError
from tsslbp.storage.record_files import read_record
from tsslbp.tracking import tracking_store, verify


def changes(settings: Settings, key: str, base: Settings) -> dict[str, Any]:
    """What decides the weights of a model and is not what its base has."""
    like = settings.models[key].like
    assert like is not None
    before, after = (flat(each) for each in (base.identity(like), settings.identity(key)))
    return {name: value for name, value in after.items() if before[name] != value}


def flat(identity: Mapping[str, Any]) -> dict[str, Any]:
    return {f"{section}.{name}": value for section, values in identity.items() for name, value in values.items()}


@pytest.mark.parametrize("name", STUDIES)
def test_every_model_of_a_study_is_like_one_of_the_base_on_its_data(name: str, studies: dict[str, Settings], base: Settings) -> None:
    study, raw = studies[name], yaml.safe_load((ROOT / "studies" / name / "params.yaml").read_text())
    for key, model in study.models.items():
        assert model.like in base.models
        assert raw["models"][key]["dataset"] == base.models[model.like].dataset  # DVC reads it there
        assert key.startswith(model.like)
    assert study.folders.data == base.folders.data
    assert study.experiment != base.experiment


ONE_THING: dict[str, dict[str, Any]] = {
    "2021-03": {},
    "surrogate": {"recipe.gradient": "surrogate"},
    "no-warmup": {"recipe.gradient": "no-warmup"},
    "no-intra": {"recipe.gradient": "no-intra"},
    "filtered-once": {"recipe.target_filterings": 1},
    "train-01011": {"model.loss": {"kind": "kernel", "desired_train": [0, 1, 0, 1, 1]}},
    "train-11111": {"model.loss": {"kind": "kernel", "desired_train": [1, 1, 1, 1, 1]}},
    "held-out": {"model.selection": "held-out"},
    "bf16": {"model.precision": "bf16"},
}
"""What differs, by the end of a variant's name."""


def test_ablations_change_the_one_thing_that_their_names_say(studies: dict[str, Settings], base: Settings) -> None:
    study = studies["ablation"]
    for key, model in study.models.items():
        assert changes(study, key, base) == ONE_THING[key.removeprefix(f"{model.like}-")]
    assert {model.like for model in study.models.values()} == {"fashion-mlp", "mnist-cnn", "fashion-cnn"}


@pytest.mark.parametrize(("like", "pairs"), [("fashion-mlp", 10), ("mnist-cnn", 5), ("fashion-cnn", 3)])
def test_the_surrogate_alone_has_an_unchanged_run_of_each_seed_and_as_many_epochs(
    like: str, pairs: int, studies: dict[str, Settings], base: Settings
) -> None:
    """In the study, or in the base where that has enough of both."""
    study = studies["ablation"]
    key = f"{like}-2021-03"
    home, unchanged = (study, key) if key in study.models else (base, like)
    assert home.model(unchanged).epochs >= study.model(f"{like}-surrogate").epochs
    assert study.seeds_of(f"{like}-surrogate") == tuple(range(pairs))
    assert set(home.seeds_of(unchanged)) >= set(range(pairs))


def test_recipes_are_the_states_of_the_reference_code(studies: dict[str, Settings], base: Settings) -> None:
    """What the code that was public when the table appeared had, and the final code did not."""
    first_state = {
        "recipe.gradient": "2020-10",
        "recipe.target_filterings": 1,
        "recipe.convolution_init": "kaiming_normal",
        "model.loss": {"kind": "kernel", "desired_train": [0, 1, 0, 1, 1]},
        "model.tau_s": 2.0,
    }
    study = studies["recipes"]
    assert changes(study, "fashion-mlp-2020-10", base) == {**first_state, "model.learning_rate": 0.0002}
    assert changes(study, "mnist-cnn-2020-10", base) == {**first_state, "model.batch_size": 100}
    assert changes(study, "fashion-mlp-filtered-once", base) == {"recipe.target_filterings": 1}
    submission = first_state | {"recipe.gradient": "2020-06", "model.learning_rate": 0.0002}
    assert changes(study, "fashion-mlp-2020-06", base) == submission
    assert changes(study, "mnist-cnn-2020-06", base) == submission | {"model.batch_size": 100}


def test_augmentations_of_the_reference_s_loaders_are_hypotheses(studies: dict[str, Settings], base: Settings) -> None:
    study = studies["recipes"]
    moved = [key for key in study.models if changes(study, key, base).keys() == {"model.augmentation"}]
    assert len(moved) == 5
    assert all(study.models[key].recipe.startswith("hypothesis") for key in moved)


def test_a_pipeline_without_studies_has_none() -> None:
    assert load_studies(ROOT / "quickstart/params.yaml") == {}


def test_a_study_of_another_pipeline_is_refused(tmp_path: Path) -> None:
    for name in ("params.yaml", "other.yaml"):
        shutil.copy(ROOT / "params.yaml", tmp_path / name)
    shutil.copytree(ROOT / "studies", tmp_path / "studies")
    path = tmp_path / "studies/recipes/params.yaml"
    path.write_text(path.read_text().replace("base: ../../params.yaml", "base: ../../other.yaml"))
    with pytest.raises(SettingsError, match=r"studies/recipes/params\.yaml: base: got .*other\.yaml; a study in this folder has the base"):
        load_studies(tmp_path / "params.yaml")


def test_stages_are_named_as_dvc_names_them() -> None:
    assert stage_name("fit", Path("params.yaml"), "a") == "fit@a"
    assert stage_name("train", Path("studies/recipes/params.yaml"), "a") == "studies/recipes/dvc.yaml:train@a"


@pytest.mark.parametrize("params", ["params.yaml", "quickstart/params.yaml", "studies/recipes/params.yaml"])
def test_a_stage_has_one_name_however_its_settings_are_typed(params: str) -> None:
    for typed in (Path(params).absolute(), Path("studies/..") / params):
        assert stage_name("fit", typed, "a") == stage_name("fit", Path(params), "a")


STUDY = f"""
base: ../../params.yaml
experiment: small-study
folders:
  {{data: data, runs: reports/studies/recipes/runs, checkpoints: checkpoints/studies, scratch: .scratch/studies, reports: reports/studies}}
models:
  shorter: {{like: {MODEL}, dataset: digits, epochs: 2, seeds: [1]}}
  surrogate: {{like: {MODEL}, dataset: digits, epochs: 2, seeds: [1], recipe: surrogate}}
recipes:
  surrogate: {{like: "2021-03", gradient: surrogate}}
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Project:
    """A small pipeline and a study of it, both trained."""
    project = Project(tmp_path_factory.mktemp("study") / "project", empty_database)
    (project.folder / "studies/recipes").mkdir(parents=True)
    (project.folder / "studies/recipes/params.yaml").write_text(STUDY)
    prepare(project.folder)
    assert train(project.folder, MODEL) == 0
    for key in ("shorter", "surrogate"):
        assert train(project.folder, key, "--params", "studies/recipes/params.yaml") == 0
    return project


def test_the_first_epochs_of_a_longer_run_are_the_shorter_run(project: Project) -> None:
    """So a study may take the base's own run for a variant that differs in its epochs alone."""
    long, _ = read_record(project.folder / "reports/runs" / MODEL)
    short, _ = read_record(project.folder / "reports/studies/recipes/runs/shorter")
    other, _ = read_record(project.folder / "reports/studies/recipes/runs/surrogate")
    assert [seed.seed for seed in short.seeds] == [1]
    assert short.seeds[0].history == long.seeds[1].history[:2]
    assert other.seeds[0].history != short.seeds[0].history


def test_a_study_logs_beside_its_base_in_an_experiment_of_its_own(project: Project) -> None:
    assert not (project.folder / "studies/recipes/mlflow.db").exists()
    records = [read_record(project.folder / folder)[0] for folder in (f"reports/runs/{MODEL}", "reports/studies/recipes/runs/shorter")]
    assert records[0].experiment != records[1].experiment == "small-study"
    verify(tracking_store(project.folder), records)


def test_a_variant_that_cannot_be_trained_is_a_finding_and_the_study_goes_on(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    path = project.folder / "studies/recipes/silent.yaml"
    path.write_text(STUDY.replace("recipe: surrogate}", "threshold: 1000.0}"))
    assert train(project.folder, "surrogate", "--params", "studies/recipes/silent.yaml") == 0
    assert "surrogate: every seed failed" in capsys.readouterr().err
    record, provenance = read_record(project.folder / "reports/studies/recipes/runs/surrogate")
    assert record.seeds == ()
    assert "never fired" in (provenance.seeds[0].failed or "")
    assert (project.folder / "checkpoints/studies/surrogate").is_dir()


def test_a_wrong_study_is_one_message(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    path = project.folder / "studies/wrong.yaml"
    path.write_text(STUDY.replace("../../params.yaml", "../params.yaml").replace(f"like: {MODEL}", "like: digits"))
    assert train(project.folder, "shorter", "--params", "studies/wrong.yaml") == 1
    message = f"studies/wrong.yaml: models.shorter.like: got 'digits' (str); allowed, of the base: {MODEL}"
    assert message in capsys.readouterr().err
