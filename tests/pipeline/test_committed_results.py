"""A fresh clone holds records of hours of training: whatever is interrupted or mistyped in it, git still has them where they were."""

import re
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.pipeline.project_copy import Copy
from tests.pipeline.repro import Repro, announced, dvc_alone, everything, send, stage_alone
from tests.support.killing import wait_for_their_end
from tests.support.project import MODEL, small_settings

pytestmark = pytest.mark.slow

TRAIN = f"quickstart/dvc.yaml:train@{MODEL}"
COMMANDS = {
    "repro": ("repro", "quickstart/dvc.yaml"),
    "repro train@X": ("repro", TRAIN),
    "exp run": ("exp", "run", "--set-param", f"quickstart/params.yaml:models.{MODEL}.epochs=90", TRAIN),
}


@pytest.fixture(scope="module")
def committed(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Copy:
    """A project whose pipeline has run and whose results are in git."""
    project = Copy(tmp_path_factory.mktemp("committed") / "project", empty_database)
    (project.folder / "quickstart/params.yaml").write_text(small_settings(25, events=False))
    project.run("dvc", "repro", "quickstart/dvc.yaml")
    project.run("git", "add", "--all")
    project.run("git", "add", "--force", "quickstart/reports")  # git ignores those of the quickstart; here they stand for what is committed
    project.run("git", "-c", "user.name=test", "-c", "user.email=test@localhost", "commit", "--quiet", "--message", "results")
    return project


@pytest.fixture
def clone(committed: Copy, tmp_path: Path, empty_database: Path) -> Copy:
    """What git has of it: no data, no weights, no runs in MLflow, nothing of DVC's cache.

    Its kernels are compiled and its database has tables, which only saves time.
    """
    project: Copy = object.__new__(Copy)
    project.folder = tmp_path / "clone"
    committed.run("git", "clone", "--quiet", ".", str(project.folder))
    project.environment = {**committed.environment, "DVC_SITE_CACHE_DIR": str(project.folder / ".site")}
    for path in committed.folder.glob("tsslbp/**/*.nb[ci]"):
        (project.folder / path.relative_to(committed.folder)).parent.mkdir(exist_ok=True)
        shutil.copy(path, project.folder / path.relative_to(committed.folder))
    shutil.copy(empty_database, project.folder / "quickstart/mlflow.db")
    assert read(project) == read(committed)
    return project


def read(project: Copy) -> dict[Path, bytes]:
    """The committed results, by their names."""
    folder = project.folder / "quickstart/reports/runs"
    found = {path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("*.*"))}
    assert len(found) == 4
    return found


def files(folder: Path) -> dict[Path, bytes]:
    """What a folder holds; nothing where there is none."""
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def changed(project: Copy) -> str:
    return project.run("git", "status", "--short", "quickstart/reports")


def ctrl_c(repro: Repro) -> None:
    """What a terminal does: it sends the signal to DVC and to its stage."""
    send([repro.process.pid, *repro.stages()], signal.SIGINT)


def name_its_commits(project: Copy) -> None:
    """DVC makes commits of its own for experiments, by a git of its own that does not read these dates."""
    project.environment = {name: value for name, value in project.environment.items() if not re.fullmatch("GIT_.*_DATE", name)}
    project.environment |= {f"GIT_{who}_{what}": "test" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


@pytest.mark.parametrize(
    ("command", "end"),
    [*(("repro train@X", end) for end in (ctrl_c, everything, dvc_alone, stage_alone)), ("repro", ctrl_c), ("exp run", everything)],
)
def test_an_interrupted_command_leaves_what_is_committed(clone: Copy, command: str, end: Callable[[Repro], None]) -> None:
    name_its_commits(clone)
    repro = Repro(clone, (), COMMANDS[command])
    assert repro.reaches(announced(f"fit@{MODEL}")), repro.output
    assert repro.reaches("epoch 2/"), repro.output
    end(repro)
    repro.process.wait(120)
    wait_for_their_end(clone.folder, 120)
    assert changed(clone) == ""


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("dataset: digits", "dataset: digit", "dataset: got 'digit'; allowed: digits"),
        ("batch_size: ", "batch_size: -", "batch_size: got -50"),
        ("architecture: 60", "architecture: 60-P3-60", "architecture '60-P3-60': layer 2 needs an image"),
    ],
)
def test_a_mistyped_setting_leaves_what_is_committed(clone: Copy, old: str, new: str, said: str) -> None:
    params = clone.folder / "quickstart/params.yaml"
    assert old in params.read_text()
    params.write_text(params.read_text().replace(old, new))
    repro = Repro(clone, (), COMMANDS["repro train@X"])
    assert repro.process.wait(120) != 0, repro.output
    assert said in repro.output
    assert changed(clone) == ""


def test_a_stage_upstream_that_fails_leaves_what_is_committed(clone: Copy) -> None:
    (clone.folder / "quickstart/data").write_text("a file where the folder of the data belongs")
    repro = Repro(clone, (), COMMANDS["repro"])
    assert repro.process.wait(120) != 0, repro.output
    assert "failed to reproduce 'quickstart/dvc.yaml:download@digits'" in repro.output
    assert changed(clone) == ""


def test_an_interrupted_clone_ends_with_what_was_committed(clone: Copy, committed: Copy) -> None:
    repro = Repro(clone, (), COMMANDS["repro train@X"])
    assert repro.reaches("epoch 2/"), repro.output
    everything(repro)
    repro.process.wait(120)
    wait_for_their_end(clone.folder, 120)
    clone.run("dvc", *COMMANDS["repro train@X"])
    results = ("history.csv", "metrics.json")
    assert {path: data for path, data in read(clone).items() if path.name in results} == {
        path: data for path, data in read(committed).items() if path.name in results
    }


@pytest.mark.parametrize("in_cache", [True, False], ids=["where it was trained", "fresh clone"])
def test_an_experiment_is_taken_back_with_its_weights(clone: Copy, committed: Copy, in_cache: bool) -> None:
    """As docs/reproduce.md says: git has no weights; DVC's cache has the row's, or the experiment's are removed."""
    checkout = ("dvc", "checkout", f"quickstart/dvc.yaml:fit@{MODEL}")
    if in_cache:
        shutil.copytree(committed.folder / ".dvc/cache", clone.folder / ".dvc/cache")
        clone.run(*checkout)
    name_its_commits(clone)
    before, weights = read(clone), files(clone.folder / "quickstart/checkpoints")
    clone.run("dvc", "exp", "run", "--set-param", f"quickstart/params.yaml:models.{MODEL}.epochs=2", TRAIN)
    assert read(clone) != before
    clone.run("git", "checkout", "quickstart/params.yaml", "quickstart/dvc.lock", "quickstart/reports")
    assert files(clone.folder / "quickstart/checkpoints") not in (weights, {})
    clone.run(*checkout, code=0 if in_cache else 255)
    assert read(clone) == before
    assert files(clone.folder / "quickstart/checkpoints") == weights
    assert bool(weights) is in_cache
