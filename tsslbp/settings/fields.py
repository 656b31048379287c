"""What a single setting may be: types with limits, so that nothing loads that a later stage could not use.

A limit is far from any sensible value and near enough that everything behind it works: numbers fit float32 and the integers of
tables and databases, names fit file names, DVC's keys and one line of a table.
"""

import os
import re
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, Strict, StringConstraints

from tsslbp.characters import described, first_unusual

LONGEST_NAME = 64
"""Characters of a key, a title or the name of an experiment: a key becomes part of file names, which have at most 255 bytes."""
LARGEST_SEED = 2**63 - 1
"""The largest integer of a table's column; PyTorch's generators take it too."""
MOST_PROCESSES = 256


class Section(BaseModel):
    """A part of params.yaml: frozen, and unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _key(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", text):
        # DVC takes the part after a dot for a setting inside of the one before it.
        raise ValueError(f"a name has the letters a to z, digits, '_' and '-', and begins with a letter or digit{_odd(text)}")
    return text


def _words(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9 _+-]*[A-Za-z0-9_+-])?", text):
        raise ValueError(f"a recipe's name has letters, digits, spaces, '_', '+' and '-', and begins with a letter or digit{_odd(text)}")
    return text


def _odd(text: str) -> str:
    odd = first_unusual(text)
    return "" if odd is None else f"; {described(odd)}"


def _line(text: str) -> str:
    if not text.isprintable():
        odd = next(character for character in text if not character.isprintable())
        raise ValueError(f"it is shown on one line, which cannot hold {described(odd)}")
    if text != text.strip():
        raise ValueError("it has a space at an end; remove it")
    return text


def _url(text: str) -> str:
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError as error:
        raise ValueError(f"it is not a web address: {error}") from None
    if not usable or not re.fullmatch(r"[!-~]+", text):
        raise ValueError(f"a web address begins with http:// or https://, names a host and has no spaces{_odd(text)}")
    return text


def _folder(path: Path) -> Path:
    text = str(path)
    if not text.isprintable():
        odd = next(character for character in text if not character.isprintable())
        raise ValueError(f"a folder's name cannot hold {described(odd)}")
    if path.name in ("", ".."):
        raise ValueError("name a folder of its own, relative to the project's root")
    if len(text.encode()) > 1000 or any(len(part.encode()) > 200 for part in path.parts):
        raise ValueError("it is too long for a file system: at most 200 bytes in a name and 1,000 in all")
    return path


def same_place(one: Path, other: Path) -> bool:
    """Whether two paths lead to the same folder, however they are written."""
    return os.path.normpath(one.absolute()) == os.path.normpath(other.absolute())


def _device(text: str) -> str:
    if re.fullmatch(r"auto|cpu|cuda(:(0|[1-9][0-9]?))?", text) is None:
        raise ValueError("allowed: auto, cpu, cuda, or a GPU of several, as in cuda:1")
    return text


def _seeds_differ(seeds: tuple[int, ...]) -> tuple[int, ...]:
    twice = sorted({seed for seed in seeds if seeds.count(seed) > 1})
    if twice:
        raise ValueError(f"{', '.join(map(str, twice[:10]))} appears more than once; each seed is one run")
    return seeds


Key = Annotated[str, Field(max_length=LONGEST_NAME), AfterValidator(_key)]
RecipeName = Annotated[str, Field(max_length=LONGEST_NAME), AfterValidator(_words)]
Line = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME), AfterValidator(_line)]
Note = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_line)]
Device = Annotated[str, AfterValidator(_device)]
Folder = Annotated[Path, AfterValidator(_folder)]
Url = Annotated[str, Field(max_length=2000), AfterValidator(_url)]
Md5 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
FileName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=128)]

Size = Annotated[int, Strict(), Field(ge=1, le=4096)]
"""Pixels or channels of a dataset, and time steps."""
Samples = Annotated[int, Strict(), Field(ge=1, le=100_000_000)]
Batch = Annotated[int, Strict(), Field(ge=1, le=1_000_000)]
Epochs = Annotated[int, Strict(), Field(ge=1, le=100_000)]
Classes = Annotated[int, Strict(), Field(ge=2, le=256)]
"""Labels are bytes."""
Padding = Annotated[int, Strict(), Field(ge=0, le=1024)]
Processes = Annotated[int, Strict(), Field(ge=1, le=MOST_PROCESSES)]
Seed = Annotated[int, Strict(), Field(ge=0, le=LARGEST_SEED)]
Seeds = Annotated[tuple[Seed, ...], Field(min_length=1, max_length=1000), AfterValidator(_seeds_differ)]
Spike = Annotated[int, Strict(), Field(ge=0, le=1)]

Number = Annotated[float, Strict(), Field(ge=-1e6, le=1e6, allow_inf_nan=False)]
Positive = Annotated[float, Strict(), Field(ge=1e-6, le=1e6, allow_inf_nan=False)]
Share = Annotated[float, Strict(), Field(ge=0, lt=1, allow_inf_nan=False)]
SpikeCount = Annotated[float, Strict(), Field(ge=0, le=4096, allow_inf_nan=False)]
TimeConstant = Annotated[float, Strict(), Field(ge=1, le=1e6, allow_inf_nan=False)]
LearningRate = Annotated[float, Strict(), Field(ge=1e-12, le=100, allow_inf_nan=False)]
Percent = Annotated[float, Strict(), Field(ge=0, le=100, allow_inf_nan=False)]

Architecture = Annotated[str, BeforeValidator(lambda value: str(value) if type(value) is int and abs(value) < 10**9 else value)]
"""A notation; YAML reads the network 400 as a number."""
