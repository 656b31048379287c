"""The pages: their links and paths lead somewhere, their commands exist, their examples run, their figures agree with README."""

import contextlib
import importlib.util
import io
import re
import subprocess
import tomllib

import pytest
import yaml

import tsslbp
from stages.common import load_studies
from tests.support.paths import ROOT
from tsslbp.settings import load_settings

PAGES = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"))}
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
REQUIRED = {"reproduce", "networks", "method", "extending", "speed", "deviations", "guarantees", "findings"}


def found(pattern: str) -> list[tuple[str, str]]:
    """(page, match) of a pattern on all pages."""
    return sorted({(page, match) for page, text in PAGES.items() for match in re.findall(pattern, text, re.MULTILINE)})


def test_the_pages_that_readme_promises_are_there():
    assert {f"docs/{name}.md" for name in REQUIRED} <= set(PAGES)
    assert all(f"](docs/{name}.md)" in PAGES["README.md"] for name in REQUIRED)


@pytest.mark.parametrize(("page", "target"), found(r"\]\(([^)#]+)(?:#[^)]*)?\)"))
def test_every_link_leads_somewhere(page, target):
    assert target.startswith(("https://", "http://")) or ((ROOT / page).parent / target).exists()


@pytest.mark.parametrize(("page", "path"), found(r"`((?:tsslbp|stages|tests|benchmarks|studies|docs|examples)/[\w./-]*)`"))
def test_every_path_exists(page, path):
    assert (ROOT / path).exists() or f"```python {path}\n" in PAGES[page], (
        "it is not in the project, and the page does not show it as a new file"
    )


@pytest.mark.parametrize(("page", "target"), found(r"(?:^|`)(?:PORT=\d+ )?make ([a-z-]+)"))
def test_every_make_target_exists(page, target):
    assert target in TARGETS


@pytest.mark.parametrize(("page", "module"), found(r"python -m ((?:stages|benchmarks)(?:\.\w+)?)"))
def test_every_command_exists(page, module):
    assert importlib.util.find_spec(module) is not None


@pytest.mark.parametrize(("page", "model"), found(r"train@([a-z][a-z0-9-]*)"))
def test_every_model_exists(page, model):
    pipelines = (load_settings(ROOT / "params.yaml"), *load_studies(ROOT / "params.yaml").values())
    assert model in {"your-model", *(key for each in pipelines for key in each.models)} or f"\n  {model}:\n" in PAGES[page]


def test_the_worked_example_of_the_method_gives_what_the_page_says():
    (example,) = re.findall(r"```python\n(.*?)```", PAGES["docs/method.md"], re.DOTALL)
    (expected,) = re.findall(r"```text\n(.*?)```", PAGES["docs/method.md"], re.DOTALL)
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        exec(compile(example, "docs/method.md", "exec"), {})
    assert output.getvalue() == expected


def test_the_method_has_one_plain_paragraph_before_its_first_formula():
    before = PAGES["docs/method.md"].partition("u[t]")[0]
    assert "spiking neural network is" in before
    assert "    " not in before.partition("|")[0]


@pytest.mark.parametrize("page", sorted(set(PAGES) - {"README.md", "docs/findings.md"}))
def test_prose_wraps(page):
    """At 100 columns; tables, a long name alone on its line, and what the report writes (README, findings) may be wider."""
    prose = re.sub(r"^```.*?^```", "", PAGES[page], flags=re.DOTALL | re.MULTILINE)
    assert not [line for line in prose.splitlines() if len(line) > 100 and " " in line.strip() and not line.startswith("|")]


def test_the_citation_names_the_paper_and_the_version_of_the_package():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == tsslbp.__version__
    assert citation["preferred-citation"]["title"].startswith("Temporal Spike Sequence Learning")
    assert f"## {tsslbp.__version__}" in PAGES["CHANGELOG.md"]


def test_the_pythons_that_are_promised_are_those_that_setup_takes_and_ci_tries():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    versions = {line.rpartition(" ")[2] for line in project["classifiers"] if re.search(r"Python :: 3\.\d+$", line)}
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))
    assert set(workflow["jobs"]["test"]["strategy"]["matrix"]["python"]) == versions == {"3.11", "3.12", "3.13"}
    assert project["requires-python"] == ">=3.11,<3.14"
    assert "(3, 11) <= sys.version_info[:2] <= (3, 13)" in (ROOT / "Makefile").read_text(encoding="utf-8")


def test_repro_trains_several_models_at_a_time_on_request():
    """The commands alone; that such trainings end as each alone would is in pipeline/test_concurrency.py."""

    def commands(*arguments: str) -> list[str]:
        done = subprocess.run(["make", "--dry-run", "repro", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
        return [line for line in done.stdout.splitlines() if "dvc" in line and "git" not in line]

    assert commands() == ["dvc repro"]
    once, several, last = commands("JOBS=3")
    assert once.startswith("dvc repro digest preprocess")
    assert "--max-procs=3 -I {} dvc --wait-for-lock repro --single-item fit@{} train@{}" in several
    assert last == "dvc repro"
