"""What a file of the method means: the same for whatever is only said about it, and in every Python."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from tsslbp.storage.syntax import source_meaning

SAMPLE = '''"""A file with everything whose tree differs between versions of Python, or might."""
from __future__ import annotations

import math, os.path as place
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")
WIDTH: float = 0.3; SMALL = 5e-324; MANY = 10**40; IMAGINARY = 2.5j; RAW = b"\\x00\\xff"; NONE = None; DOTS = ...

class Pair(NamedTuple):
    first: int
    second: u"str" = u"\\u2212 and \\U0001f600"

class Box(Generic[T], metaclass=type):
    async def look(self, *values: T, key: int = 1, **rest) -> T | None:
        async with self as found, other:
            yield [value async for value in values if (kept := value) is not None]

@decorated(name=f"{WIDTH:{MANY}} {WIDTH:.{MANY}f} {SMALL!r:>{MANY}} {WIDTH = } {{}}" f"{T}" "end")
def run(x, /, y, *, z: "Pair" = (), **rest):
    global SMALL
    lines = x[1:2, ::3, None], {**rest, "a": 1}, {1, 2}, lambda q: q @ y
    match x:
        case {"a": [Pair(first=1), *others], **more} if y < 2 <= 3: return -x
        case None | 1.5: del x.y
        case _: raise ValueError(f"{x!r} is wrong") from None
    try:
        assert x is not y, f"not {x}"
    except* OSError as error:
        pass
    for i, (j, *k) in enumerate(z): break
    else: yield from k
    return lines
'''
RECORDED = "cdb9ea5d69747ed403f859d050591aa40b8e4f5c047bfe1898f1fac44aff3ee0"
"""Of SAMPLE. Should it change with a change of syntax.py, every trained row becomes stale: that is what this test is for."""


def test_the_sample_has_the_recorded_meaning():
    assert source_meaning(SAMPLE.encode()) == RECORDED


def test_line_ends_mean_nothing():
    assert source_meaning(SAMPLE.replace("\n", "\r\n").encode()) == RECORDED


def other_pythons() -> list[str]:
    """The interpreters of this machine that the project supports, apart from this one."""
    installed = [str(path) for path in Path.home().glob(".pyenv/versions/3.1[123].*/bin/python")]
    found = [path for path in (*installed, *map(shutil.which, ("python3.11", "python3.12", "python3.13"))) if path]
    return [path for path in found if Path(path).resolve() != Path(sys.executable).resolve()]


@pytest.mark.parametrize("python", other_pythons() or [pytest.param("", marks=pytest.mark.skip(reason="no other Python is installed"))])
def test_every_python_finds_the_same_meaning(python):
    code = (
        "import sys; sys.path.insert(0, 'tsslbp/storage'); from pathlib import Path; from syntax import source_meaning\n"
        "print(source_meaning(sys.stdin.buffer.read()), *(source_meaning(p.read_bytes()) for p in sorted(Path('tsslbp').rglob('*.py'))))"
    )
    done = subprocess.run([python, "-c", code], input=SAMPLE.encode(), cwd=ROOT, capture_output=True, check=False)
    if done.returncode == 127 or done.stderr.startswith(b"pyenv: "):
        pytest.skip("that is pyenv's name for a Python that is not chosen")
    here = [source_meaning(path.read_bytes()) for path in sorted((ROOT / "tsslbp").rglob("*.py"))]
    assert done.stdout.decode().split() == [RECORDED, *here], done.stderr


BEFORE = """
import math
from typing import Any

import torch
from tsslbp.settings import Model

WIDTH = 0.3

def scale(x, model: Model, *, width: float = WIDTH):
    if x is None:
        raise ValueError(f"{x} is not a tensor")
    assert width > 0
    total: Any = math.sin(x) * width
    return total
"""
SAME = {
    "docstrings": ("WIDTH = 0.3\n", 'WIDTH = 0.3\n"""Half the width of the surrogate."""\n'),
    "a function's docstring": ("    if x is None", '    """Scale."""\n    if x is None'),
    "comments": ("WIDTH = 0.3", "WIDTH = 0.3  # in units of the threshold"),
    "error texts": ('f"{x} is not a tensor"', 'f"{type(x).__name__} arrived; a tensor is allowed", x'),
    "a message of assert": ("assert width > 0", 'assert width > 0, "too narrow"'),
    "annotations": ("width: float = WIDTH):", 'width: "int | float" = WIDTH) -> torch.Tensor:'),
    "an annotation alone": ("    total: Any =", "    total: float\n    total ="),
    "imports for annotations": ("import torch\n", "import torch\nfrom tsslbp.settings import Recipe\nkept: Recipe | None\n"),
    "the order of imports": ("import math\nfrom typing import Any\n", "from typing import Any\nimport math\n"),
    "blocks for the type checker": ("WIDTH = 0.3", "if TYPE_CHECKING:\n    from a import b\nWIDTH = 0.3"),
    "line breaks": ("math.sin(x) * width", "(\n        math.sin(x)\n        * width\n    )"),
    "quotes and spellings of numbers": ("0.3", "3e-1"),
}
OTHER = {
    "a constant": ("0.3", "0.30000000000000004"),
    "a default": ("width: float = WIDTH", "width: float = 1"),
    "an operator": ("math.sin(x) * width", "math.sin(x) / width"),
    "order of operands": ("math.sin(x) * width", "width * math.sin(x)"),
    "what is raised": ("ValueError", "TypeError"),
    "another function of the same name": ("import math", "import cmath as math"),
    "an import for its effect": ("import torch\n", "import torch\nimport tsslbp.method.numerics\n"),
    "a field of a class": ("WIDTH = 0.3", "WIDTH = 0.3\nclass A:\n    field: int"),
    "a string": ("return total", "return total, 'a'"),
    "an integer for a float": ("> 0", "> 0.0"),
}


def changed(old: str, new: str) -> str:
    assert BEFORE.count(old) == 1 or old == "WIDTH = 0.3"
    return BEFORE.replace(old, new, 1)


@pytest.mark.parametrize("change", SAME)
def test_what_is_only_said_changes_no_meaning(change):
    assert source_meaning(changed(*SAME[change]).encode()) == source_meaning(BEFORE.encode())


@pytest.mark.parametrize("change", OTHER)
def test_what_decides_a_number_changes_the_meaning(change):
    assert source_meaning(changed(*OTHER[change]).encode()) != source_meaning(BEFORE.encode())


def test_fields_of_a_class_count_without_their_types():
    one, two, three = (f"class A:\n    x: {kind}".encode() for kind in ("int", "float = 0", "int = 0"))
    assert source_meaning(one) != source_meaning(two) == source_meaning(three)
