"""A disk that is full or read-only: one message that names the file, nothing half written, and the same command goes on later."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.pipeline.disks import Mount, fill, fill_at, limit, small_disks
from tests.support.faulty_server import ranged, serving
from tests.support.killing import CHECKPOINT, nothing, run
from tests.support.project import MODEL, Project
from tests.support.remains import check_whole, is_partial, whole_files
from tests.support.source_builders import BODY, Place
from tests.support.tracking_helpers import active_runs
from tsslbp.storage.record_files import read_record
from tsslbp.tracking import tracking_store, verify

pytestmark = pytest.mark.slow

DOWNLOAD = ("download", "--dataset", "digits")
PREPROCESS = ("preprocess", "--dataset", "digits")
FIT = ("fit", "--model", MODEL)
TRAIN = ("train", "--model", MODEL)
REPORT = ("report",)
BEFORE = {
    DOWNLOAD: (),
    PREPROCESS: ("data/raw",),
    FIT: ("data",),
    TRAIN: ("data", "checkpoints"),
    REPORT: ("data", ".scratch", "checkpoints", "reports"),
}
"""What is there already when a stage is run."""
REMEDY = "make room and run the same command again"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Project:
    """A project that ran on a disk without faults."""
    project = Project(tmp_path_factory.mktemp("whole") / "project", empty_database)
    for command in BEFORE:
        run(project.folder, *command)
    return project


@pytest.fixture
def project(tmp_path: Path, empty_database: Path) -> Project:
    return Project(tmp_path / "project", empty_database)


def bring(whole: Project, project: Project, command: tuple[str, ...]) -> None:
    """Copy what a stage finds."""
    for folder in BEFORE[command]:
        shutil.copytree(whole.folder / folder, project.folder / folder, dirs_exist_ok=True)


@pytest.fixture
def mount() -> Iterator[Mount]:
    with small_disks() as mount_at:
        yield mount_at


def fails(project: Project, command: tuple[str, ...], prepare: Callable[[], object] = nothing) -> str:
    """Run a stage that cannot be done; returns its last words, which are one line."""
    ended = run(project.folder, *command, code=1, prepare=prepare)
    (message,) = [line for line in ended.output.splitlines() if line.startswith("python -m stages.")]
    assert message == ended.output.splitlines()[-1]
    return message


def check(project: Project, whole: Project) -> None:
    """Whatever is there under a final name is whole, and no part of anything is left."""
    for path in whole_files(project.folder):
        if path.name != "filler":
            check_whole(project.folder / path, whole.folder / path)
    assert [path for path in project.folder.rglob("*") if is_partial(path.relative_to(project.folder))] == []


def check_done(project: Project, whole: Project, command: tuple[str, ...]) -> None:
    """A stage's results are those of the project that was not disturbed."""
    check(project, whole)
    tops = {DOWNLOAD: ("data/raw",), PREPROCESS: ("data",), FIT: ("data", "checkpoints"), TRAIN: ("reports/runs",), REPORT: ("reports",)}[
        command
    ]
    expected = {path for path in whole_files(whole.folder) if str(path).startswith(tops)}
    assert expected
    assert expected <= whole_files(project.folder)


@pytest.mark.parametrize(
    ("command", "disk", "room", "named"),
    [
        (DOWNLOAD, "data/raw", 500_000, "data/raw/digits/train-images-idx3-ubyte"),
        (PREPROCESS, "data/processed", 500_000, "data/processed/digits"),
        (FIT, "checkpoints", 100_000, f"checkpoints/{MODEL}/seed-0-best.safetensors"),
        (TRAIN, "reports/runs", 4096, f"reports/runs/{MODEL}/"),
        (REPORT, "reports", 20_000, "reports/figures/"),
    ],
)
def test_a_full_disk(project: Project, whole: Project, mount: Mount, command: tuple[str, ...], disk: str, room: int, named: str) -> None:
    mount(project.folder / disk)
    bring(whole, project, command)
    filler = fill(project.folder / disk, room)
    message = fails(project, command)
    assert named in message
    assert REMEDY in message
    check(project, whole)
    filler.unlink()
    run(project.folder, *command)
    check_done(project, whole, command)


def test_a_disk_that_is_full_after_some_epochs(project: Project, whole: Project, mount: Mount) -> None:
    checkpoint = next((whole.folder / ".scratch").rglob("seed-0.pt"))
    mount(project.folder / ".scratch")
    bring(whole, project, FIT)
    filler = fill(project.folder / ".scratch", int(1.5 * checkpoint.stat().st_size))
    message = fails(project, FIT)
    assert f"{checkpoint.relative_to(whole.folder)}" in message
    assert REMEDY in message
    check(project, whole)
    filler.unlink()
    output = run(project.folder, *FIT).output
    assert "seed 0 epoch 1/" not in output
    assert "seed 0 epoch 2/" in output
    check_done(project, whole, FIT)
    run(project.folder, *TRAIN)
    assert project.results() == whole.results()


def track_at(folder: Path) -> None:
    os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{folder}/mlflow.db"


@pytest.mark.parametrize("is_new", [True, False])
def test_a_full_disk_under_mlflow_costs_no_training(project: Project, whole: Project, mount: Mount, tmp_path: Path, is_new: bool) -> None:
    disk = tmp_path / "disk"
    mount(disk)
    if not is_new:
        shutil.copy(project.folder / "mlflow.db", disk)
    filler = fill(disk, 0)
    bring(whole, project, FIT)
    there = partial(track_at, disk)
    trained = run(project.folder, *FIT, prepare=there).output
    run(project.folder, *TRAIN)
    assert project.results() == whole.results()
    assert f"warning: MLflow at sqlite:///{disk}/mlflow.db cannot be written, the disk is full; make room" in trained
    assert "`python -m stages.report --params params.yaml` completes MLflow" in trained
    assert f"{disk}/mlflow.db cannot be written, the disk is full; make room" in fails(project, REPORT, there)
    filler.unlink()
    run(project.folder, *REPORT, prepare=there)
    record, _ = read_record(project.folder / "reports/runs" / MODEL)
    store = tracking_store(project.folder, f"sqlite:///{disk}/mlflow.db")
    verify(store, [record])
    assert {run.info.status for run in active_runs(store, record.experiment).values()} == {"FINISHED"}


def test_a_full_disk_under_a_download(mount: Mount, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    mount(tmp_path / "disk")
    place = Place(tmp_path / "disk")
    place.incoming.mkdir()
    filler = fill(tmp_path / "disk", 4096)
    with serving() as server:
        address = server.at("/f", ranged(BODY))
        with pytest.raises(OSError, match=r"No space left on device.*letters\.bin"):
            place.fetch(address)
        assert not place.target.exists()
        filler.unlink()
        place.fetch(address)
        assert place.target.read_bytes() == BODY


def test_a_read_only_project(project: Project, whole: Project, mount: Mount) -> None:
    mount(project.folder)
    shutil.copytree(whole.folder, project.folder, dirs_exist_ok=True)
    remount = ["mount", "-o", "remount,{}", project.folder]
    subprocess.run([str(part).format("ro") for part in remount], check=True)
    for command, said in (
        (DOWNLOAD, "Read-only"),
        (PREPROCESS, "Read-only"),
        (FIT, "Read-only"),
        (TRAIN, "Read-only"),
        (REPORT, "Read-only"),
    ):
        assert said in fails(project, command)
    assert "test samples" in run(project.folder, *TRAIN, "--evaluate", f"checkpoints/{MODEL}/seed-0-best.safetensors").output
    assert MODEL in run(project.folder, *REPORT, "--show").output
    subprocess.run([str(part).format("rw") for part in remount], check=True)
    for command in BEFORE:
        run(project.folder, *command)
        check_done(project, whole, command)
    assert project.results() == whole.results()


@pytest.mark.parametrize(
    ("command", "named"),
    [(DOWNLOAD, "data/raw/digits/train-images-idx3-ubyte"), (PREPROCESS, "data/processed/digits"), (FIT, f".scratch/{MODEL}/")],
)
def test_a_file_that_may_not_grow(project: Project, whole: Project, command: tuple[str, ...], named: str) -> None:
    bring(whole, project, command)
    assert named in fails(project, command, partial(limit, 500_000))
    check(project, whole)
    run(project.folder, *command)
    check_done(project, whole, command)


@pytest.mark.parametrize(
    ("command", "name", "named"),
    [
        (DOWNLOAD, "t10k-labels-idx1-ubyte", "t10k-labels-idx1-ubyte"),
        (PREPROCESS, "images.npy", "data/processed/digits"),
        *((FIT, name, name) for name in ("seed-1.pt", "seed-1-final.safetensors", "provenance.json")),
        *((TRAIN, name, name) for name in ("provenance.json", "record.json")),
        *((REPORT, name, name) for name in ("results.html", f"learning-{MODEL}.png")),
    ],
)
def test_a_disk_that_is_full_in_the_end(project: Project, whole: Project, command: tuple[str, ...], name: str, named: str) -> None:
    bring(whole, project, command)
    message = fails(project, command, partial(fill_at, name))
    assert named in message
    assert REMEDY in message
    check(project, whole)
    again = run(project.folder, *command)
    assert not any(event.place == CHECKPOINT for event in again.seen) or name == "seed-1.pt"
    check_done(project, whole, command)
