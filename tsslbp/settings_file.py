"""Reading a settings file strictly, and putting what is wrong with it so that its author can mend it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError


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
    return "\n".join(lines)


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
    text = repr(value)
    return f"{text if len(text) <= 80 else text[:77] + '...'} ({type(value).__name__})"
