"""Fixtures that several test files share."""

import importlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import MagicMock

import pytest
import torch
from hypothesis import HealthCheck, settings

from tests.support.paths import ROOT

if not torch.cuda.is_available():
    os.environ.setdefault("TRITON_INTERPRET", "1")  # read when Triton is imported: method/test_neuron_gpu.py runs on any device

from tests.support import engine_helpers, report_builders
from tests.support.project import Project
from tsslbp.engines import EpochDone, Finished, Started
from tsslbp.experiment import ModelRun
from tsslbp.figures.canvas import Picture
from tsslbp.report.origin import Run
from tsslbp.settings import Settings, load_settings
from tsslbp.storage.checkpoints import TrainingState
from tsslbp.tracking import Store, prepare, tracking_store

# Without `derandomize=False` Hypothesis tries the same inputs each time where the variable CI is set.
# A deadline of 200 ms for an example is Hypothesis' own; a busy machine stops a process for longer.
settings.register_profile("unhurried", deadline=None, derandomize=False, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")
# How many inputs each reader of fuzzing/ gets: in `make test`, and in `make test-exhaustive`.
settings.register_profile("quick", max_examples=45, deadline=None, derandomize=False, suppress_health_check=list(HealthCheck))
settings.register_profile("thorough", settings.get_profile("quick"), max_examples=900)


if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts what it runs in the background deaf to Ctrl-C, and what that starts inherits it; some tests press Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def same_draws() -> None:
    """Tests draw the same numbers each time: one in ten thousand would put a potential within rounding of the threshold."""
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def denormals_kept() -> Iterator[None]:
    """A test that trains in this process, where they are flushed to zero, leaves the next one the numbers that it is of."""
    yield
    torch.set_flush_denormal(False)


@pytest.fixture(scope="session")
def settings() -> Settings:
    """The settings of the published protocol."""
    return load_settings(ROOT / "params.yaml")


@pytest.fixture(scope="session")
def base(settings: Settings) -> Settings:
    """The published protocol, as what a study varies."""
    return settings


@pytest.fixture(scope="session")
def studies() -> dict[str, Settings]:
    """The studies of the published protocol, by name."""
    return report_builders.study_settings()


@pytest.fixture(scope="session")
def base_runs(base: Settings) -> dict[str, Run]:
    """Records that nobody measured, of models that the studies compare with."""
    return report_builders.study_base_runs(base)


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with MLflow's tables and nothing in them: making one takes seconds, copying it none."""
    store = tracking_store(tmp_path_factory.mktemp("database"))
    prepare(store, "template")
    assert store.database is not None
    return store.database


@pytest.fixture
def store(tmp_path: Path, empty_database: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A tracking store of a project of its own."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    folder = tmp_path / "project"
    folder.mkdir()
    shutil.copy(empty_database, folder / "mlflow.db")
    return tracking_store(folder)


@pytest.fixture
def quick_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Empty pictures for tests that are not about them: drawing takes longer than all other logging."""
    importlib.import_module("tsslbp.report.gallery")  # takes the real ones; later, it would keep these for all tests to come
    drawings = ("figures.curves.training_curves", "figures.curves.learning_curves", "figures.confusion.confusion_matrix")
    for drawing in (*drawings, "report.gallery.learning_curves", "report.gallery.firing_curves", "report.gallery.confusion_matrix"):
        monkeypatch.setattr(f"tsslbp.{drawing}", lambda *_, **__: Picture("", "", "", b"", 0, 0))


@pytest.fixture(scope="session", autouse=True)
def in_git(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Have a repository with a commit around every test's folder, also where a small disk is mounted in between, as users have."""
    folder = tmp_path_factory.getbasetemp()
    who = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
    for command in (["init", "--quiet"], [*who, "commit", "--quiet", "--allow-empty", "--message", "empty"]):
        subprocess.run(["git", *command], cwd=folder, check=True)
    os.environ["GIT_DISCOVERY_ACROSS_FILESYSTEM"] = "1"


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Project:
    """A project with its data, in which nothing was trained."""
    project = Project(tmp_path_factory.mktemp("prepared") / "project", empty_database)
    project.prepare()
    return project


@pytest.fixture
def project(prepared: Project, tmp_path: Path) -> Project:
    """A copy of it for each test."""
    copy = Project(tmp_path / "project")
    shutil.copytree(prepared.folder, copy.folder, dirs_exist_ok=True)
    return copy


# The longest of the slow tests.
LONGEST = (
    "pipeline/test_committed_results.py",
    "pipeline/test_determinism.py",
    "tracking/test_faults.py",
    "engines/test_ray_nodes.py",
    "pipeline/test_concurrency.py",
    "engines/test_side_by_side.py",
    "pipeline/test_disk_faults.py",
    "stages/test_plan.py",
)


def pytest_collection_modifyitems(items):
    """The longest files come first: two workers take whole files, and one would be alone with the last."""
    ranks = {ROOT / "tests" / name: rank for rank, name in enumerate(LONGEST)}
    items.sort(key=lambda item: ranks.get(item.path, len(LONGEST)))


@pytest.fixture
def without_log(monkeypatch):
    """MLflow takes most of a short training's time, and decides no number."""
    monkeypatch.setattr("tsslbp.tracking.LiveLog", MagicMock())


# A prepared model, for the tests of engines and of the stages around them.


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prepared project for the tests of the engines, in which nothing was trained."""
    return engine_helpers.prepared_project(tmp_path_factory.mktemp("engine"), engine_helpers.EPOCHS)


@pytest.fixture
def model(folder: Path, tmp_path: Path) -> ModelRun:
    """Its model, with live checkpoints of the test's own."""
    return engine_helpers.open_model(folder, tmp_path)


@pytest.fixture(scope="module")
def undisturbed(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> list[TrainingState]:
    """The states of two seeds that were trained in this process, one after the other."""
    scratch = tmp_path_factory.mktemp("alone")
    model = engine_helpers.open_model(folder, scratch)
    events = list(engine_helpers.train(engine_helpers.local_engine(scratch, 1), model, engine_helpers.jobs_of(model)))
    assert [type(event) for event in events] == 2 * [Started, *engine_helpers.EPOCHS * [EpochDone], Finished]
    return engine_helpers.final_states(model)
