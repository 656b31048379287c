"""What may import what, as CONTRIBUTING.md draws it: downward only, MLflow in one package, and no line printed by the library."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.support.paths import ROOT

DRAWN = "`stages` → `engines`, `experiment` → `tracking`, `report` → `method` → `data` → `settings`, `storage`, `architecture`"
LAYERS = [tuple(re.findall(r"`(\w+)`", layer)) for layer in DRAWN.split(" → ")]
FILES = sorted(path for folder in ("tsslbp", "stages") for path in (ROOT / folder).rglob("*.py"))


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@cache
def calls(path: Path) -> list[tuple[str, list[ast.expr]]]:
    """Functions that a file calls, by their last names, and with which arguments."""
    found = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
    return [(getattr(node.func, "attr", getattr(node.func, "id", "")), node.args) for node in found]


@cache
def imports(path: Path) -> list[str]:
    """All that a file imports, wherever in it: `a.b` for `import a.b`, `a.b` and `a.b.c` for `from a.b import c`."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [name.name for name in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.module and not node.level, f"{path}: a relative import"
            found += [node.module, *(f"{node.module}.{name.name}" for name in node.names)]
    return found + [text for name, arguments in calls(path) if name in ("import_module", "__import__") for text in texts(arguments)]


def texts(arguments: list[ast.expr]) -> Iterator[str]:
    """The texts among arguments, of an f-string what stands before its first value."""
    for argument in arguments:
        first = argument.values[0] if isinstance(argument, ast.JoinedStr) else argument
        if isinstance(first, ast.Constant) and isinstance(first.value, str):
            yield first.value


def part_of(module: str) -> str:
    """The part of the project that a module belongs to: `stages`, or what lies in the folder `tsslbp`."""
    names = module.split(".")
    return "stages" if names[0] == "stages" else names[1] if len(names) > 1 else ""


PARTS = {part_of(module_of(path)) for path in FILES} - {""}
"""Without tsslbp/__init__.py, which knows where everything public lies and imports it when it is asked for."""


@cache
def reached(part: str) -> frozenset[str]:
    """The parts that a part imports, and those that they import, and so on."""
    found, todo = set[str](), {part}
    while todo:
        found |= todo
        modules = {module for path in FILES if part_of(module_of(path)) in todo for module in imports(path)}
        todo = {part_of(module) for module in modules if module.startswith(("tsslbp.", "stages."))} & PARTS - found
    return frozenset(found)


def test_the_layers_are_those_of_the_page() -> None:
    page = " ".join((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").split())
    assert f"Imports run downward: {DRAWN}." in page
    assert {name for layer in LAYERS for name in layer} <= PARTS


@pytest.mark.parametrize(("depth", "part"), [(depth, part) for depth, layer in enumerate(LAYERS) for part in layer])
def test_imports_run_downward(depth: int, part: str) -> None:
    """Also by way of the small modules that the page does not draw. The parts of one layer may import each other."""
    above = {name for layer in LAYERS[:depth] for name in layer}
    assert reached(part) & above == set()


def test_imports_are_seen() -> None:
    """Each layer imports something of the next one that it stands on, and nothing by way of the package's public names."""
    assert {"engines", "experiment", "report", "tracking"} <= reached("stages")
    assert "method" in reached("engines") and "method" in reached("tracking")
    assert "data" in reached("method")
    assert {"settings", "storage"} <= reached("data")
    assert "architecture" in reached("settings")
    assert {part_of(name) for path in FILES for name in imports(path) if name.startswith("tsslbp.")} <= {*PARTS, ""}


def test_mlflow_is_imported_by_tracking_alone() -> None:
    found = {path for path in FILES if any(name.split(".")[0] == "mlflow" for name in imports(path))}
    assert len(found) > 3
    assert {part_of(module_of(path)) for path in found} == {"tracking"}


def test_the_library_prints_nothing() -> None:
    printing = {module_of(path) for path in FILES if any(name == "print" for name, _ in calls(path))}
    assert "stages.plan" in printing
    assert {module for module in printing if not module.startswith("stages.")} == set()
