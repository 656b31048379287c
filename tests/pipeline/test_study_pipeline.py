"""A study through DVC, in a copy of the project: what it runs, what it leaves alone, and what of its base makes it stale."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from stages.plan import stage_name
from tests.pipeline.project_copy import BEING_WRITTEN
from tests.support.in_process import run_stage
from tests.support.paths import ROOT
from tests.support.project import MODEL, small_settings
from tsslbp.storage.record_files import read_record

pytestmark = pytest.mark.slow

STUDY = {
    "base": "../../params.yaml",
    "experiment": "small-study",
    "folders": {
        "data": "data",
        "runs": "reports/studies/recipes/runs",
        "checkpoints": "checkpoints/studies/recipes",
        "scratch": ".scratch/studies/recipes",
        "reports": "reports/studies/recipes",
    },
    "recipes": {"one filter": {"like": "2021-03", "target_filterings": 1}},
    "models": {"once": {"like": MODEL, "dataset": "digits", "recipe": "one filter", "epochs": 2, "seeds": [1]}},
}


class Copy:
    """The project with the embedded digits for its data and one small model, and a study of that; with a git and a DVC of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("tsslbp", "stages", "studies"):
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns(*BEING_WRITTEN, "dvc.lock", "ablation"))
        for name in ("dvc.yaml", ".gitignore", ".dvcignore"):
            shutil.copy(ROOT / name, folder / name)
        (folder / "params.yaml").write_text(small_settings().replace("quickstart/", ""))
        (folder / "studies/recipes/params.yaml").write_text(yaml.safe_dump(STUDY))
        for runs in ("reports/runs", "reports/studies/recipes/runs"):
            (folder / runs).mkdir(parents=True)
        self.run("git", "init", "--quiet")
        self.run(
            "git", "-c", "user.name=test", "-c", "user.email=test@localhost", "commit", "--quiet", "--allow-empty", "--message", "empty"
        )
        self.run("dvc", "init", "--quiet")

    def run(self, *command: str) -> str:
        environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "DVC_SITE_CACHE_DIR": str(self.folder / ".site"),
            "DVC_NO_ANALYTICS": "1",
            "MLFLOW_TRACKING_URI": "",
        }
        done = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        return done.stdout

    def stale(self) -> bool:
        """Whether the study's model would be trained."""
        stages = json.loads(self.run("dvc", "status", "--json", "studies/recipes/dvc.yaml"))
        return stage_name("fit", Path("studies/recipes/params.yaml"), "once") in stages

    def change(self, name: str, old: str, new: str) -> None:
        path = self.folder / name
        assert path.read_text().count(old) == 1, old
        path.write_text(path.read_text().replace(old, new))


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Copy:
    copy = Copy(tmp_path_factory.mktemp("study") / "project")
    shutil.copy(empty_database, copy.folder / "mlflow.db")
    copy.output = copy.run("dvc", "repro", "studies/recipes/dvc.yaml")
    return copy


def test_a_study_runs_its_own_models_on_the_data_of_its_base(copy: Copy) -> None:
    assert "Running stage 'preprocess@digits'" in copy.output
    assert "Running stage 'studies/recipes/dvc.yaml:train@once'" in copy.output
    assert f"train@{MODEL}'" not in copy.output and "Running stage 'report'" not in copy.output
    record, _ = read_record(copy.folder / "reports/studies/recipes/runs/once")
    assert {seed.seed: len(seed.history) for seed in record.seeds} == {1: 2}
    assert (copy.folder / "checkpoints/studies/recipes/once/seed-1-best.safetensors").exists()
    assert not list(copy.folder.glob("studies/**/mlflow.db"))


def test_a_second_run_does_nothing_and_git_sees_no_more_than_records_and_lock_files(copy: Copy) -> None:
    assert "Running stage" not in copy.run("dvc", "repro", "studies/recipes/dvc.yaml")
    new = copy.run("git", "status", "--porcelain", "--untracked-files=all", "reports", "checkpoints", ".scratch", "studies", "dvc.lock")
    names = {line.split()[-1] for line in new.splitlines()} - {"studies/recipes/params.yaml", "studies/recipes/dvc.yaml"}
    records = {f"reports/studies/recipes/runs/once/{name}" for name in ("history.csv", "metrics.json", "provenance.json", "record.json")}
    assert names == {*records, "dvc.lock", "studies/recipes/dvc.lock", "studies/recipes/meaning.json"}


@pytest.mark.parametrize(
    ("name", "old", "new", "stale"),
    [
        ("params.yaml", "learning_rate: 0.0005", "learning_rate: 0.0006", True),
        ("params.yaml", "clip_norm: 1.0", "clip_norm: 2.0", True),
        ("params.yaml", "mean: [0.3065]", "mean: [0.3]", True),
        ("params.yaml", "experiment: tsslbp-quickstart", "experiment: other", False),
        ("studies/recipes/params.yaml", "target_filterings: 1", "target_filterings: 0", True),
        ("studies/recipes/params.yaml", "epochs: 2", "epochs: 3", True),
    ],
)
def test_a_study_is_stale_when_a_setting_changes_in_either_file(copy: Copy, name: str, old: str, new: str, stale: bool) -> None:
    copy.change(name, old, new)
    try:
        assert copy.stale() is stale
    finally:
        copy.change(name, new, old)


def test_a_study_is_not_stale_once_all_settings_are_as_they_were(copy: Copy) -> None:
    assert not copy.stale()


def test_the_report_asks_for_no_training_of_the_studies(copy: Copy) -> None:
    assert "studies/" not in copy.run("dvc", "dag", "--mermaid", "report")


def test_the_plan_measures_what_is_left_to_do_of_a_study(
    copy: Copy, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(copy.folder / ".site"))
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")

    def plan(*arguments: str) -> str:
        assert run_stage(copy.folder, "plan", "--seconds", "0.01", *arguments) == 0
        return capsys.readouterr().out

    for arguments in ((), ("--params", "studies/recipes/params.yaml")):
        out = plan(*arguments)
        assert (MODEL in out) == (not arguments)
        assert "once" not in out
    copy.change("studies/recipes/params.yaml", "epochs: 2", "epochs: 3")
    out = plan()
    assert MODEL in out and re.search(r"recipes:\s+once", out)
    copy.change("studies/recipes/params.yaml", "epochs: 3", "epochs: 2")
