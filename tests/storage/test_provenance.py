"""Where numbers come from: commit, machine, versions; and the dependencies that dvc.yaml names."""

import platform
import subprocess
from pathlib import Path

import numpy
import pytest
import torch
import yaml

from tests.support.paths import ROOT
from tsslbp.storage import provenance

PIPELINES = ["dvc.yaml", "quickstart/dvc.yaml", "studies/recipes/dvc.yaml", "studies/ablation/dvc.yaml"]


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_every_dependency_in_the_code_exists(pipeline):
    stages = yaml.safe_load((ROOT / pipeline).read_text())["stages"]
    for stage in stages.values():
        for dep in stage.get("do", stage)["deps"]:
            assert dep.startswith("${") or (ROOT / dep).exists(), dep


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_what_is_in_git_is_never_removed_before_it_is_written_anew(pipeline):
    """DVC deletes a stage's outputs before it runs the stage, unless told otherwise."""
    stages = yaml.safe_load((ROOT / pipeline).read_text())["stages"]
    found = [out for stage in stages.values() for kind in ("outs", "metrics", "plots") for out in stage.get("do", stage).get(kind, [])]
    in_git = [options for out in found if isinstance(out, dict) for options in out.values() if options.get("cache") is False]
    assert len(in_git) >= 4
    assert all(options.get("persist") for options in in_git)


@pytest.fixture
def repository(tmp_path):
    """A repository with one commit of a file of code."""

    def git(*arguments):
        who = ("-c", "user.name=test", "-c", "user.email=test@localhost")
        return subprocess.run(["git", *who, *arguments], cwd=tmp_path, check=True, capture_output=True, text=True).stdout.strip()

    (tmp_path / "code.py").write_text("one = 1\n")
    (tmp_path / "notes.md").write_text("notes\n")
    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "--message", "code")
    return tmp_path, git("rev-parse", "HEAD")


def test_the_commit_is_the_one_that_is_checked_out(repository):
    folder, commit = repository
    assert provenance.git_commit(folder) == commit
    (folder / "new.py").write_text("of nobody's\n")
    (folder / "notes.md").write_text("other notes\n")
    assert provenance.git_commit(folder) == commit  # neither decides a number


@pytest.mark.parametrize("edit", ["code.py", "a setting"])
def test_code_that_differs_from_the_commit_is_marked(repository, edit):
    folder, commit = repository
    if edit == "code.py":
        (folder / edit).write_text("one = 2\n")
    else:
        (folder / "params.yaml").write_text("one: 1\n")
        subprocess.run(["git", "add", "params.yaml"], cwd=folder, check=True)
    assert provenance.git_commit(folder) == f"{commit}+changes"


def test_versions_are_those_that_compute():
    versions = provenance.library_versions()
    assert (versions["python"], versions["numpy"]) == (platform.python_version(), numpy.__version__)
    assert versions["torch"] == torch.__version__.split("+")[0]


def test_the_processor_is_named_as_the_system_names_it():
    name = provenance.device_name("cpu")
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    models = {line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")} or {platform.machine()}
    assert name in {f"cpu, {model}" for model in models}


def test_a_folder_without_git_is_called_unknown(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert provenance.git_commit(tmp_path) == "unknown"
