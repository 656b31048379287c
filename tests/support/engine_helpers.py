"""Two seeds of a small model on an engine, in this process: what happened, what is on disk, and which processes were there."""

from collections.abc import Callable, Iterator
from contextlib import chdir
from pathlib import Path

import torch

from stages.seeds import job_of
from tests.support.in_process import prepare
from tests.support.project import MODEL, Project
from tsslbp.engines import Engine, Event, Job
from tsslbp.engines.local import LocalEngine
from tsslbp.engines.slots import CoreBudget
from tsslbp.experiment import ModelRun
from tsslbp.settings import load_settings
from tsslbp.storage.checkpoints import TrainingState

CPU = torch.device("cpu")
EPOCHS = 3


def prepared_project(folder: Path, epochs: int = 3) -> Path:
    """A project's folder with data, in which nothing was trained."""
    project = Project(folder / "project", epochs=epochs)
    prepare(project.folder)
    return project.folder


def open_model(folder: Path, scratch: Path) -> ModelRun:
    """The model of a project, with its live checkpoints in a folder of its own; one thread for each seed."""
    with chdir(folder):
        settings = load_settings("params.yaml")
    folders = settings.folders.model_copy(update={"data": folder / "data", "scratch": scratch, "checkpoints": scratch / "weights"})
    torch.set_num_threads(1)
    return ModelRun.open(settings.model_copy(update={"folders": folders}), MODEL, CPU)


def local_engine(scratch: Path, at_a_time: int, cores: int = 2, say: Callable[[str], None] = print) -> LocalEngine:
    """A local engine with a budget of its own."""
    return LocalEngine(at_a_time, CoreBudget(scratch / "cores", range(cores)), say)


def jobs_of(model: ModelRun, seeds: tuple[int, ...] = (0, 1)) -> list[Job]:
    """The jobs that train these seeds."""
    return [job_of(model, seed) for seed in seeds]


def train(engine: Engine, model: ModelRun, jobs: list[Job]) -> Iterator[Event]:
    """Train jobs; nobody looks at their batches."""
    return engine.train(jobs, model.splits, lambda *_: None)


def final_states(model: ModelRun, seeds: tuple[int, ...] = (0, 1)) -> list[TrainingState]:
    """What is on disk of these seeds, without the times."""
    states = [model.state(seed) for seed in seeds]
    assert all(state is not None for state in states)
    return states


def assert_same(ours: list[TrainingState], theirs: list[TrainingState]) -> None:
    """Fail where a bit of two trainings differs; how long they took may."""
    for one, other in zip(ours, theirs, strict=True):
        assert one.history == other.history
        assert one.confusion == other.confusion
        for name in ("weights", "best_weights", "optimizer"):
            torch.testing.assert_close(getattr(one, name), getattr(other, name), rtol=0, atol=0)


def children() -> list[int]:
    """The worker processes that this process has started and that are there."""
    import os

    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            command = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if parent == os.getpid() and b"tsslbp.worker" in command:
            found.append(int(entry.name))
    return found
