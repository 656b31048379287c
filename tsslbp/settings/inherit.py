"""A settings file on the base of another one: what it leaves out, its base says. So a study states each fact once, or not at all.

- `base: ../../params.yaml` names the base, relative to the file. Sections that the file leaves out are the base's.
- `recipes` are added to the base's, under names of their own.
- A model, or a recipe, that says `like: <one of the base's>` gives only what differs; a value such as `loss` differs as a whole.
- A model that is like one with a published row is compared with that row.
"""

from pathlib import Path
from typing import Any

from tsslbp.settings.messages import SettingsError, shown
from tsslbp.settings.reader import read_sections

Sections = dict[str, Any]

BASE, LIKE = "base", "like"
OWN = ("experiment", "folders")
"""Sections that are never inherited: with them a file would write over its base's results."""

FROM_BASE = ("seeds", "training", "datasets")
"""Sections that a file with a base inherits always: its stages watch them there, and would not notice others."""


def read_with_base(path: Path) -> Sections:
    """The sections of a settings file, with those of its base where it names one; not yet validated.

    Raises:
        SettingsError: a file cannot be read, or what it says of its base is wrong.
    """
    raw = read_sections(path)
    if raw.get(BASE) is None:
        return raw
    if not isinstance(raw[BASE], str):
        raise SettingsError(f"{path}: {BASE}: got {shown(raw[BASE])}; give the path of a settings file, relative to this one")
    base_path = path.parent / raw[BASE]
    try:
        base = read_sections(base_path)
    except SettingsError as error:
        raise SettingsError(f"{path}: {BASE}: got {shown(raw[BASE])}; {error}") from None
    if base.get(BASE) is not None:
        raise SettingsError(f"{path}: {BASE}: got {shown(raw[BASE])}; {base_path} has a base itself; allowed is a file without one")
    problems = [f"{name}: missing; a file with a base needs its own, or it would write over its base's results" for name in missing(raw)]
    problems += [f"{name}: is the base's, where DVC watches it; a model may have `seeds` of its own" for name in FROM_BASE if name in raw]
    sections = {**base, **raw, BASE: str(base_path)}
    for name, inherit in (("recipes", _recipes), ("models", _models)):
        if isinstance(raw.get(name), dict) and isinstance(base.get(name), dict):
            sections[name] = inherit(raw[name], base[name], problems)
    if "models" in raw and "published" not in raw:
        sections["published"] = _published(raw["models"], base.get("published"))
    if problems:
        raise SettingsError("\n".join(f"{path}: {problem}" for problem in problems))
    return sections


def missing(raw: Sections) -> list[str]:
    """The sections that a file with a base must have and this one lacks."""
    return [name for name in OWN if name not in raw]


def _recipes(own: Sections, base: Sections, problems: list[str]) -> Sections:
    """The base's recipes and the file's own, which must not change what a name of the base's means."""
    problems += [f"recipes.{name}: is a recipe of the base; give yours a name of its own" for name in own if name in base]
    made = {name: _like(f"recipes.{name}", entry, base, problems) for name, entry in own.items()}
    for entry in made.values():
        if isinstance(entry, dict):
            entry.pop(LIKE, None)
    return {**base, **made}


def _models(own: Sections, base: Sections, problems: list[str]) -> Sections:
    return {name: _like(f"models.{name}", entry, base, problems) for name, entry in own.items()}


def _like(where: str, entry: object, base: Sections, problems: list[str]) -> object:
    """An entry filled up with those of the one in the base that it is like; as it is where it is like none."""
    if not isinstance(entry, dict) or LIKE not in entry:
        return entry
    name = entry[LIKE]
    if not isinstance(name, str) or name not in base:
        problems.append(f"{where}.{LIKE}: got {shown(name)}; allowed, of the base: {', '.join(map(str, base))}")
        return dict(entry)
    return {**(base[name] if isinstance(base[name], dict) else {}), **entry}


def _published(models: object, base: object) -> Sections:
    """The published row of each model: that of the base's model which it is like."""
    if not isinstance(models, dict) or not isinstance(base, dict):
        return {}
    likes = {name: entry[LIKE] for name, entry in models.items() if isinstance(entry, dict) and isinstance(entry.get(LIKE), str)}
    return {name: base[like] for name, like in likes.items() if like in base}
