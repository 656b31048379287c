"""params.yaml: what is right loads, and whatever else stands in it is one SettingsError that says what and where."""

import copy
import re
from pathlib import Path
from typing import Any, Literal

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import Field, ValidationError

from tests.settings.wrong_settings import UNUSABLE, WRONG, Change, changed, model
from tests.support.paths import ROOT
from tsslbp.settings import KernelLossSettings, Settings, SettingsError, digest, load_settings
from tsslbp.settings.fields import Section, Share
from tsslbp.settings.losses import LossSection
from tsslbp.settings.messages import explain

SMALL: dict[str, Any] = yaml.safe_load((ROOT / "quickstart" / "params.yaml").read_text())


def load(path: Path, raw: object) -> Settings:
    path.write_text(raw if isinstance(raw, str) else yaml.safe_dump(raw), encoding="utf-8")
    return load_settings(path)


@pytest.mark.parametrize("name", ["params.yaml", "quickstart/params.yaml"])
def test_the_files_of_the_project_are_right(name: str) -> None:
    assert load_settings(ROOT / name).models


@pytest.mark.parametrize("case", UNUSABLE)
def test_what_a_later_stage_could_not_use_is_refused_with_the_fields_name(case: str, tmp_path: Path) -> None:
    change, message = UNUSABLE[case]
    with pytest.raises(SettingsError, match=message) as caught:
        load(tmp_path / "params.yaml", changed(change))
    assert all(line.isprintable() for line in str(caught.value).splitlines())


@pytest.mark.parametrize("change", [lambda raw: raw.update(seeds=[-1]), model(seeds=[-1]), model(padding=[0, -1])])
def test_one_mistake_is_one_line(change: Change, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r": got -1 \(int\); allowed: 0 or more$") as caught:
        load(tmp_path / "params.yaml", changed(change))
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("name", ["kernel", "count", "int", "tuple"])
def test_a_model_may_have_the_name_of_a_choice(name: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=rf"models\.{name}\.epochs: got 0"):
        load(tmp_path / "params.yaml", changed(lambda raw: raw["models"].update({name: raw["models"]["mnist-cnn"] | {"epochs": 0}})))


class Sharp(LossSection):
    kind: Literal["sharp"]
    slope: Share


class WithOneMoreLoss(Section):
    loss: KernelLossSettings | Sharp = Field(discriminator="kind")


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"kind": "sharp", "slope": 2}, "p: loss.slope: got 2 (int); allowed: less than 1.0"),
        ({"kind": "sharp", "slop": 2, "slope": 0}, "p: loss.slop: unknown setting; allowed here: kind, slope"),
        ({"kind": "count"}, "p: loss: kind: got 'count' (str); allowed: 'kernel', 'sharp'"),
    ],
)
def test_messages_know_a_new_loss_by_its_section(section: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        WithOneMoreLoss.model_validate({"loss": section})
    assert explain(Path("p"), caught.value, WithOneMoreLoss) == message


def test_no_file_of_the_settings_but_their_own_knows_a_loss() -> None:
    for path in (ROOT / "tsslbp/settings").glob("*.py"):
        assert path.name in ("losses.py", "__init__.py") or not re.search(r"[\"']kernel[\"']|KernelLoss", path.read_text()), path


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_named_with_what_is_allowed(case: str, tmp_path: Path) -> None:
    change, message = WRONG[case]
    with pytest.raises(SettingsError, match=message) as caught:
        load(tmp_path / "params.yaml", changed(change))
    assert all(line.startswith(str(tmp_path / "params.yaml")) for line in str(caught.value).splitlines())


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    def twice(raw: dict[str, Any]) -> None:
        raw["models"]["mnist-cnn"].update(epochs=0, dropout=1)

    with pytest.raises(SettingsError) as caught:
        load(tmp_path / "params.yaml", changed(twice))
    assert len(str(caught.value).splitlines()) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected sections"),
        ("- 1", "expected sections"),
        ("seeds: [1", "is not valid YAML"),
        ("seeds: [1]\nseeds: [2]", "the key 'seeds' appears twice"),
        ("a: !!python/object/apply:os.system [touch here]", "is not valid YAML"),
        ("a: 2001-99-99", "is not valid YAML"),  # a date to YAML
        ("a: 0x_", "is not valid YAML"),  # a number to PyYAML
        ("a: !!bool perhaps", "is not valid YAML"),
        (r'a: "\Uffffffff"', "is not valid YAML"),
        ("a: " + "9" * 5000, "is not valid YAML"),
        ("a: " + "0x" + "f" * 5000, "missing"),
        ("? {b: 1}\n: 2", "is not valid YAML"),
        ("&a [*a]", "expected sections"),
        ("[" * 10_000, "is not valid YAML"),
        ("? [1]\n: 2", "name is text"),
    ],
)
def test_what_is_no_settings_file_is_named(text: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingsError, match=message) as caught:
        load(tmp_path / "params.yaml", text)
    assert str(tmp_path / "params.yaml") in str(caught.value)
    assert not (tmp_path / "here").exists()


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"a: \xe4")
    for path in (tmp_path / "none.yaml", tmp_path, tmp_path / "latin.yaml"):
        with pytest.raises(SettingsError, match=rf"{path}: cannot be read"):
            load_settings(path)


def paths(value: object, so_far: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every value of a nested structure."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [so_far, *(path for key, item in items for path in paths(item, (*so_far, key)))]


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.dates()
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8) | st.integers(), inner, max_size=3)
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=st.sampled_from(paths(SMALL)[1:]), new=values | st.just(...), name=st.text(max_size=8))
def test_any_change_gives_settings_or_a_settings_error(tmp_path: Path, path: tuple[Any, ...], new: object, name: str) -> None:
    raw = copy.deepcopy(SMALL)
    parent = raw
    for key in path[:-1]:
        parent = parent[key]
    if new is ...:
        del parent[path[-1]]
    else:
        parent[path[-1]] = new
        if isinstance(parent, dict) and name:
            parent[name] = new
    try:
        assert isinstance(load(tmp_path / "params.yaml", raw), Settings)
    except SettingsError as error:
        assert str(tmp_path / "params.yaml") in str(error)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=60) | st.text(alphabet="a1:.-_ \n[]{}&*!|>?'\"#%@,x0b", max_size=60).map(str.encode))
def test_any_file_gives_a_settings_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "params.yaml").write_bytes(content)
    with pytest.raises(SettingsError):
        load_settings(tmp_path / "params.yaml")


# --- what settings can be asked


def test_settings_cannot_be_changed() -> None:
    loaded = load_settings(ROOT / "params.yaml")
    with pytest.raises(ValidationError):
        loaded.models["mnist-cnn"].epochs = 1


def test_unknown_names_are_answered_with_the_known_ones() -> None:
    loaded = load_settings(ROOT / "params.yaml")
    with pytest.raises(SettingsError, match="unknown model 'x'; allowed: cifar10-cnn"):
        loaded.model("x")
    with pytest.raises(SettingsError, match="unknown dataset 'x'; allowed: cifar10"):
        loaded.dataset("x")


@pytest.mark.parametrize(
    ("change", "same"),
    [
        (model(epochs=7), True),
        (lambda raw: raw.update(seeds=[9]), True),
        (lambda raw: raw["execution"].update(device="cuda"), True),
        (lambda raw: raw["models"]["fashion-mlp"].update(learning_rate=0.1), True),
        (lambda raw: raw["datasets"]["mnist"].update(title="other"), True),
        (model(learning_rate=0.1), False),
        (model(recipe="2020-10"), False),
        (lambda raw: raw["recipes"]["2021-03"].update(target_filterings=0), False),
        (lambda raw: raw["training"].update(clip_norm=2.0), False),
        (lambda raw: raw["datasets"]["mnist"].update(mean=[0.2]), False),
    ],
)
def test_the_identity_holds_what_decides_the_weights(change: Change, same: bool, tmp_path: Path) -> None:
    before, after = load_settings(ROOT / "params.yaml"), load(tmp_path / "params.yaml", changed(change))
    assert (digest(before.identity("mnist-cnn")) == digest(after.identity("mnist-cnn"))) is same


@given(st.dictionaries(st.text(), st.integers() | st.text(), min_size=2))
def test_a_digest_does_not_depend_on_the_order_of_keys(value: dict[str, object]) -> None:
    assert digest(value) == digest(dict(reversed(value.items())))
    assert digest(value) != digest({**value, "one more": 1})
    assert len(digest(value)) == 32


def test_a_key_that_is_far_too_long_leaves_its_line_readable(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        load(tmp_path / "params.yaml", changed(lambda raw: raw["models"].update({"m" * 5000: {"x" * 5000: 1}})))
    lines = str(caught.value).splitlines()
    assert lines
    assert max(map(len, lines)) < 1000
