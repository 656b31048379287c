"""Putting what is wrong with a settings file so that its author can mend it: a line for each finding, with where and what is allowed."""

import reprlib
import types
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from tsslbp.characters import described, first_unusual

ALLOWED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "string_type": "text",
    "path_type": "text",
    "literal_error": "{expected}",
    "greater_than_equal": "{ge} or more",
    "less_than_equal": "{le} or less",
    "less_than": "less than {lt}",
    "greater_than": "more than {gt}",
    "string_too_short": "at least {min_length} character",
    "string_too_long": "at most {max_length} characters",
    "tuple_type": "a list such as [1, 2]",
    "too_short": "a list of at least {min_length}",
    "too_long": "a list of at most {max_length}",
    "model_type": "settings below it, as in 'name: value'",
    "model_attributes_type": "settings below it, as in 'name: value'",
    "dict_type": "names below it, each with its settings",
}
"""What would have been right, by what pydantic calls the finding: its own words speak of its classes, and of Python's."""

LONGEST_SHOWN = 78
"""Characters of a key or a value that a message shows."""

Location = tuple[int | str, ...]
KEY: Location = ("[key]",)
"""What pydantic adds to the location of a key that is itself wrong."""


class SettingsError(ValueError):
    """A setting that is unknown, missing or impossible; the message says which, what is allowed and where."""


def explain(path: Path, error: ValidationError, settings: type[BaseModel]) -> str:
    """Write out pydantic's findings, a line each: where, what arrived, what is allowed.

    Args:
        path: the file that was read.
        error: what pydantic found in it.
        settings: the model of the whole file.
    """
    findings: dict[Location, list[ErrorDetails]] = {}
    for item in error.errors():
        findings.setdefault(keys_of(item["loc"], settings), []).append(item)
    lines = [
        f"{path}: {'.'.join(_name(part) for part in where if (part,) != KEY) or 'top level'}: {_finding(items, where, settings)}"
        for where, items in findings.items()
        if not _is_told_by_a_part(where, items, findings)
    ]
    return "\n".join(map(printable, lines))


def _name(part: int | str) -> str:
    """A key as it is shown: one that is far too long has its beginning and its end, so that the line can be read."""
    text = str(part)
    return text if len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN // 2]}...{text[-LONGEST_SHOWN // 2 :]}"


def _is_told_by_a_part(where: Location, items: Sequence[ErrorDetails], findings: dict[Location, list[ErrorDetails]]) -> bool:
    """Whether a list is only refused because of its parts, which have lines of their own."""
    parts = any(other[: len(where)] == where and len(other) > len(where) for other in findings)
    return parts and all(isinstance(item["input"], list | tuple) for item in items)


def _finding(items: Sequence[ErrorDetails], where: Location, settings: type[BaseModel]) -> str:
    """What is wrong at one place; several findings are the alternatives that a value may be, and none of them fits."""
    first = items[0]
    if first["type"] == "extra_forbidden":
        return f"unknown setting; allowed here: {', '.join(_allowed_keys(first['loc'], settings))}"
    if first["type"] == "missing":
        return "missing"
    if first["type"].startswith("union_tag"):
        return _no_such_kind(first)
    got = "" if isinstance(first["input"], dict) else f"got {shown(first['input'])}; "
    if first["type"] == "invalid_key" or (where[-1:] == KEY and first["type"] == "string_type"):
        return f'{got}a name is text: write it in quotes, as in "2021"'
    return got + ", or ".join(dict.fromkeys(map(_allowed, items))).replace(", or allowed: ", ", or ") + _lookalike(first)


def _allowed(item: ErrorDetails) -> str:
    if item["type"] == "too_short" and isinstance(item["input"], dict):
        return f"allowed: at least {item.get('ctx', {}).get('min_length', 1)} name below it, with its settings"
    if item["type"] in ALLOWED:
        return "allowed: " + ALLOWED[item["type"]].format(**item.get("ctx", {}))
    message = item["msg"].removeprefix("Value error, ")
    return message[:1].lower() + message[1:]


def _no_such_kind(item: ErrorDetails) -> str:
    """What is wrong with the setting that says which of several sections this is."""
    context = item.get("ctx", {})
    kind = str(context["discriminator"]).replace("'", "")
    return f"{kind}: got {shown(context['tag'])}; allowed: {context['expected_tags']}" if "tag" in context else f"{kind}: missing"


def _lookalike(item: ErrorDetails) -> str:
    """What a character of a text is that cannot be seen to be wrong, such as a minus sign that is not the keyboard's."""
    odd = first_unusual(item["input"]) if isinstance(item["input"], str) else None
    return "" if odd is None or item["type"] == "value_error" else f"; {described(odd)}"


def keys_of(location: Location, settings: type[BaseModel]) -> Location:
    """The keys of the file that lead to a place, without the alternatives that pydantic tried; at the end KEY where a key is wrong."""
    return tuple(part for part, _, is_key in _walk(location, settings) if is_key)


def _allowed_keys(location: Location, settings: type[BaseModel]) -> list[str]:
    """The keys that may be beside an unknown one."""
    sections = [settings, *(kind for _, kind, _ in _walk(location[:-1], settings))]
    return sorted(getattr(sections[-1], "model_fields", {}))


def _walk(location: Location, settings: type[BaseModel]) -> Iterator[tuple[int | str, Any, bool]]:
    """Follow a location through the schema: each part, the type that it leads to, and whether it is a key of the file."""
    kind: Any = settings
    for part in location:
        kind = _bare(kind)
        if len(choices := _choices(kind)) > 1:
            kind = next((choice for choice in choices if _is_called(choice, str(part))), choices[-1])
            yield part, kind, False
        elif (part,) == KEY:
            yield part, str, True
        else:
            kind = _inside(kind, part)
            yield part, kind, True


def _bare(kind: Any) -> Any:
    """A type without its annotations, and without the None that stands for a setting that is left out."""
    while get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    choices = _choices(kind)
    return _bare(choices[0]) if len(choices) == 1 and choices[0] is not kind else kind


def _choices(kind: Any) -> list[Any]:
    """The alternatives of a union, otherwise the type alone."""
    if get_origin(kind) not in (Union, types.UnionType):
        return [kind]
    return [choice for choice in get_args(kind) if choice is not type(None)]


def _is_called(choice: Any, part: str) -> bool:
    """Whether pydantic means this alternative by a part of a location: `kernel`, `int`, `tuple[int, ...]`, `literal['auto']`."""
    kind = _bare(choice)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return part in (kind.__name__, *(get_args(kind.model_fields["kind"].annotation) if "kind" in kind.model_fields else ()))
    origin = get_origin(kind)
    if origin is Literal:
        return part.startswith("literal[")
    name: str = getattr(origin or kind, "__name__", "")
    return part.removeprefix("constrained-").startswith(name)


def _inside(kind: Any, part: int | str) -> Any:
    """The type of what a section, a mapping or a list has under a key."""
    fields = getattr(kind, "model_fields", {})
    if part in fields:
        return fields[part].annotation
    arguments = [argument for argument in get_args(kind) if argument is not Ellipsis]
    return arguments[-1] if arguments else None


def shown(value: object, with_type: bool = True) -> str:
    """A value as it arrived, cut short, and its type."""
    brief = reprlib.Repr()  # which cuts before it writes: aliases can make a few lines of YAML a value of gigabytes
    brief.maxstring = brief.maxother = brief.maxlong = LONGEST_SHOWN
    brief.maxlist = brief.maxdict = 20
    try:
        text = brief.repr(value)
    except ValueError:  # of an integer that Python does not write out
        text = "a number of thousands of digits"
    text = text if len(text) <= 80 else text[:77] + "..."
    return f"{text} ({type(value).__name__})" if with_type else text


def printable(text: str) -> str:
    """A text with line breaks, and whatever else a terminal would obey, written out."""
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)
