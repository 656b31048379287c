"""What makes trained models stale: what the method's code means, and nothing that is only said about it."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.record_builders import make_record
from tsslbp.settings import load_settings
from tsslbp.storage import meaning
from tsslbp.storage.meaning import PACKAGE, MeaningError, code_meaning, file_meanings, is_present, outdated
from tsslbp.storage.syntax import source_meaning

ROOT = Path(__file__).parent.parent
PIPELINES = [
    Path(name) for name in ("params.yaml", "quickstart/params.yaml", "studies/recipes/params.yaml", "studies/ablation/params.yaml")
]

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
    if done.returncode and b"pyenv" in done.stderr + done.stdout:
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


@pytest.fixture
def package(tmp_path) -> Path:
    """A copy of what is watched."""
    copy = tmp_path / "tsslbp"
    shutil.copytree(PACKAGE / "method", copy / "method", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PACKAGE / "architecture.py", copy)
    return copy


def meanings(package: Path) -> dict[str, str]:
    """The meaning for each kind of run."""
    return {f"{loss} {device}": code_meaning(loss, device, package) for loss in ("kernel", "count") for device in ("cpu", "cuda:0")}


def touched(package: Path, name: str, text: str = "\nADDED = 1\n") -> set[str]:
    """The kinds of runs for which more code in a file is other code."""
    before = meanings(package)
    path = package / name
    path.write_text((path.read_text() if path.exists() else "") + text)
    return {name for name, found in meanings(package).items() if found != before[name]}


ALL = {"kernel cpu", "kernel cuda:0", "count cpu", "count cuda:0"}


def test_every_file_of_the_method_counts_and_no_list_names_them(package):
    paths = ["architecture.py", *(path.relative_to(package).as_posix() for path in (package / "method").rglob("*.py"))]
    watched = {f"tsslbp/{path}" for path in paths}
    assert set(file_meanings("kernel", "cuda", package)) | set(file_meanings("count", "cuda", package)) == watched
    for path in paths:
        assert touched(package, path), path


def test_a_new_file_counts(package):
    assert touched(package, "method/neuron/new.py") == ALL


def test_files_of_the_gpu_count_for_cuda_alone(package):
    for name in ("method/neuron/gpu.py", "method/neuron/gpu_kernels.py", "method/gpu_tricks.py"):
        assert touched(package, name) == {"kernel cuda:0", "count cuda:0"}
    assert code_meaning("kernel", "auto", package) == code_meaning("kernel", "cpu", package)


def test_a_loss_counts_for_its_own_runs(package):
    assert touched(package, "method/losses/count.py") == {"count cpu", "count cuda:0"}
    assert touched(package, "method/losses/new.py") == set()


def test_what_a_loss_imports_from_its_neighbors_counts_for_it(package):
    assert touched(package, "method/losses/squares.py") == ALL
    assert touched(package, "method/losses/helper.py") == set()
    assert touched(package, "method/losses/count.py", "\nfrom .helper import ADDED\n") == {"count cpu", "count cuda:0"}
    assert touched(package, "method/losses/helper.py") == {"count cpu", "count cuda:0"}


def test_the_list_of_losses_counts_only_for_what_it_does(package):
    index = "method/losses/__init__.py"
    assert touched(package, index, "\nfrom tsslbp.method.losses.new import NewLoss\n__all__ = ['NewLoss']\n") == set()
    assert touched(package, index) == ALL


def test_losses_in_one_file_count_for_all(package):
    shutil.rmtree(package / "method/losses")
    assert touched(package, "method/losses.py") == ALL


def test_what_is_not_python_is_named(package):
    (package / "method/step.py").write_text("def broken(:\n")
    with pytest.raises(MeaningError, match=r"tsslbp/method/step\.py: line 1: not Python"):
        code_meaning("kernel", "cpu", package)


@pytest.mark.parametrize("params", PIPELINES, ids=str)
def test_the_committed_file_is_the_codes(params):
    """Write it anew with `make digest`; every training of a model whose entry changes is stale from then on."""
    settings = load_settings(ROOT / params)
    assert (ROOT / params).with_name(meaning.FILE_NAME).read_text() == meaning.meaning_text(settings), "renew it with: make digest"


def test_models_of_studies_have_the_meaning_of_the_losses_that_they_inherit():
    entries = json.loads((ROOT / "studies/ablation/meaning.json").read_text())["models"]
    assert set(entries) == set(load_settings(ROOT / "studies/ablation/params.yaml").models)
    assert set(entries.values()) == {code_meaning("kernel", "cpu")}


def test_a_file_that_is_not_the_codes_is_found(tmp_path):
    params = tmp_path / "params.yaml"
    shutil.copy(ROOT / "quickstart/params.yaml", params)
    settings = load_settings(params)
    assert not outdated(params, settings)  # who runs a stage by hand needs no such file
    file = tmp_path / meaning.FILE_NAME
    file.write_text(meaning.meaning_text(settings))
    assert not outdated(params, settings)
    file.write_text(re.sub(r'("ndigits-cnn": ")[0-9a-f]+', r"\g<1>0", file.read_text()))
    assert outdated(params, settings) == ["ndigits-cnn"]
    file.write_text("{")
    with pytest.raises(MeaningError, match=r"meaning\.json: is damaged .*python -m stages\.digest --params"):
        outdated(params, settings)


def test_the_digest_needs_no_pytorch():
    code = "import sys, stages.digest; print('torch' in sys.modules, 'numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout == "False False\n"


@pytest.mark.parametrize(("device", "known_as"), [("cpu, some processor", "cpu"), ("cuda:1, some GPU", "cuda:1")])
def test_a_record_of_other_code_is_told(device, known_as):
    record, provenance = make_record(seeds=(0,))
    settings = {**record.settings, "loss": {"kind": "kernel"}}
    record = record.model_copy(update={"code": code_meaning("kernel", known_as), "settings": settings})
    provenance = provenance.model_copy(update={"seeds": (provenance.seeds[0].model_copy(update={"device": device}),)})
    assert is_present(record, provenance)
    assert not is_present(record.model_copy(update={"code": "0" * 32}), provenance)
