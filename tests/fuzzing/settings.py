"""Settings files under fire: what a user may write loads and can be followed to where a stage reads data, or is a line a finding."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from dvc.utils.serialize import parse_yaml
from hypothesis import strategies as st

from tests.fuzzing.fire import Target, damaged
from tests.support.paths import ROOT
from tsslbp.experiment import ModelRun
from tsslbp.memory import needed_memory
from tsslbp.method.build import build_loss, build_network, build_optimizer
from tsslbp.method.numerics import prepare_device
from tsslbp.method.seeding import ORDER, sample_generator, weight_generator
from tsslbp.report.rows import make_rows
from tsslbp.settings import Settings, SettingsError, digest, load_settings
from tsslbp.settings.reader import read_sections

WHOLE: dict[str, Any] = yaml.safe_load((ROOT / "quickstart" / "params.yaml").read_text())
SMALL: dict[str, Any] = {
    **WHOLE,
    "models": {name: WHOLE["models"][name] | {"architecture": "20", "epochs": 1} for name in ("digits-mlp", "ndigits-cnn")},
    "published": {"digits-mlp": {"mean": 99.0, "std": 0.1, "best": None, "runs": 5}},
}
SMALL["models"]["ndigits-cnn"]["architecture"] = "12C5-P2"
SMALL["models"]["ndigits-cnn"]["padding"] = [1]
TEXT = yaml.safe_dump(SMALL)


class Plain(str):
    """A scalar as it is typed, without quotes."""


# What people type, in places where it may or may not belong: odd spellings, sizes beyond use, characters that no keyboard has.
TYPED = [
    *("0400", "017", "1:30", "0o17", "1_000", "5e-4", "1e-3", "yes", "Off", "2001-01-01", ".5e3", "0x1F", "-_1", "~", "", "=", "<<"),
    *("-1", "0", "1", "2", "1e39", "-1e39", "1e-46", "1e308", "1e400", ".inf", ".nan", "-0.0", "0.5", "3000", "4097", "100001"),
    *("9223372036854775807", "9223372036854775808", "99999999999999999999999999", "1" * 40, "1000000000"),
]  # fmt: skip
TEXTS = [
    *("m" * 300, "m" * 65, "a\nb", "a\x1b[2J", "a\u202eb", "mnist\u2013cnn", "a.b", "..", "../x", "/", "", " ", "x ", "\0", "$x$", "${x}"),
    *("400\u2212400", "400\u2013400", "15\u04215-300", "9999999-9999999", "9999999C3", "1-" * 300 + "1", "20-" * 30 + "20", "99999999"),
    *("cuda:99", "cuda:00", "cuda:99999999999", "cpu", "http://a:99999/", "http://[::1/", "https://x y/", "2001-01-01", "\ud800", "é" * 70),
]  # fmt: skip


def places(value: object, so_far: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every value of a nested structure."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [so_far, *(place for key, item in items for place in places(item, (*so_far, key)))]


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
typed = st.sampled_from(TYPED).map(Plain) | st.sampled_from(TEXTS)
values = (
    typed
    | scalars
    | st.recursive(typed | scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3))
)
names = st.sampled_from(TEXTS) | st.text(max_size=8)


def dumped(value: object) -> str:
    """A tree as YAML in flow style, which for all but what is typed plain is JSON."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)}: {dumped(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(dumped, value)) + "]"
    if isinstance(value, float):
        return str(value).replace("inf", ".inf").replace("nan", ".nan")
    return str(value) if isinstance(value, Plain) else json.dumps(value)


def near(value: object) -> st.SearchStrategy[Any]:
    """Values of the same kind, many of them usable: these files are to get far."""
    if isinstance(value, bool) or value is None:
        return st.booleans()
    if isinstance(value, int):
        return st.sampled_from([value + 1, value * 10, value * 1000, 1, 2, 3, 28, 256, 4096, 10**6, 2**63 - 1])
    if isinstance(value, float):
        return st.integers(-50, 50).map(lambda power: value * 10.0**power) | st.sampled_from([1.0, 0.5, 1.5, 100.0, 5e-05])
    if isinstance(value, str):
        others = [item for item in (at(place) for place in places(SMALL)) if isinstance(item, str)]
        return st.sampled_from(others) | st.sampled_from([value + "2", "20-20", "4C3", "4C3-P2-20", "cpu", "1", "new name", "e" * 60])
    if isinstance(value, list):
        return st.sampled_from([value[:1], value * 2, value[::-1], [*value, 1]])
    return st.just(value)


def at(place: tuple[Any, ...]) -> Any:
    value: Any = SMALL
    for key in place:
        value = value[key]
    return value


@st.composite
def nudged_settings(draw: st.DrawFn) -> bytes:
    """Valid settings with one or two values replaced by others of the same kind."""
    raw = deepcopy(SMALL)
    for _ in range(draw(st.integers(1, 2))):
        *way, last = draw(st.sampled_from(places(raw)[1:]))  # anew: the first change may have cut the second's place off
        parent: Any = raw
        for key in way:
            parent = parent[key]
        parent[last] = draw(near(parent[last]))
    return written(raw)


def written(raw: dict[str, Any]) -> bytes:
    """A section a line, so that lines are damaged as lines."""
    return "\n".join(f"{json.dumps(key)}: {dumped(item)}" for key, item in raw.items()).encode("utf-8", "surrogatepass")


@st.composite
def changed_settings(draw: st.DrawFn) -> bytes:
    """Valid settings with one to three values replaced, dropped, named otherwise, doubled, or swapped with another part."""
    raw = deepcopy(SMALL)
    for _ in range(draw(st.integers(1, 3))):
        *way, last = draw(st.sampled_from(places(raw)[1:]))
        parent: Any = raw
        for key in way:
            parent = parent[key]
        match draw(st.sampled_from(["replace", "replace", "replace", "drop", "rename", "double", "graft"])):
            case "replace":
                parent[last] = draw(values)
            case "drop":
                del parent[last]
            case "rename" if isinstance(parent, dict):
                parent[draw(names)] = parent.pop(last)
            case "double" if isinstance(parent, dict):
                parent[draw(names)] = parent[last]
            case _:
                parent[last] = deepcopy(draw(st.sampled_from([SMALL, *SMALL.values(), *SMALL["models"].values()])))
    return written(raw)


@st.composite
def changed_lines(draw: st.DrawFn) -> bytes:
    """The text of valid settings with one line's value, or the whole line, replaced by any text."""
    lines = TEXT.splitlines()
    at = draw(st.integers(0, len(lines) - 1))
    new = draw(st.sampled_from(TYPED) | st.text(alphabet="a1:.-_ \n\t[]{}&*!|>?'\"#%@,x0be~<=", max_size=30) | st.text(max_size=10))
    lines[at] = f"{lines[at].split(':')[0]}: {new}" if draw(st.booleans()) else new
    return "\n".join(lines).encode("utf-8", "surrogatepass")


texts = (
    damaged(TEXT.encode())
    | changed_lines()
    | st.binary(max_size=60)
    | st.text(max_size=40).map(lambda text: text.encode("utf-8", "surrogatepass"))
)


def check_settings(data: bytes, folder: Path) -> None:
    """Settings that DVC reads alike and that can be followed, or a SettingsError of one line a finding that a terminal can print."""
    path = folder / "params.yaml"
    path.write_bytes(data)
    try:
        settings = load_settings(path)
    except SettingsError as error:
        check_message(error, f"{path}: ")
        return
    assert repr(read_sections(path)) == repr(parse_yaml(data.decode(), path))
    with _as_before():
        follow(settings, folder)


def check_message(error: Exception, start: str) -> None:
    for line in str(error).split("\n"):
        assert line.startswith(start), line
        assert line.isprintable(), line
        assert len(line) < 1000, line


def follow(settings: Settings, folder: Path) -> None:
    """All that a stage does with settings before it reads data, and what it has to be able to do with them afterwards."""
    settings = settings.model_copy(update={"folders": settings.folders.model_copy(update={"data": folder / "no-data"})})
    try:
        device = prepare_device(settings.execution)
    except SettingsError as error:
        check_message(error, "execution.")
        device = torch.device("cpu")
    assert len(make_rows(settings, {})) == len(settings.models)
    for text in (settings.experiment, *(dataset.title for dataset in settings.datasets.values())):
        assert 0 < len(text) <= 64
        assert text.isprintable()
    for key in settings.models:
        follow_model(settings, key, device, folder)


def follow_model(settings: Settings, key: str, device: torch.device, folder: Path) -> None:
    """The same for one model: names become files and keys, numbers become float32 and 64-bit integers, and a network is built."""
    model, recipe, dataset = settings.model(key), settings.recipe_of(key), settings.dataset_of(key)
    for name in (key, model.dataset, model.recipe):
        assert "." not in name  # a section to DVC
        (folder / f".{name}.0123456789abcdef.partial").touch()
    for each in settings.folders.model_dump().values():
        (folder / each / key / f"seed-{settings.seeds_of(key)[0]}.pt").exists()
    assert len(digest(settings.identity(key))) == 32
    for number in (model.learning_rate, model.tau_m, model.tau_s, model.threshold, model.conv_gain, settings.training.weight_limit):
        assert 0 < torch.tensor(number, dtype=torch.float32).item() < float("inf")
    for seed in settings.seeds_of(key):
        np.array([seed], np.int64)
        weight_generator(seed)
        sample_generator(seed, model.epochs, ORDER)
    build_loss(model, recipe)
    try:
        ModelRun.open(settings, key, device)
    except ValueError as error:
        check_message(error, f"models.{key}: training needs at least " if "memory" in str(error) else str(folder / "no-data"))
    if needed_memory(model, dataset) < 30_000_000:
        build_optimizer(model, settings.training, build_network(model, recipe, dataset, settings.seeds_of(key)[0]))


@contextmanager
def _as_before() -> Iterator[None]:
    """What the process is told by settings is taken back."""
    threads = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.set_flush_denormal(False)


SETTINGS_TARGETS = {
    "settings text": Target(texts, check_settings),
    "settings": Target(changed_settings() | nudged_settings(), check_settings),
}
