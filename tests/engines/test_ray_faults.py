"""A quickstart of three models on simulated nodes, with faults at random moments: in the end what an undisturbed run on this machine leaves.

TSSLBP_TEST_FAULTS and TSSLBP_TEST_SEED say how many faults there are and which.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from tests.engines.ray_nodes import Nodes
from tests.support.in_process import prepare, run_stage, train
from tests.support.killing import processes_of
from tests.support.paths import ROOT
from tests.support.project import Project, results, small_settings
from tests.support.tracking_helpers import active_runs, history
from tsslbp.storage.checkpoints import load_weights
from tsslbp.tracking import tracking_store

pytestmark = pytest.mark.exhaustive
MODELS = ("tiny-a", "tiny-b", "tiny-c")
KINDS = ("worker", "node", "late", "driver", "head", "worker", "node", "late")
FAULTS = int(os.environ.get("TSSLBP_TEST_FAULTS", "5"))
EPOCHS = 12 * FAULTS
EXPECTED = (
    "the head of the Ray cluster",
    "the Ray node of this machine has ended",
    "RAY_ADDRESS: nothing answers",
    "is gone with its node",
    "is gone; the seed goes on",
    "waiting for one",
    "Failed to connect to GCS",
    "has not taken the whole log",
    "Matplotlib is building the font cache",
)
"""What a driver may say, each in one line; Ray's own word for a head that is lost while a driver joins, a slow log's and Matplotlib's among them."""


def project_in(folder: Path, database: Path) -> Project:
    project = Project(folder, database)
    project.params.write_text(small_settings(EPOCHS, MODELS).replace("quickstart/", ""))
    return project


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, empty_database):
    """A project whose first model was trained on this machine alone; the others are the same network under other names."""
    project = project_in(tmp_path_factory.mktemp("whole") / "project", empty_database)
    prepare(project.folder)
    assert train(project.folder, MODELS[0]) == 0
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
                command = [sys.executable, "-X", "faulthandler", "-m", "stages.fit", "--model", model]
                # Not to a pipe: one that nobody reads would stop a driver.
                with self._errors(model).open("w") as errors:
                    self._running[model] = subprocess.Popen(command, cwd=self._project.folder, stdout=subprocess.DEVNULL, stderr=errors)
            elif process.poll() is not None:
                self._ended(model, self._running.pop(model))

    def _ended(self, model: str, process: subprocess.Popen) -> None:
        err = self._errors(model).read_text()
        self.said += [line for line in err.splitlines() if "git names no commit" not in line]
        assert "Traceback" not in err, err
        if process.returncode == 0:
            self.left.remove(model)
        else:
            assert process.returncode in (1, -signal.SIGKILL), err

    def _errors(self, model: str) -> Path:
        return self._project.folder.parent / f"{model}.errors"

    def kill(self, model: str) -> None:
        """SIGKILL a driver."""
        self._running[model].kill()

    @property
    def running(self) -> list[str]:
        """The models whose drivers run."""
        return [model for model, process in self._running.items() if process.poll() is None]

    def wait_for_their_end(self, seconds: float) -> None:
        """Every driver is to notice that its head is gone."""
        for model, process in self._running.items():
            try:
                process.wait(seconds)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGABRT)  # its stacks go to its errors
                process.wait()
                raise AssertionError(self._errors(model).read_text()) from None


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
    drivers.wait_for_their_end(240)
    nodes.stop()
    nodes.start()
    return True


def test_faults_at_random_moments_change_nothing(undisturbed, tmp_path, empty_database, monkeypatch):
    chance = random.Random(int(os.environ.get("TSSLBP_TEST_SEED", "14")))
    project = project_in(tmp_path / "project", empty_database)
    shutil.copytree(undisturbed.folder / "data", project.folder / "data")
    project.change("engine: local", "engine: ray")
    for name, value in {"RAY_ADDRESS": "", "PYTHONPATH": str(ROOT), "MLFLOW_TRACKING_URI": ""}.items():
        monkeypatch.setenv(name, value)
    todo = [KINDS[number % len(KINDS)] for number in range(FAULTS)]
    chance.shuffle(todo)
    with Nodes(chance) as nodes:
        drivers = Drivers(project, nodes)
        while drivers.left:
            drivers.tend()
            time.sleep(chance.uniform(0.5, 3))
            # A cluster without a worker at work is not worth a fault; what can happen to one with some does, in the order that was drawn.
            at_work = bool(nodes.workers())
            kind = next((kind for kind in todo if (at_work or kind == "late") and strike(kind, nodes, drivers, chance)), None)
            if kind is not None:
                todo.remove(kind)
                print(f"{time.monotonic():.0f} {kind}", flush=True)
        nodes.wait_for_no_worker()
        assert processes_of(project.folder) == []
    assert not todo
    assert [line for line in drivers.said if not any(known in line for known in EXPECTED)] == []
    monkeypatch.delenv("RAY_ADDRESS")
    for model in MODELS:
        assert run_stage(project.folder, "train", "--model", model) == 0
        assert_same_numbers(project.folder, model, undisturbed.folder)
    assert results(project.folder, MODELS[0]) == results(undisturbed.folder, MODELS[0])
    assert run_stage(project.folder, "report") == 0
    assert_logged_once(project)
    assert processes_of(nodes.folder) == []


def assert_same_numbers(ours: Path, model: str, theirs: Path) -> None:
    """Fail where a history or weights differ from those of the first model; the names in the files do."""
    history = "reports/runs/{}/history.csv"
    assert (ours / history.format(model)).read_bytes() == (theirs / history.format(MODELS[0])).read_bytes()
    for path in (theirs / "checkpoints" / MODELS[0]).glob("*.safetensors"):
        mine, wanted = load_weights(ours / "checkpoints" / model / path.name)[0], load_weights(path)[0]
        assert all(torch.equal(mine[name], wanted[name]) for name in wanted)


def assert_logged_once(project: Project) -> None:
    """MLflow holds each seed and each epoch once."""
    store = tracking_store(project.folder)
    runs = active_runs(store, "tsslbp-quickstart")
    assert set(runs) == {f"{model}{seed}" for model in MODELS for seed in ("", " seed 0", " seed 1")}
    for name, run in runs.items():
        if "seed" in name:
            assert [step for step, _ in history(store, run)] == list(range(1, EPOCHS + 1))
