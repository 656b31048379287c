"""A quickstart of three models on simulated nodes, with faults at random moments: in the end what an undisturbed run on this machine leaves.

TSSLBP_TEST_FAULTS and TSSLBP_TEST_SEED say how many faults there are and which.
"""

import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.in_process import run_stage, train
from tests.killing import processes_of
from tests.project import Project, results, small_settings
from tests.ray_nodes import Nodes
from tests.tracking_helpers import active_runs, history
from tsslbp.tracking import tracking_store

pytestmark = pytest.mark.slow
MODELS = ("tiny-a", "tiny-b", "tiny-c")
KINDS = ("worker", "node", "late", "driver", "worker", "node", "late", "head")
FAULTS = int(os.environ.get("TSSLBP_TEST_FAULTS", "8"))
EPOCHS = 25 * FAULTS
HEAD_LINES = ("the head of the Ray cluster", "the Ray node of this machine has ended", "RAY_ADDRESS: nothing answers")


def project_in(folder: Path, database: Path) -> Project:
    project = Project(folder, database)
    project.params.write_text(small_settings(EPOCHS, MODELS).replace("quickstart/", ""))
    return project


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, empty_database):
    """A project whose models were trained in this process, one seed after the other."""
    project = project_in(tmp_path_factory.mktemp("whole") / "project", empty_database)
    project.prepare()
    for model in MODELS:
        assert train(project.folder, model) == 0
    return project


class Drivers:
    """A training of each model that is not done; one that ends is started again, whatever ended it."""

    def __init__(self, project: Project, nodes: Nodes) -> None:
        self._project, self._nodes = project, nodes
        self._running: dict[str, subprocess.Popen] = {}
        self.left = list(MODELS)
        self.said: list[str] = []

    def tend(self) -> None:
        """Start what does not run; look at what has ended."""
        for model in list(self.left):
            process = self._running.get(model)
            if process is None:
                os.environ["RAY_ADDRESS"] = self._nodes.address
                # Output goes to files: a pipe that nobody reads would stop a driver.
                self._running[model] = self._project.start("fit", "--model", model)
            elif process.poll() is not None:
                self._ended(model, self._running.pop(model))

    def _ended(self, model: str, process: subprocess.Popen) -> None:
        _, err = process.communicate()
        self.said += [line for line in err.splitlines() if "git names no commit" not in line]
        assert "Traceback" not in err, err
        if process.returncode == 0:
            self.left.remove(model)
        else:
            assert process.returncode in (1, -signal.SIGKILL), err

    def kill(self, model: str) -> None:
        """SIGKILL a driver."""
        self._running[model].kill()

    @property
    def running(self) -> list[str]:
        """The models whose drivers run."""
        return [model for model, process in self._running.items() if process.poll() is None]

    def wait_for_their_end(self, seconds: float) -> None:
        """Every driver is to notice that its head is gone."""
        for process in self._running.values():
            process.wait(seconds)


def strike(kind: str, nodes: Nodes, drivers: Drivers, chance: random.Random) -> bool:
    """Let something go wrong; False where there is nothing for it to happen to."""
    if kind == "worker":
        return nodes.kill_worker() is not None
    if kind == "node":
        return bool(nodes.others) and not nodes.remove(chance.choice(nodes.others))
    if kind == "late":
        return len(nodes.others) < 3 and bool(nodes.add())
    if kind == "driver":
        return bool(drivers.running) and not drivers.kill(chance.choice(drivers.running))
    if not nodes.workers():
        return False
    nodes.remove_head()
    drivers.wait_for_their_end(60)
    nodes.stop()
    nodes.start()
    return True


def test_faults_at_random_moments_change_nothing(undisturbed, tmp_path, empty_database, monkeypatch):
    chance = random.Random(int(os.environ.get("TSSLBP_TEST_SEED", "14")))
    project = project_in(tmp_path / "project", empty_database)
    shutil.copytree(undisturbed.folder / "data", project.folder / "data")
    project.change("engine: local", "engine: ray")
    monkeypatch.setenv("RAY_ADDRESS", "")
    todo = [KINDS[number % len(KINDS)] for number in range(FAULTS)]
    chance.shuffle(todo)
    struck: list[str] = []
    with Nodes(chance) as nodes:
        drivers = Drivers(project, nodes)
        while drivers.left:
            drivers.tend()
            time.sleep(chance.uniform(0.5, 3))
            # A cluster without a worker at work is not worth a fault; one with some is struck as soon as its moment has come.
            if todo and (nodes.workers() or todo[0] == "late") and strike(todo[0], nodes, drivers, chance):
                struck.append(todo.pop(0))
                print(f"{time.monotonic():.0f} {struck[-1]}", flush=True)
        nodes.wait_for_no_worker()
        assert processes_of(project.folder) == []
    assert not todo
    assert all(any(line in said for line in (*HEAD_LINES, "is gone", "waiting for one")) for said in drivers.said), drivers.said
    monkeypatch.delenv("RAY_ADDRESS")
    for model in MODELS:
        assert run_stage(project.folder, "train", "--model", model) == 0
        assert results(project.folder, model) == results(undisturbed.folder, model)
    assert run_stage(project.folder, "report") == 0
    assert_logged_once(project)
    assert processes_of(nodes.folder) == []


def assert_logged_once(project: Project) -> None:
    """MLflow holds each seed and each epoch once."""
    store = tracking_store(project.folder)
    runs = active_runs(store, "tsslbp-quickstart")
    assert set(runs) == {f"{model}{seed}" for model in MODELS for seed in ("", " seed 0", " seed 1")}
    for name, run in runs.items():
        if "seed" in name:
            assert [step for step, _ in history(store, run)] == list(range(1, EPOCHS + 1))
