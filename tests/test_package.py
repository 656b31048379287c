"""The library as others get it: a wheel that installs, a public face that imports fast, and dependencies that are all used."""

import ast
import os
import re
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest

import tsslbp
from tests.support.paths import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
MODULES = {"pillow": "PIL", "pyyaml": "yaml", "ruamel-yaml": "ruamel", "scikit-learn": "sklearn"}
"""Distributions whose module has another name."""
BROUGHT = {"triton", "pydantic_core"}
"""What PyTorch (where there is a GPU) and pydantic bring as parts of themselves."""
COMMANDS = {"dvc", "hatchling", "mypy", "ruff", "pytest-xdist", "pandas-stubs", "scipy-stubs"}
"""What is run or read by a tool and imported by nothing here; type stubs (types-*) besides."""
LIBRARY = ("__init__.py", "architecture.py", "measures.py", "system.py", "method", "settings", "storage")
"""The part of the package that works without any extra."""


def names(requirements: list[str]) -> set[str]:
    """The distributions of requirements such as "torch>=2.5"."""
    return {re.sub(r"[-_.]+", "-", re.split(r"[<>=!~ ;\[]", requirement, maxsplit=1)[0].lower()) for requirement in requirements}


def modules(distributions: set[str]) -> set[str]:
    return {MODULES.get(name, name) for name in distributions}


def imported(*paths: Path) -> set[str]:
    """Top-level modules of others that these files and folders import anywhere, for types alone too."""
    files = [file for path in paths for file in (sorted(path.rglob("*.py")) if path.is_dir() else [path])]
    found = set()
    for node in (node for file in files for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add(str(node.module))
        elif (
            isinstance(node, ast.Call)
            and "import_module" in ast.unparse(node.func)
            and node.args
            and isinstance(node.args[0], ast.Constant)
        ):
            found.add(str(node.args[0].value))
    return {name.partition(".")[0] for name in found} - sys.stdlib_module_names - {"tsslbp", "stages", "benchmarks", "tests"}


def python(*arguments: str, interpreter: Path | str = sys.executable, folder: Path = ROOT) -> str:
    """The output of a Python that finds nothing but what is installed for it, and what lies in its folder."""
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "GOMP_SPINCOUNT")}
    done = subprocess.run([interpreter, *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `pip install .` would install, built without a network."""
    folder = tmp_path_factory.mktemp("wheel")
    python("-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(folder), str(ROOT))
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        (path,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return Parser().parsestr(archive.read(path).decode())


def test_the_wheel_holds_the_package_with_its_templates_and_nothing_else(wheel):
    tracked = subprocess.run(["git", "ls-files", "tsslbp"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert {name for name in tracked if (ROOT / name).exists()} <= packed
    assert {"tsslbp/py.typed", "tsslbp/report/templates/results.html"} <= packed
    assert {name.partition("/")[0] for name in packed} == {"tsslbp"}
    assert not [name for name in packed if name.endswith((".pyc", ".nbi", ".nbc"))]


def test_the_wheel_leaves_nothing_behind_in_the_checkout(wheel):
    assert not (ROOT / "build").exists()
    assert not list(ROOT.glob("*.egg-info"))


def test_its_metadata_say_what_it_needs(metadata):
    plain = {line for line in metadata.get_all("Requires-Dist") if "extra ==" not in line}
    assert names(list(plain)) == {"torch", "numpy", "numba", "pydantic", "ruamel-yaml", "safetensors"}
    assert set(metadata.get_all("Provides-Extra")) == {"pipeline", "ray", "export", "bench", "dev"}
    assert (metadata["Version"], metadata["License-Expression"]) == (tsslbp.__version__, "MIT")


def test_readme_names_the_dependencies():
    text = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    (listed,) = re.findall(r"with six dependencies: ([^.]*(?:\.yaml)?[^.]*)\.", text)
    assert names(re.split(r", | and ", listed)) == names(PROJECT["dependencies"])


@pytest.mark.slow
def test_it_runs_the_readmes_example_when_installed_elsewhere(wheel, tmp_path):
    """Installed without its dependencies: those of this environment are lent to it, so that no second PyTorch is fetched."""
    venv.create(tmp_path / "venv", with_pip=False, symlinks=True)
    interpreter = tmp_path / "venv/bin/python"
    python("-m", "pip", "--python", str(interpreter), "install", "--quiet", "--no-deps", "--no-index", str(wheel))
    (packages,) = (tmp_path / "venv/lib").glob("python*/site-packages")
    lent = {sysconfig.get_path("purelib"), *(path for path in sys.path if path.endswith("site-packages"))}
    (packages / "lent.pth").write_text("\n".join(sorted(lent)), encoding="utf-8")
    (tmp_path / "elsewhere").mkdir()
    (example,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "elsewhere/example.py").write_text(example + "print(tsslbp.__file__)", encoding="utf-8")
    *_, home = python("example.py", interpreter=interpreter, folder=tmp_path / "elsewhere").splitlines()
    assert Path(home).is_relative_to(packages)


def test_importing_it_is_quick_and_imports_nothing_big():
    code = (
        "import sys, time; start = time.perf_counter(); import tsslbp; print(time.perf_counter() - start);"
        "print([name for name in ('torch', 'numba', 'mlflow', 'dvc', 'matplotlib', 'pandas') if name in sys.modules])"
    )
    runs = [python("-c", code).splitlines() for _ in range(3)]
    assert min(float(seconds) for seconds, _ in runs) < 0.2
    assert {big for _, big in runs} == {"[]"}


def test_every_public_name_works_without_the_extras():
    """Each name is used in a process where no module of an extra can be imported."""
    absent = sorted(modules(names([line for extra in EXTRAS.values() for line in extra])) - {"filelock"})  # PyTorch imports filelock itself
    code = f"""
import sys
from importlib.machinery import PathFinder

class Without(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] in {absent} else PathFinder.find_spec(name, path, target)

sys.meta_path[:] = [Without if finder is PathFinder else finder for finder in sys.meta_path]
import tsslbp
print(all(getattr(tsslbp, name) is not None for name in tsslbp.__all__))
print(tsslbp.data.events.read_events.__name__)
"""
    assert python("-c", code).splitlines() == ["True", "read_events"]


@pytest.mark.parametrize("name", tsslbp.__all__)
def test_a_public_name_is_there(name):
    assert getattr(tsslbp, name).__doc__
    assert name in dir(tsslbp)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'tsslbp' has no attribute 'liff'"):
        _ = tsslbp.liff


def test_the_modules_of_data_are_there_without_an_import_of_their_own():
    assert tsslbp.data.events.read_events
    with pytest.raises(AttributeError, match=r"module 'tsslbp\.data' has no attribute 'event'"):
        _ = tsslbp.data.event


def test_every_public_name_and_package_is_listed():
    packages = {path.parent.name for path in (ROOT / "tsslbp").glob("*/__init__.py")}
    assert packages - {tsslbp._PLOTS} | set(tsslbp._HOMES) <= set(tsslbp.__all__)
    assert tsslbp.figures.__doc__


def test_the_spin_count_is_set_and_a_value_of_ones_own_stays():
    code = "import os, sys; os.environ.update({}); import tsslbp; print(os.environ['GOMP_SPINCOUNT'])"
    assert python("-c", code.format({})).strip() == "2000"
    assert python("-c", code.format({"GOMP_SPINCOUNT": "7"})).strip() == "7"


def test_the_library_imports_its_own_dependencies_alone():
    needed = imported(*(ROOT / "tsslbp" / name for name in LIBRARY)) - BROUGHT
    assert needed - {"filelock"} <= modules(names(PROJECT["dependencies"]))


def test_every_module_that_is_imported_is_named():
    jax = (ROOT / "requirements-jax.txt").read_text(encoding="utf-8").splitlines()  # an environment of its own, for the benchmark
    named = modules(names(jax + PROJECT["dependencies"] + [line for extra in EXTRAS.values() for line in extra]))
    assert imported(ROOT / "tsslbp", ROOT / "stages", ROOT / "benchmarks", ROOT / "tests") - BROUGHT <= named


@pytest.mark.parametrize("extra", [None, *EXTRAS])
def test_every_dependency_that_is_named_is_used(extra):
    asked = names(PROJECT["dependencies"] if extra is None else EXTRAS[extra])
    used = imported(ROOT / "tsslbp", ROOT / "stages", ROOT / "benchmarks", ROOT / "tests")
    assert modules({name for name in asked - COMMANDS if not name.startswith("types-")}) <= used


def test_the_lock_pins_every_dependency_but_those_of_the_benchmark():
    pinned = names((ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines())
    asked = names(PROJECT["dependencies"] + [line for name, extra in EXTRAS.items() if name != "bench" for line in extra])
    assert asked <= pinned


def test_the_benchmarks_libraries_are_pinned():
    pinned = names((ROOT / "requirements-bench.txt").read_text(encoding="utf-8").splitlines())
    assert names(EXTRAS["bench"]) <= pinned
