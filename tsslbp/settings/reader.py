"""The one reader of settings files: YAML as DVC reads it, and nothing that another reader of YAML would take for something else.

DVC decides by params.yaml which stage has to run, so this reader is built on DVC's own library, ruamel.yaml: numbers follow
YAML 1.2 (`5e-4` is a number), `<<: *base` merges, and a key that appears twice is an error. Spellings that YAML 1.1, YAML 1.2 and
DVC do not read alike are refused by name, with what to write instead: nobody should have to know which of them reads the file.
"""

import re
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer
from ruamel.yaml.constructor import SafeConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from tsslbp.settings.messages import SettingsError, printable, shown

LARGEST_FILE = 1_000_000  # bytes; the published settings have 10,000
LARGEST_MERGE = 10_000  # entries of one mapping; merges of merges can ask for 9^9 within a few lines
LINE_BREAKS = "\x85\u2028\u2029"
"""They end a line in YAML 1.1 alone."""

INTEGER_BASES = {"0x": 16, "0o": 8, "0b": 2}


def _decimal(text: str) -> str:
    """An integer with a prefix such as 0x, or a leading zero, in decimal digits."""
    sign, digits = ("-" if text.startswith("-") else ""), text.lstrip("+-").replace("_", "")
    base = INTEGER_BASES.get(digits[:2])
    if base is None:
        return sign + (digits.lstrip("0") or "0")
    return f"{sign}{int(digits[2:], base)}" if 0 < len(digits[2:]) < 100 else ""


def _seconds(text: str) -> str:
    """A number in base 60, such as 1:30, in decimal digits."""
    parts = text.lstrip("+-").replace("_", "").split(":")
    return "" if "." in text or len(text) > 30 else f"{sum(int(part) * 60**power for power, part in enumerate(reversed(parts)))}"


ODD_SPELLINGS: tuple[tuple[re.Pattern[str], Callable[[str], str]], ...] = (
    (re.compile(r"yes|on", re.IGNORECASE), lambda text: "true"),  # y and n are text to every reader that we know
    (re.compile(r"no|off", re.IGNORECASE), lambda text: "false"),
    (re.compile(r"[-+]?(0o[0-7_]+|0b[01_]+|0[0-9_]+)|[-+]0x[0-9a-fA-F_]+|0x[0-9a-fA-F_]*_[0-9a-fA-F_]*"), _decimal),
    (re.compile(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?"), _seconds),
    (re.compile(r"(?=[^_]*_)(?=[-+.0-9])[-+]?[0-9_]*(\.[0-9_]*)?([eE][-+]?[0-9]+)?"), lambda text: text.replace("_", "")),
    (re.compile(r"[-+]?\.[0-9]+[eE][0-9]+"), lambda text: text.replace(".", "0.")),
    (re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt \t].*)?|="), lambda text: ""),
)
"""What a plain scalar may not look like, and how to write the number or truth value that was probably meant."""


class _OddSpelling(MarkedYAMLError):
    """A plain scalar that readers of YAML take for different things."""


class _StrictComposer(Composer):
    """Refuses odd spellings, where the place in the file is known."""

    def compose_scalar_node(self, anchor: Any) -> Any:
        """A scalar as ruamel.yaml makes it, once its spelling is found to mean one thing."""
        plain = self.parser.peek_event().implicit[0]
        node = super().compose_scalar_node(anchor)
        for pattern, number in ODD_SPELLINGS if plain else ():
            if pattern.fullmatch(node.value):
                raise _OddSpelling(problem=_advice(node.value, number(node.value)), problem_mark=node.start_mark)
        return node

    def get_single_node(self) -> Any:
        """The document's root, once its merges are found to be few."""
        root = super().get_single_node()
        _count_merged(root, {})
        return root


def _advice(text: str, number: str) -> str:
    spelled = f'"{text}" in quotes for the text'
    return f"readers of YAML differ on {shown(text, with_type=False)}; write {f'{number}, or {spelled}' if number else spelled}"


def _count_merged(node: Node | None, known: dict[int, int]) -> int:
    """How many entries a mapping has with all that it merges, repeated ones too.

    Raises:
        MarkedYAMLError: they are too many.
    """
    if id(node) in known or not isinstance(node, MappingNode | SequenceNode):
        return known.get(id(node), 0)
    known[id(node)] = 0  # a node inside of itself
    parts = [part for entry in node.value for part in (entry if isinstance(entry, tuple) else (entry,))]
    counts = [_count_merged(part, known) for part in parts]
    if isinstance(node, MappingNode):
        merged = (count for part, count in zip(parts[::2], counts[1::2], strict=True) if _is_merge(part))
        known[id(node)] = len(node.value) + sum(merged)
    else:
        known[id(node)] = sum(counts)  # of a list of mappings to merge
    if known[id(node)] > LARGEST_MERGE and isinstance(node, MappingNode):
        raise MarkedYAMLError(problem=f"a mapping merges more than {LARGEST_MERGE:,} entries", problem_mark=node.start_mark)
    return known[id(node)]


def _is_merge(node: Node) -> bool:
    return isinstance(node, ScalarNode) and node.tag == "tag:yaml.org,2002:merge"


class _StrictConstructor(SafeConstructor):
    """Names a key that appears twice; ruamel.yaml's own message advises to switch the check off."""

    def check_mapping_key(self, node: Any, key_node: Any, mapping: Any, key: Any, value: Any) -> bool:
        """Whether the key is new; it raises where it is not."""
        if key in mapping:
            raise MarkedYAMLError(problem=f"the key {shown(key, with_type=False)} appears twice", problem_mark=key_node.start_mark)
        return True


def read_sections(path: Path) -> dict[str, Any]:
    """Read the sections of a settings file, as YAML has them.

    Raises:
        SettingsError: the file cannot be read, is not valid YAML, has odd spellings, or has no sections.
    """
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_FILE + 1)
        text = data.decode("utf-8")
    except (OSError, ValueError) as error:  # ValueError: not UTF-8, or a path with a NUL character
        raise SettingsError(f"{path}: cannot be read: {error}") from None
    if len(data) > LARGEST_FILE:
        raise SettingsError(f"{path}: is larger than {LARGEST_FILE:,} bytes, which no settings file is")
    try:
        raw = _parse(text)
    except (YAMLError, RecursionError, ValueError, LookupError, AttributeError, TypeError, AssertionError, OverflowError) as error:
        # ruamel.yaml lets out what its conversions raise: ValueError for "!!int x", KeyError for "!!bool x", OverflowError for "\Uffffffff".
        raise SettingsError(f"{path}: is not valid YAML: {printable(_complaint(error))}") from None
    if not isinstance(raw, dict):
        raise SettingsError(f"{path}: expected sections such as 'models:', found {shown(raw)}")
    return raw


def _parse(text: str) -> object:
    for number, line in enumerate(re.split(r"\r\n|\r|\n", text), 1):
        if odd := next((character for character in line if character in LINE_BREAKS), None):
            name = unicodedata.name(odd, "NEXT LINE")
            raise YAMLError(f"line {number}: U+{ord(odd):04X} ({name}) ends a line for some readers of YAML only; remove it")
        if line.startswith("%YAML"):
            raise YAMLError(f"line {number}: {line[:20]} changes what numbers mean; leave it out")
    yaml = YAML(typ="safe", pure=True)
    yaml.Composer, yaml.Constructor = _StrictComposer, _StrictConstructor
    return yaml.load(text)


def _complaint(error: Exception) -> str:
    """What a reader of YAML found, and where."""
    if isinstance(error, MarkedYAMLError) and error.problem_mark is not None:
        what = ", ".join(part for part in (error.context, error.problem) if part)
        return f"line {error.problem_mark.line + 1}, column {error.problem_mark.column + 1}: {what}"
    return " ".join(str(error).split()) or type(error).__name__
