"""params.yaml: what is right loads, and whatever else stands in it is one SettingsError that says what and where."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tsslbp.settings import Settings, SettingsError, digest, load_settings

ROOT = Path(__file__).parents[1]
RAW: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text())
SMALL: dict[str, Any] = yaml.safe_load((ROOT / "quickstart" / "params.yaml").read_text())
Change = Callable[[dict[str, Any]], object]


def load(path: Path, raw: object) -> Settings:
    path.write_text(raw if isinstance(raw, str) else yaml.safe_dump(raw), encoding="utf-8")
    return load_settings(path)


def changed(change: Change) -> dict[str, Any]:
    raw = copy.deepcopy(RAW)
    change(raw)
    return raw


def model(**settings: Any) -> Change:
    return lambda raw: raw["models"]["mnist-cnn"].update(settings)


@pytest.mark.parametrize("name", ["params.yaml", "quickstart/params.yaml"])
def test_the_files_of_the_project_are_right(name: str) -> None:
    assert load_settings(ROOT / name).models


WRONG: dict[str, tuple[Change, str]] = {
    "text for a number": (model(epochs="ten"), r"models\.mnist-cnn\.epochs: got 'ten' \(str\); input should be a valid integer"),
    "a number that YAML reads as text": (model(learning_rate="1e-3"), r"models\.mnist-cnn\.learning_rate: got '1e-3' \(str\)"),
    "true is no number": (model(batch_size=True), r"models\.mnist-cnn\.batch_size: got True \(bool\)"),
    "not finite": (model(learning_rate=float("inf")), r"models\.mnist-cnn\.learning_rate: got inf"),
    "unknown": (model(epohcs=3), r"models\.mnist-cnn\.epohcs: unknown setting; allowed here: .*epochs"),
    "unknown in a loss": (
        lambda raw: raw["models"]["mnist-cnn"]["loss"].update(desired=3),
        r"models\.mnist-cnn\.loss\.desired: unknown setting; allowed here: desired_train, kind",
    ),
    "unknown at the top": (lambda raw: raw.update(seed=[1]), r"seed: unknown setting; allowed here: .*seeds"),
    "unknown in a file": (
        lambda raw: raw["datasets"]["mnist"]["files"][0].update(sha=1),
        r"datasets\.mnist\.files\.0\.sha: unknown setting; allowed here: md5, name, role, subsets, urls",
    ),
    "missing": (lambda raw: raw["models"]["mnist-cnn"].pop("loss"), r"models\.mnist-cnn\.loss: missing"),
    "missing section": (lambda raw: raw.pop("training"), "training: missing"),
    "no such dataset": (model(dataset="mmnist"), r"models\.mnist-cnn\.dataset: got 'mmnist'; allowed: cifar10, fashion_mnist"),
    "no such recipe": (model(recipe="2022"), r"models\.mnist-cnn\.recipe: got '2022'; allowed: 2020-10"),
    "no such model": (lambda raw: raw["published"].update(new=raw["published"]["mnist-cnn"]), r"published\.new: no such model"),
    "no such gradient": (lambda raw: raw["recipes"]["2021-03"].update(gradient="x"), r"recipes\.2021-03\.gradient: got 'x' \(str\)"),
    "no such layer": (model(architecture="15C5-P2-2X"), r"models\.mnist-cnn: .*token '2X' at position 9"),
    "a kernel too large": (model(architecture="15C99"), r"models\.mnist-cnn: .*99x99 kernel is larger than its input"),
    "odd pooling": (model(architecture="15C4-P2"), r"models\.mnist-cnn: .*P2 needs a size divisible by 2"),
    "two paddings for one convolution": (
        model(architecture="15C5", padding=[0, 1]),
        r"models\.mnist-cnn: padding \[0, 1\]: 2 values for the 1",
    ),
    "a train of another length": (model(time_steps=7), r"models\.mnist-cnn: loss\.desired_train has 5 steps, but time_steps is 7"),
    "more steps than were kept": (
        lambda raw: raw["models"]["nmnist-cnn-t30"].update(time_steps=101),
        r"models\.nmnist-cnn-t30\.time_steps: got 101; allowed: 2 to 100",
    ),
    "a seed twice": (lambda raw: raw.update(seeds=[1, 2, 1]), "seeds: got .*1 stands there more than once"),
    "no seeds": (lambda raw: raw.update(seeds=[]), "seeds: got"),
    "a time constant below one": (
        model(tau_s=0.5),
        r"models\.mnist-cnn\.tau_s: got 0\.5 \(float\); input should be greater than or equal to 1",
    ),
    "images without a mean": (lambda raw: raw["datasets"]["mnist"].update(mean=[]), r"datasets\.mnist: a dataset of images needs one mean"),
    "events without a window": (lambda raw: raw["datasets"]["nmnist"].pop("window_us"), r"datasets\.nmnist: a dataset of events needs"),
    "no checksum": (lambda raw: raw["datasets"]["mnist"]["files"][0].update(md5="x"), r"datasets\.mnist\.files\.0\.md5: got 'x'"),
    "a name that leaves its folder": (
        lambda raw: raw["datasets"]["mnist"]["files"][0].update(name="../x"),
        r"datasets\.mnist\.files\.0\.name: got '\.\./x'",
    ),
    "no web address": (lambda raw: raw["datasets"]["mnist"]["files"][0].update(urls=["file:///etc"]), r"urls\.0: got 'file:///etc'"),
    "a list": (lambda raw: raw.update(models=[1]), r"models: got \[1\] \(list\)"),
    "no device": (lambda raw: raw["execution"].update(device="gpu"), r"execution\.device: got 'gpu'"),
}


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
        ("seeds: [1", "is no valid YAML"),
        ("seeds: [1]\nseeds: [2]", "the key 'seeds' stands there twice"),
        ("a: !!python/object/apply:os.system [touch here]", "is no valid YAML"),
        ("a: 2001-99-99", "is no valid YAML"),  # a date to YAML
        ("a: 0x_", "is no valid YAML"),  # a number to PyYAML
        ("a: !!bool perhaps", "is no valid YAML"),
        ("a: " + "9" * 5000, "is no valid YAML"),
        ("&a [*a]", "expected sections"),
        ("[" * 10_000, "is no valid YAML"),
        ("? [1]\n: 2", "is no valid YAML"),
    ],
)
def test_what_is_no_settings_file_is_named(text: str, message: str, tmp_path: Path) -> None:
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
