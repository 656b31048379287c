"""A settings file on a base: it ends as if it had said everything itself, and what cannot be meant is one clear error."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.paths import ROOT
from tsslbp.settings import Model, Settings, SettingsError, digest, load_settings

BASE: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text())
STUDY: dict[str, Any] = {
    "base": "../params.yaml",
    "experiment": "study",
    "folders": {name: f"study/{name}" for name in ("data", "runs", "checkpoints", "scratch", "reports")},
    "recipes": {"once": {"like": "2021-03", "target_filterings": 1}},
    "models": {"slow": {"like": "fashion-mlp", "learning_rate": 0.0001, "recipe": "once"}, "few": {"like": "mnist-cnn", "seeds": [7]}},
}
Change = Callable[[dict[str, Any]], object]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "study").mkdir()
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(BASE))
    return tmp_path


def load(folder: Path, change: Change = lambda raw: None) -> Settings:
    raw = copy.deepcopy(STUDY)
    change(raw)
    (folder / "study/params.yaml").write_text(yaml.safe_dump(raw))
    return load_settings(folder / "study/params.yaml")


def test_what_a_study_leaves_out_is_what_its_base_says(folder: Path) -> None:
    study, base = load(folder), load_settings(folder / "params.yaml")
    for section in ("seeds", "execution", "training", "datasets"):
        assert getattr(study, section) == getattr(base, section)
    assert study.recipes == {**base.recipes, "once": base.recipes["2021-03"].model_copy(update={"target_filterings": 1})}
    slow = base.models["fashion-mlp"].model_dump() | {"learning_rate": 0.0001, "recipe": "once"}
    assert study.models["slow"].model_dump() == slow
    assert study.published == {"slow": base.published["fashion-mlp"], "few": base.published["mnist-cnn"]}
    assert study.base is not None and study.base.samefile(folder / "params.yaml")


def test_a_study_is_what_it_would_be_if_it_said_everything_itself(folder: Path) -> None:
    study = load(folder)
    whole = study.model_dump(mode="json") | {"base": None}
    (folder / "whole.yaml").write_text(yaml.safe_dump(whole))
    alone = load_settings(folder / "whole.yaml")
    assert alone.model_dump() == study.model_dump() | {"base": None}
    assert [alone.identity(key) for key in study.models] == [study.identity(key) for key in study.models]


def test_names_and_seeds_are_no_part_of_what_a_run_is(folder: Path) -> None:
    """A model that differs from its base in seeds and epochs alone is the same experiment: its epochs are the base's."""
    study = load(folder, lambda raw: raw["models"]["few"].update(epochs=2))
    assert digest(study.identity("few")) == digest(load_settings(folder / "params.yaml").identity("mnist-cnn"))
    assert not {"seeds", "like"} & {*study.models["few"].model_dump(), *study.models["few"].model_dump(mode="json")}


def test_seeds_of_a_model_stand_in_for_those_of_all(folder: Path) -> None:
    study = load(folder)
    assert (study.seeds_of("few"), study.seeds_of("slow")) == ((7,), tuple(BASE["seeds"]))


def test_a_study_without_models_has_those_of_its_base(folder: Path) -> None:
    study = load(folder, lambda raw: raw.pop("models"))
    assert study.models == load_settings(folder / "params.yaml").models
    assert study.published.keys() == BASE["published"].keys()


def test_a_value_differs_as_a_whole(folder: Path) -> None:
    study = load(folder, lambda raw: raw["models"]["slow"].update(loss={"kind": "count", "desired_count": 4, "undesired_count": 1}))
    assert study.models["slow"].loss.model_dump() == {"kind": "count", "desired_count": 4.0, "undesired_count": 1.0}


WRONG: dict[str, tuple[Change, str]] = {
    "no such base": (lambda raw: raw.update(base="../parms.yaml"), r"base: got '\.\./parms\.yaml' \(str\); .*parms\.yaml: cannot be read"),
    "a base that is no path": (lambda raw: raw.update(base=[1]), r"base: got \[1\] \(list\); give the path of a settings file"),
    "a base that cannot be a path": (lambda raw: raw.update(base="\0"), "base: got"),
    "itself": (lambda raw: raw.update(base="params.yaml"), "base: got 'params.yaml' .*has a base itself; allowed is a file without one"),
    "like an unknown model": (
        lambda raw: raw["models"]["slow"].update(like="fashion"),
        r"models\.slow\.like: got 'fashion' \(str\); allowed, of the base: .*fashion-cnn, fashion-mlp",
    ),
    "like one of its own": (lambda raw: raw["models"]["slow"].update(like="few"), r"models\.slow\.like: got 'few' \(str\); allowed"),
    "like a list": (lambda raw: raw["models"]["slow"].update(like=["mnist-cnn"]), r"models\.slow\.like: got \['mnist-cnn'\] \(list\)"),
    "like an unknown recipe": (
        lambda raw: raw["recipes"]["once"].update(like="2022"),
        r"recipes\.once\.like: got '2022' \(str\); allowed, of the base: 2020-06, 2020-10, 2021-03",
    ),
    "a recipe of the base": (
        lambda raw: raw["recipes"].update({"2020-10": {"like": "2021-03"}}),
        r"recipes\.2020-10: is a recipe of the base; give yours a name of its own",
    ),
    "seeds of its own": (
        lambda raw: raw.update(seeds=[0]),
        "seeds: is the base's, where DVC watches it; a model may have `seeds` of its own",
    ),
    "a training of its own": (lambda raw: raw.update(training={"clip_norm": 0.5}), "training: is the base's"),
    "no experiment": (lambda raw: raw.pop("experiment"), "experiment: missing; a file with a base needs its own"),
    "no folders": (lambda raw: raw.pop("folders"), "folders: missing; a file with a base needs its own"),
    "the base's folder": (
        lambda raw: raw["folders"].update(runs="reports/runs"),
        r"folders\.runs: got 'reports/runs', which holds the base's results; choose another",
    ),
    "the base's folder, written in another way": (
        lambda raw: raw["folders"].update(runs="reports/../reports/runs"),
        r"folders\.runs: got 'reports/\.\./reports/runs', which holds the base's results; choose another",
    ),
    "like none and not complete": (lambda raw: raw["models"]["slow"].pop("like"), r"models\.slow\.architecture: missing"),
    "unknown beside like": (lambda raw: raw["models"]["slow"].update(taus=2), r"models\.slow\.taus: unknown setting; allowed here: .*like"),
    "impossible beside like": (lambda raw: raw["models"]["slow"].update(time_steps=7), r"models\.slow: loss\.desired_train has 5 steps"),
    "a seed twice": (lambda raw: raw["models"]["few"].update(seeds=[1, 1]), r"models\.few\.seeds: got .*1 appears more than once"),
    "no seed": (lambda raw: raw["models"]["few"].update(seeds=[]), r"models\.few\.seeds: got"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_named_with_what_is_allowed(case: str, folder: Path) -> None:
    change, message = WRONG[case]
    with pytest.raises(SettingsError, match=message) as caught:
        load(folder, change)
    assert all(line.startswith(str(folder / "study/params.yaml")) for line in str(caught.value).splitlines())


def test_what_is_wrong_in_the_base_is_told_with_its_name(folder: Path) -> None:
    (folder / "params.yaml").write_text(yaml.safe_dump(BASE | {"seeds": []}))
    with pytest.raises(SettingsError, match=r"^\S*/study/\.\./params\.yaml: seeds: got"):
        load(folder)


def test_a_base_of_a_base_is_refused(folder: Path) -> None:
    load(folder)
    (folder / "third").mkdir()
    (folder / "third/params.yaml").write_text(yaml.safe_dump(STUDY | {"base": "../study/params.yaml"}))
    with pytest.raises(SettingsError, match=r"third/params\.yaml: base: got .*study/params\.yaml has a base itself"):
        load_settings(folder / "third/params.yaml")


def test_like_needs_a_base(folder: Path) -> None:
    raw = copy.deepcopy(BASE)
    raw["models"]["mnist-cnn"]["like"] = "fashion-mlp"
    (folder / "params.yaml").write_text(yaml.safe_dump(raw))
    with pytest.raises(SettingsError, match=r"models\.mnist-cnn\.like: got 'fashion-mlp', but this file has no base"):
        load_settings(folder / "params.yaml")


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=8) | st.integers(), inner, max_size=2),
)
PLACES = [
    ("base",),
    ("recipes",),
    ("models",),
    ("published",),
    ("recipes", "once"),
    ("recipes", "once", "like"),
    ("models", "slow"),
    ("models", "slow", "like"),
]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.sampled_from(PLACES), new=values)
def test_any_change_gives_settings_or_a_settings_error(folder: Path, place: tuple[str, ...], new: object) -> None:
    def change(raw: dict[str, Any]) -> None:
        for key in place[:-1]:
            raw = raw[key]
        raw[place[-1]] = new

    try:
        assert isinstance(load(folder, change), Settings)
    except SettingsError as error:
        assert "params.yaml" in str(error)


def test_like_and_seeds_are_all_that_a_model_has_beside_its_settings() -> None:
    """Whoever adds a field that is not dumped takes it out of every identity: two different runs would pass for one."""
    assert {name for name, field in Model.model_fields.items() if field.exclude} == {"like", "seeds"}
