"""With a DVC remote that several clones share, here a folder, the second clone trains nothing."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.pipeline.project_copy import Copy
from tests.support.project import results, small_settings

pytestmark = pytest.mark.slow
PIPELINE = "quickstart/dvc.yaml"
MODEL = "digits-mlp"


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Copy:
    """A project that trained one small model, pushed what it has to a folder, and committed the rest."""
    clone = Copy(tmp_path_factory.mktemp("first") / "project", empty_database)
    (clone.folder / "quickstart/params.yaml").write_text(small_settings(2, [MODEL], "30", events=False))
    clone.run("dvc", "remote", "add", "--default", "shared", str(tmp_path_factory.mktemp("remote")))
    clone.run("dvc", "repro", f"{PIPELINE}:train@{MODEL}", f"{PIPELINE}:report")
    clone.run("dvc", "push", PIPELINE)
    clone.run("git", "add", ".")
    clone.run("git", "add", "--force", "quickstart/reports")  # git ignores those of the quickstart; here they stand for what is committed
    clone.run("git", "-c", "user.name=test", "-c", "user.email=test@localhost", "commit", "--quiet", "--message", "trained")
    return clone


@pytest.fixture(params=["pull", "repro --pull"])
def second(first: Copy, tmp_path: Path, request: pytest.FixtureRequest) -> tuple[Copy, str]:
    """A clone of it after `dvc pull` and `dvc repro`, or after `dvc repro --pull`, and what that printed."""
    subprocess.run(["git", "clone", "--quiet", first.folder, tmp_path / "clone"], check=True)
    clone = object.__new__(Copy)  # nothing is copied by hand: what git has is all that it gets
    clone.folder = tmp_path / "clone"
    clone.environment = {**first.environment, "DVC_SITE_CACHE_DIR": str(tmp_path / "site")}
    if request.param == "pull":
        return clone, clone.run("dvc", "pull", "--allow-missing", PIPELINE) + clone.run("dvc", "repro", PIPELINE)
    return clone, clone.run("dvc", "repro", "--pull", PIPELINE)


def test_a_second_clone_has_the_rows_and_weights_and_trains_nothing(first: Copy, second: tuple[Copy, str]) -> None:
    clone, printed = second
    assert "epoch 1/" not in printed
    assert f"Running stage '{PIPELINE}:fit@{MODEL}'" not in printed
    assert results(clone.folder / "quickstart", MODEL) == results(first.folder / "quickstart", MODEL)
    assert len(list((clone.folder / "quickstart/checkpoints" / MODEL).glob("*.safetensors"))) == 4
    for name in ("results.csv", "results.md", "results.html"):
        assert (clone.folder / "quickstart/reports" / name).read_bytes() == (first.folder / "quickstart/reports" / name).read_bytes()
    assert not (clone.folder / "quickstart/.scratch" / MODEL).exists() or not list((clone.folder / "quickstart/.scratch").rglob("*.pt"))


def test_weights_are_in_the_remote_and_not_in_git(first: Copy, tmp_path: Path) -> None:
    subprocess.run(["git", "clone", "--quiet", first.folder, tmp_path / "clone"], check=True)
    assert not list((tmp_path / "clone").rglob("*.safetensors"))
    shutil.rmtree(tmp_path / "clone")
