"""Seeds side by side as a user runs them: interrupted, killed, and in the end what an undisturbed run in one process leaves."""

import os
import random
import shutil
import signal
import time
from contextlib import suppress
from pathlib import Path

import pytest
import torch

from tests.support.in_process import printed_by, printed_by_training, train
from tests.support.killing import processes_of, wait_for_their_end
from tests.support.project import MODEL, Project
from tests.support.remains import is_partial
from tsslbp.limits import usable_cores

pytestmark = pytest.mark.slow
EPOCHS = 25
FAULTS = 10
AT_ONCE = 20
"""Seconds within which a worker has ended after its driver was killed, on a busy machine, even where it still imports PyTorch."""


def project_with(folder: Path, database: Path, parallel: int | str, data: Path | None = None) -> Project:
    project = Project(folder, database, EPOCHS)
    project.change("parallel: 1", f"parallel: {parallel}")
    project.change("seeds: [0, 1]", "seeds: [0, 1, 2]")
    if data is None:
        project.prepare()
    else:
        shutil.copytree(data, project.folder / "data")
    return project


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, empty_database):
    """A project whose seeds were trained one after the other in the stage's own process."""
    project = project_with(tmp_path_factory.mktemp("whole") / "project", empty_database, 1)
    printed_by_training(project.folder, MODEL)
    return project


@pytest.fixture
def project(undisturbed, tmp_path, empty_database):
    return project_with(tmp_path / "project", empty_database, 2, undisturbed.folder / "data")


@pytest.fixture
def go_on(project, capfd):
    """Training the project to its end, in this process; what its workers say is heard, too."""

    def to_the_end():
        assert train(project.folder, MODEL) == 0
        assert "Traceback" not in capfd.readouterr().err

    return to_the_end


def workers_of(folder: Path) -> list[int]:
    """The worker processes that are at work in a project."""
    found = []
    for pid in processes_of(folder):
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            continue
        if b"tsslbp.worker" in command:
            found.append(pid)
    return found


def epochs_of(folder: Path) -> int:
    """Epochs in the live checkpoints of all seeds."""
    return sum(len(torch.load(path, weights_only=True)["history"]) for path in (folder / ".scratch").rglob("seed-?.pt"))


def end(pid: int) -> None:
    """Kill a process, which may have ended by itself meanwhile."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def wait_for(process, *texts: str) -> None:
    """Read on until each of the texts has been printed."""
    missing = set(texts)
    for line in process.stdout:
        missing -= {text for text in missing if text in line}
        if not missing:
            return
    raise AssertionError(f"{missing} never printed: {process.communicate()}")


def test_two_at_a_time_leave_what_one_after_the_other_leaves(project, undisturbed):
    process = project.start("fit", "--model", MODEL)
    wait_for(process, "epoch 1/")
    assert len(workers_of(project.folder)) == 2
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, (out, err)
    printed_by(project.folder, "train", "--model", MODEL)
    assert project.results() == undisturbed.results()
    wait_for_their_end(project.folder, AT_ONCE)


def test_ctrl_c_ends_all_with_one_message(project, undisturbed, go_on):
    process = project.start("fit", "--model", MODEL)
    wait_for(process, f"epoch 2/{EPOCHS}")
    for pid in [process.pid, *workers_of(project.folder)]:  # a terminal sends it to all
        os.kill(pid, signal.SIGINT)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 130
    said = [line for line in err.splitlines() if "has not taken the whole log" not in line]  # MLflow may have been slow to start
    crowded = [f"warning: {MODEL}: 2 seeds x 1 thread on 1 core: more than there are is slower than as many"]
    assert said == [*crowded * (usable_cores() == 1), "python -m stages.fit: interrupted; the same command goes on from here"]
    assert workers_of(project.folder) == []
    project.change("parallel: 2", "parallel: 1")  # the tests of killed workers and drivers go on in workers
    go_on()
    assert project.results() == undisturbed.results()


def test_workers_end_with_a_killed_driver_and_its_lock_is_free(project, undisturbed, go_on):
    process = project.start("fit", "--model", MODEL)
    wait_for(process, f"seed 0 epoch 2/{EPOCHS}", f"seed 1 epoch 2/{EPOCHS}")
    process.kill()
    process.wait()
    wait_for_their_end(project.folder, AT_ONCE)
    go_on()
    assert project.results() == undisturbed.results()


def test_a_killed_worker_is_named_and_costs_no_result(project, undisturbed):
    process = project.start("fit", "--model", MODEL)
    wait_for(process, f"epoch 2/{EPOCHS}")
    victim = workers_of(project.folder)[0]
    os.kill(victim, signal.SIGKILL)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert f"warning: {MODEL}: the worker of seed " in err
    assert f"(process {victim}) was killed by signal 9 (SIGKILL); the seed goes on from its last complete epoch" in err
    printed_by(project.folder, "train", "--model", MODEL)
    assert project.results() == undisturbed.results()


def strike(process, workers: list[int], chance: random.Random) -> str:
    """End a worker and then the driver, the driver alone or all, or press Ctrl-C; returns which."""
    fault = chance.choice(["worker", "worker", "driver", "interrupt", "all"])
    if fault == "worker" and workers:
        end(chance.choice(workers))
        time.sleep(chance.uniform(0, 3))
        process.kill()
    elif fault == "all":
        for pid in [*workers, process.pid]:
            end(pid)
    else:
        process.send_signal(signal.SIGINT if fault == "interrupt" else signal.SIGKILL)
    return fault


def hit(project: Project, chance: random.Random) -> bool:
    """Let a fault hit a training at a random moment; returns whether it had begun then and was not done."""
    process = project.start("fit", "--model", MODEL)
    if chance.random() < 0.7:
        wait_for(process, " epoch ")
        time.sleep(chance.uniform(0, 1))
    else:
        time.sleep(chance.uniform(0, 8))
    landed = process.poll() is None and 0 < epochs_of(project.folder) < 3 * EPOCHS
    fault = strike(process, workers_of(project.folder), chance)
    _, err = process.communicate(timeout=300)
    assert "Traceback" not in err or fault == "interrupt", err  # an interrupt during Python's own imports is Python's to tell
    wait_for_their_end(project.folder, AT_ONCE)
    return landed


@pytest.mark.exhaustive
def test_faults_at_random_moments_change_nothing(project, undisturbed):
    chance, landed = random.Random(int(os.environ.get("TSSLBP_TEST_SEED", "13"))), 0
    for _ in range(3 * FAULTS):
        if landed < FAULTS:
            if epochs_of(project.folder) == 3 * EPOCHS:  # there is nothing to hit any more
                shutil.rmtree(project.folder / ".scratch")
            landed += hit(project, chance)
    assert landed == FAULTS
    project.train()
    assert project.results() == undisturbed.results()
    wait_for_their_end(project.folder, AT_ONCE)
    partial = [path for path in (project.folder / ".scratch").rglob("*") if is_partial(path.relative_to(project.folder))]
    again = project.train()
    assert "epoch 1/" not in again
    assert partial == []
