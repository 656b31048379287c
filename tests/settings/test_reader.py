"""One reader of YAML: what it accepts is what DVC reads, and what YAML 1.2 says; the rest is refused by name."""

import re
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from dvc.utils.serialize import dumps_yaml, parse_yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tsslbp.settings import SettingsError
from tsslbp.settings.reader import read_sections


def read(folder: Path, text: str) -> dict[str, Any]:
    path = folder / "params.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    return read_sections(path)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5e-4", 0.0005),
        ("5e-05", 5e-05),
        ("1e-3", 0.001),
        ("1E3", 1000.0),
        ("12e03", 12000.0),
        ("0.001", 0.001),
        ("400", 400),
        ("-0", 0),
        ("0x1F", 31),
        ("true", True),
        ("True", True),
        ("null", None),
        ("", None),
        ('"0400"', "0400"),
        ("'yes'", "yes"),
        ("400-400", "400-400"),
        ("2020-10", "2020-10"),
        ("!!str 017", "017"),
    ],
)
def test_numbers_are_those_of_yaml_1_2(tmp_path: Path, text: str, value: object) -> None:
    read_value = read(tmp_path, f"a: {text}")["a"]
    assert (read_value, type(read_value)) == (value, type(value))


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("0400", 'write 400, or "0400" in quotes for the text'),
        ("017", "write 17,"),
        ("-017", "write -17,"),
        ("08", "write 8,"),
        ("00", "write 0,"),
        ("0o17", "write 15,"),
        ("0b101", "write 5,"),
        ("+0x1F", "write 31,"),
        ("0x1_F", "write 31,"),
        ("1:30", "write 90,"),
        ("190:20:30", "write 685230,"),
        ("1:30.5", 'write "1:30.5" in quotes'),
        ("1_000", "write 1000,"),
        ("1_0.5", "write 10.5,"),
        ("1_e5", "write 1e5,"),
        (".5e3", "write 0.5e3,"),
        ("yes", "write true,"),
        ("On", "write true,"),
        ("NO", "write false,"),
        ("off", "write false,"),
        ("2001-01-01", 'write "2001-01-01" in quotes'),
        ("2001-1-1 10:00:00", 'write "2001-1-1 10:00:00" in quotes'),
        ("2001-99-99", 'write "2001-99-99" in quotes'),
        ("=", 'write "=" in quotes'),
        ("0x_", 'write "0x_" in quotes'),
    ],
)
def test_odd_spellings_are_refused_by_name_with_the_right_one(tmp_path: Path, text: str, advice: str) -> None:
    for where, line in (("line 2, column 4", f"b: 1\na: {text}"), ("line 1, column 5", f"a: [{text}]"), ("line 1, column 1", f"{text}: 1")):
        with pytest.raises(SettingsError) as caught:
            read(tmp_path, line)
        assert f"params.yaml: is not valid YAML: {where}: readers of YAML differ on '{text}'; {advice}" in str(caught.value)


def test_merges_are_made_as_dvc_makes_them(tmp_path: Path) -> None:
    text = "base: &base {x: 1, y: [1, 2]}\nother: &other {x: 5, z: 6}\na: {<<: *base, x: 3}\nb: {x: 3, <<: [*base, *other]}\n"
    assert read(tmp_path, text) == parse_yaml(text, "params.yaml")
    assert read(tmp_path, text)["a"] == {"x": 3, "y": [1, 2]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3", "line 3, column 1: the key 'a' appears twice"),
        ('a: {b: 1, "b": 2}', "line 1, column 11: the key 'b' appears twice"),
        ("%YAML 1.1\n---\na: 1", "line 1: %YAML 1.1 changes what numbers mean; leave it out"),
        ("# hidden \u2028a: 1", r"line 1: U\+2028 \(LINE SEPARATOR\) ends a line for some readers"),
        ("a: 1\n# \x85b: 1", r"line 2: U\+0085 \(NEXT LINE\) ends a line"),
        ("a: 1\n---\nb: 1", "expected a single document"),
        ("a: &x {<<: 3}", "expected a mapping or list of mappings for merging"),
    ],
)
def test_what_would_be_read_in_two_ways_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=f"is not valid YAML: .*{message}"):
        read(tmp_path, text)


def bomb(entry: str, combine: str) -> str:
    """Nine levels, each of nine aliases of the one before: 9^9 copies for a reader that copies."""
    lines = [f"a0: &a0 {entry}"]
    lines += [f"a{level}: &a{level} {combine.format(', '.join([f'*a{level - 1}'] * 9))}" for level in range(1, 10)]
    return "\n".join(lines)


def test_a_bomb_of_merges_is_refused_at_once(tmp_path: Path) -> None:
    began = time.perf_counter()
    with pytest.raises(SettingsError, match="a mapping merges more than 10,000 entries"):
        read(tmp_path, bomb("{x: 1}", "{{<<: [{}]}}"))
    assert time.perf_counter() - began < 5


def test_a_bomb_of_aliases_costs_nothing(tmp_path: Path) -> None:
    began = time.perf_counter()
    assert len(read(tmp_path, bomb("[1]", "[{}]"))) == 10
    assert time.perf_counter() - began < 5


def test_a_file_beyond_any_settings_is_not_read_into_memory() -> None:
    with pytest.raises(SettingsError, match="is larger than 1,000,000 bytes"):
        read_sections(Path("/dev/zero"))


# --- beside DVC's own reader, and beside what YAML 1.2 says

CORE = [
    (r"null|Null|NULL|~|", lambda text: None),
    (r"true|True|TRUE|false|False|FALSE", lambda text: text.lower() == "true"),
    (r"[-+]?[0-9]+", int),
    (r"0o[0-7]+", lambda text: int(text[2:], 8)),
    (r"0x[0-9a-fA-F]+", lambda text: int(text[2:], 16)),
    (r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", float),
    (r"[-+]?\.(inf|Inf|INF)", lambda text: float(text.replace(".", ""))),
    (r"\.(nan|NaN|NAN)", lambda text: float("nan")),
]


def by_the_core_schema(text: str) -> object:
    """What a plain scalar is by the table in section 10.3.2 of YAML 1.2."""
    return next((read(text) for pattern, read in CORE if re.fullmatch(pattern, text)), text)


def same(left: object, right: object) -> bool:
    return repr(left) == repr(right)  # which tells 1 from 1.0 and from True, and takes NaN for itself


scalars = st.from_regex(r"[-+]?[0-9_.]{0,4}[xobeE:.+-]?[-+]?[0-9_.:]{0,4}", fullmatch=True) | st.text(
    "0123456789_.:-+eExobnyesNOfT~", max_size=8
)


@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(scalars | st.sampled_from(["yes", "No", "on", "OFF", "null", "Null", ".inf", "-.INF", ".NaN", "true", "TRUE"]))
@example("5e-4")
@example("-_1")
@example("._1")
@example("1e1_0")
def test_a_scalar_that_is_accepted_means_the_same_to_everyone(tmp_path: Path, text: str) -> None:
    try:
        value = read(tmp_path, f"a: {text}\n")["a"]
    except SettingsError:
        return
    assert same(value, parse_yaml(f"a: {text}\n", "params.yaml")["a"])
    if isinstance(value, dict | list):
        return
    assert same(value, by_the_core_schema(text.strip()))
    by_1_1 = yaml.safe_load(f"a: {text}\n")["a"]
    # Some floats are text to YAML 1.1, 5e-4 and -.5: to nobody who writes or reads params.yaml.
    assert same(value, by_1_1) or (isinstance(value, float) and isinstance(by_1_1, str))


words = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Zl", "Zp"]), max_size=8)
plain = st.integers() | st.floats() | st.booleans() | st.none() | words
trees = st.dictionaries(
    words,
    st.recursive(plain, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3)),
    min_size=1,
    max_size=4,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(trees)
def test_what_dvc_writes_is_read_as_dvc_reads_it(tmp_path: Path, tree: dict[str, Any]) -> None:
    """`dvc exp run -S` writes params.yaml with the same library."""
    text = dumps_yaml(tree)
    try:
        value = read(tmp_path, text)
    except SettingsError as error:  # DVC leaves the quotes of "yes" out
        assert re.search(r"readers of YAML differ on '(?i:yes|no|on|off|[-+_.0-9eE:]+)'", str(error)), str(error)
        return
    assert same(value, parse_yaml(text, "params.yaml"))


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text("ab12:.- \n[]{}&*<,'\"#?|>!_e", max_size=40))
@example("a: &a {b: 1}\nc: {<<: *a, d: 2}")
def test_any_text_that_is_accepted_is_read_as_dvc_reads_it(tmp_path: Path, text: str) -> None:
    try:
        value = read(tmp_path, text)
    except SettingsError:
        return
    assert same(value, parse_yaml(text, "params.yaml"))
