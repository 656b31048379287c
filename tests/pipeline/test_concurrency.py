"""Several processes on one project at once: none breaks what another does."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from tests.pipeline.project_copy import Copy
from tests.support.in_process import prepare, train
from tests.support.killing import Running, run, wait_for_their_end
from tests.support.project import MODEL, Project, small_settings
from tests.support.remains import check_whole, is_partial, whole_files
from tests.support.tracking_helpers import active_runs
from tsslbp.storage.checkpoints import load_weights
from tsslbp.storage.record_files import read_record
from tsslbp.tracking import tracking_store, verify

pytestmark = pytest.mark.slow

MODELS = ("tiny-a", "tiny-b", "tiny-c", "tiny-d")
COMMANDS = (
    ("download", "--dataset", "digits"),
    ("download", "--dataset", "ndigits"),
    ("preprocess", "--dataset", "digits"),
    ("preprocess", "--dataset", "ndigits"),
    ("fit", "--model", MODEL),
    ("train", "--model", MODEL),
    ("report",),
)
BUSY = "is already at work in another process"


def both(model: str) -> tuple[str, str]:
    """The stages of a model's training."""
    return f"quickstart/dvc.yaml:fit@{model}", f"quickstart/dvc.yaml:train@{model}"


def together(project: Copy, commands: Sequence[Sequence[str]]) -> list[str]:
    """Run commands at the same time, all of them well; returns what each printed."""
    output = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    processes = [subprocess.Popen(command, cwd=project.folder, env=project.environment, **output) for command in commands]
    printed = [process.communicate(timeout=600)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * len(commands), printed
    return printed


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Project:
    """A project in which everything ran once, one after the other."""
    project = Project(tmp_path_factory.mktemp("alone") / "project", empty_database, epochs=6)
    for command in COMMANDS:
        run(project.folder, *command)
    return project


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """A new project, no database in it yet, in which four `dvc repro` trained a model each at the same time."""
    project = Copy(tmp_path_factory.mktemp("crowded") / "project")
    (project.folder / "quickstart/params.yaml").write_text(small_settings(2, MODELS, "30"))
    live = project.folder / "tsslbp/tracking/live.py"
    assert live.read_text().count("EXIT_SECONDS = 60.0") == 1
    # Four take turns at a database that does not exist yet; a busy machine needs longer for that than anyone waits.
    live.write_text(live.read_text().replace("EXIT_SECONDS = 60.0", "EXIT_SECONDS = 600.0"))
    project.run("dvc", "repro", "quickstart/dvc.yaml:preprocess@digits", "quickstart/dvc.yaml:digest")
    assert not (project.folder / "quickstart/mlflow.db").exists()
    project.printed = together(project, [["dvc", "--wait-for-lock", "repro", "-s", *both(model)] for model in MODELS])
    return project


def test_four_models_at_once_end_without_a_warning(crowded: Copy) -> None:
    for printed in crowded.printed:
        waiting = "other trainings of this project use all cores; waiting for one"
        assert not [line for line in printed.splitlines() if "warning:" in line and waiting not in line]
        assert "Traceback" not in printed


def test_all_of_them_are_complete_in_mlflow_and_in_their_records(crowded: Copy) -> None:
    folder = crowded.folder / "quickstart"
    records = [read_record(folder / "reports/runs" / model)[0] for model in MODELS]
    assert [[(seed.seed, len(seed.history)) for seed in record.seeds] for record in records] == [[(0, 2), (1, 2)]] * 4
    store = tracking_store(folder)
    verify(store, records)
    runs = active_runs(store, records[0].experiment)
    assert set(runs) == {name for model in MODELS for name in (model, f"{model} seed 0", f"{model} seed 1")}
    assert {run.info.status for run in runs.values()} == {"FINISHED"}


@pytest.fixture
def tiny_alone(tmp_path: Path, empty_database: Path) -> Project:
    """A project of the four models, in which nothing was trained."""
    project = Project(tmp_path / "project", empty_database)
    (project.folder / "params.yaml").write_text(small_settings(2, MODELS, "30").replace("quickstart/", ""))
    prepare(project.folder)
    return project


def test_company_changes_no_number(crowded: Copy, tiny_alone: Project) -> None:
    """The four are the same network under four names, and one that is trained alone is it, too."""
    assert train(tiny_alone.folder, MODELS[0]) == 0
    history = (tiny_alone.folder / "reports/runs" / MODELS[0] / "history.csv").read_bytes()
    weights = [load_weights(tiny_alone.folder / f"checkpoints/{MODELS[0]}/seed-{seed}-final.safetensors")[0] for seed in (0, 1)]
    for model in MODELS:
        folder = crowded.folder / "quickstart"
        assert (folder / "reports/runs" / model / "history.csv").read_bytes() == history
        for seed in (0, 1):
            theirs = load_weights(folder / f"checkpoints/{model}/seed-{seed}-final.safetensors")[0]
            assert theirs.keys() == weights[seed].keys()
            assert all(torch.equal(theirs[name], weight) for name, weight in weights[seed].items())


def test_dvc_knows_that_all_of_them_are_done(crowded: Copy) -> None:
    stages = [stage for model in MODELS for stage in both(model)]
    printed = crowded.run("dvc", "repro", "-s", *stages)
    assert all(f"Stage '{stage}' didn't change, skipping" in printed for stage in stages)
    assert "Running stage" not in printed


@pytest.fixture(scope="module")
def doubled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, dict[str, list[tuple[int, str]]]]:
    """A project in which every command was started twice at the same moment, with the exit codes and what was printed."""
    project = Project(tmp_path_factory.mktemp("doubled") / "project", epochs=6)
    ended: dict[str, list[tuple[int, str]]] = {}
    for command in COMMANDS:
        both = [Running(project.folder, *command) for _ in range(2)]
        ended[" ".join(command)] = [(running.wait(), running.output) for running in both]
    wait_for_their_end(project.folder)
    return project, ended


def test_of_two_starts_one_does_it_and_the_other_says_so_or_finds_it_done(
    doubled: tuple[Project, dict[str, list[tuple[int, str]]]],
) -> None:
    for command, ends in doubled[1].items():
        assert min(code for code, _ in ends) == 0, (command, ends)
        for code, output in ends:
            assert code in (0, 1)
            assert "Traceback" not in output
            assert (code == 1) == (BUSY in output), (command, output)


def test_of_two_trainings_of_a_model_one_is_refused(doubled: tuple[Project, dict[str, list[tuple[int, str]]]]) -> None:
    ends = doubled[1][f"fit --model {MODEL}"]
    assert sorted(code for code, _ in ends) == [0, 1]
    assert any(f"training of {MODEL} {BUSY}" in output for _, output in ends)


def test_two_starts_leave_what_one_leaves(doubled: tuple[Project, object], alone: Project) -> None:
    folder = doubled[0].folder
    assert whole_files(folder) == whole_files(alone.folder)
    for path in whole_files(folder):
        check_whole(folder / path, alone.folder / path)
    assert [path for path in folder.rglob("*") if is_partial(path.relative_to(folder))] == []
