"""Reading a settings file strictly, and putting what is wrong with it so that its author can mend it."""

import reprlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError


class SettingsError(ValueError):
    """A setting that is unknown, missing or impossible; the message says which, what is allowed and where."""


class UniqueKeyLoader(yaml.SafeLoader):
    """SafeLoader that refuses a key given twice: YAML's last-one-wins would hide a typo."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """A mapping as SafeLoader makes it, once its keys are found to differ."""
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, str) and key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"the key {key!r} stands there twice", key_node.start_mark)
            if isinstance(key, str):
                seen.add(key)
        return super().construct_mapping(node, deep=deep)


def read_sections(path: Path) -> dict[str, Any]:
    """The content of a settings file, as YAML has it.

    Raises:
        SettingsError: the file cannot be read, is no YAML, or has no sections.
    """
    try:
        raw = yaml.load(path.read_text(encoding="utf-8"), Loader=UniqueKeyLoader)  # noqa: S506 - a SafeLoader
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: cannot be read: {error}") from None
    except (yaml.YAMLError, RecursionError, ValueError, LookupError, AttributeError, TypeError) as error:
        # PyYAML lets out what its conversions raise: ValueError for the date 2001-99-99, KeyError for "!!bool x".
        raise SettingsError(f"{path}: is no valid YAML: {printable(_complaint(error))}") from None
    if not isinstance(raw, dict):
        raise SettingsError(f"{path}: expected sections such as 'models:', found {shown(raw)}")
    return raw


def explain(path: Path, error: ValidationError, settings: type[BaseModel]) -> str:
    """pydantic's findings, a line each: where, what arrived, what is allowed.

    Args:
        path: the file that was read.
        error: what pydantic found in it.
        settings: the model of the whole file.
    """
    lines = []
    for item in error.errors():
        where = ".".join(str(part) for part in item["loc"] if not _names_a_choice(part)) or "top level"
        if item["type"] == "extra_forbidden":
            lines.append(f"{path}: {where}: unknown setting; allowed here: {', '.join(_allowed_keys(item['loc'], settings))}")
        elif item["type"] == "missing":
            lines.append(f"{path}: {where}: missing")
        else:
            message = item["msg"].removeprefix("Value error, ")
            got = "" if isinstance(item["input"], dict) else f"got {shown(item['input'])}; "
            lines.append(f"{path}: {where}: {got}{message[0].lower()}{message[1:]}")
    return "\n".join(map(printable, lines))


def _names_a_choice(part: int | str) -> bool:
    """Whether pydantic put this part into a location to name the alternative it tried, not a key of the file."""
    return part in ("kernel", "count", "int", "constrained-int", "constrained-str") or str(part).startswith(("tuple[", "literal["))


def _allowed_keys(location: Sequence[int | str], settings: type[BaseModel]) -> list[str]:
    """The keys that stand beside an unknown one, found by walking the sections along its location."""
    section: Any = settings
    for part in location[:-1]:
        fields = getattr(section, "model_fields", None)
        if fields is not None and part in fields:
            section = fields[part].annotation
        elif part in ("kernel", "count"):
            section = next(choice for choice in section.__args__ if choice.model_fields["kind"].annotation.__args__ == (part,))
        elif arguments := getattr(section, "__args__", ()):
            section = next((argument for argument in arguments[::-1] if argument is not Ellipsis), section)
    return sorted(getattr(section, "model_fields", {}))


def shown(value: object) -> str:
    """A value as it arrived, cut short, and its type."""
    brief = reprlib.Repr()  # which cuts before it writes: aliases can make a few lines of YAML a value of gigabytes
    brief.maxstring = brief.maxother = brief.maxlong = 78
    brief.maxlist = brief.maxdict = 20
    try:
        text = brief.repr(value)
    except ValueError:  # of an integer that Python does not write out
        text = "a number of thousands of digits"
    return f"{text if len(text) <= 80 else text[:77] + '...'} ({type(value).__name__})"


def printable(text: str) -> str:
    """A text with line breaks, and whatever else a terminal would obey, written out."""
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)


def _complaint(error: Exception) -> str:
    """What a reader of YAML found, and where."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        what = ", ".join(part for part in (error.context, error.problem) if part)
        return f"line {error.problem_mark.line + 1}, column {error.problem_mark.column + 1}: {what}"
    return " ".join(str(error).split())
