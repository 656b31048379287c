"""SIGKILL at random moments of every phase, and start again until it is done: nothing may tell the result from an undisturbed one."""

import gzip
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.pipeline.killer import Command, Killer
from tests.support.faulty_server import Answer, FaultyServer, serving
from tests.support.killing import (
    ARRAYS,
    CHECKPOINT,
    DATABASE,
    EPOCH,
    IMPORT,
    LOG_EPOCHS,
    LOG_MODEL,
    LOG_SEED,
    PUBLISH,
    RECORD,
    SIMULATION,
    STAGE,
    TABLES,
    TRANSFER,
    WEIGHTS,
    run,
)
from tests.support.project import MODEL, Project
from tests.support.remains import is_partial, timeless, whole_files
from tests.support.source_builders import md5
from tests.support.tracking_helpers import contents
from tsslbp.data.digits import write_digits
from tsslbp.data.images import IMAGE_FILES
from tsslbp.tracking import tracking_store

pytestmark = pytest.mark.exhaustive

EPOCHS = 20
PIECES = 20

FIT: Command = ("fit", "--model", MODEL)
TRAIN: Command = ("train", "--model", MODEL)
REPORT: Command = ("report",)
PLAN: dict[Command, tuple[tuple[str, int, int], ...]] = {
    ("download", "--dataset", "digits"): ((TRANSFER, 5, 1),),
    ("download", "--dataset", "ndigits"): ((SIMULATION, 3, 1),),
    ("preprocess", "--dataset", "digits"): ((ARRAYS, 3, 1),),
    ("preprocess", "--dataset", "ndigits"): ((ARRAYS, 3, 1),),
    FIT: (
        (EPOCH, 4, 2),
        (CHECKPOINT, 4, 2),
        (LOG_EPOCHS, 3, 2),
        (STAGE, 2, 1),
        (WEIGHTS, 3, 4),
        (LOG_SEED, 3, 2),
        (RECORD, 3, 1),
        (LOG_MODEL, 2, 1),
    ),
    TRAIN: ((PUBLISH, 2, 1),),
    REPORT: ((DATABASE, 2, 1), (IMPORT, 3, 1), (TABLES, 4, 1)),
}
"""What to run, in this order, and where to kill it: how often, and at the latest when it is there for the so manieth time."""


def trickling(body: bytes, seconds: float) -> Answer:
    """Sends all from where it is asked to, in pieces, in so many seconds."""

    def answer(handler: Any) -> None:
        asked = handler.headers.get("Range")
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        headers = {"Content_Range": f"bytes {start}-{len(body) - 1}/{len(body)}"} if asked else {}
        handler.reply(206 if asked else 200, b"", len(body) - start, **headers)
        size = len(body) // PIECES + 1
        for begin in range(start, len(body), size):
            handler.wfile.write(body[begin : begin + size])
            time.sleep(seconds / PIECES)

    return answer


def make_project(folder: Path, database: Path, server: FaultyServer, digits: Path) -> Project:
    """A project that downloads its digits from the server."""
    project = Project(folder, database, EPOCHS)
    settings = yaml.safe_load(project.params.read_text())
    settings["experiment"] = "quickstart"
    files = []
    for name in IMAGE_FILES:
        packed = gzip.compress((digits / name).read_bytes(), mtime=0)
        url = server.at(f"/{name}.gz", trickling(packed, 1.0))
        files.append({"name": f"{name}.gz", "md5": md5(packed), "urls": [url]})
    settings["datasets"]["digits"] |= {"kind": "idx", "files": files}
    project.params.write_text(yaml.safe_dump(settings))
    return project


@pytest.fixture(scope="module")
def server() -> Iterator[FaultyServer]:
    with serving() as running:
        yield running


@pytest.fixture(scope="module")
def projects(tmp_path_factory: pytest.TempPathFactory, empty_database: Path, server: FaultyServer) -> tuple[Project, Project]:
    """One project to be left alone, and one not."""
    folder = tmp_path_factory.mktemp("killed")
    write_digits(folder / "digits")
    return (
        make_project(folder / "whole", empty_database, server, folder / "digits"),
        make_project(folder / "killed", empty_database, server, folder / "digits"),
    )


@pytest.fixture(scope="module")
def durations(projects: tuple[Project, Project]) -> dict[tuple[Command, str], float]:
    """What was measured while the one project ran from beginning to end."""
    measured: dict[tuple[Command, str], float] = {}
    for command in PLAN:
        if command == REPORT:
            forget_mlflow(projects[0])
        for place, seconds in run(projects[0].folder, *command).durations():
            measured[command, place] = max(seconds, measured.get((command, place), 0))
    return measured


def forget_mlflow(project: Project) -> None:
    """As in a fresh clone, where the report finds records and no database."""
    shutil.rmtree(project.folder / "mlartifacts")
    (project.folder / "mlflow.db").unlink()


@pytest.fixture(scope="module")
def whole(projects: tuple[Project, Project], durations: object) -> Project:
    return projects[0]


@pytest.fixture(scope="module")
def logged() -> dict[str, Any]:
    """What MLflow shows of the killed project after its training, before the database is lost."""
    return {}


@pytest.fixture(scope="module")
def killer(
    projects: tuple[Project, Project], durations: dict[tuple[Command, str], float], logged: dict[str, Any], tmp_path_factory: Any
) -> Killer:
    """The other project is killed again and again until it is done; what runs to the end is a process by its usual command."""
    whole, killed = projects
    killer = Killer(killed, whole, dict(durations))
    for command, aims in PLAN.items():
        if command == REPORT:
            logged |= shown(killed, tmp_path_factory.mktemp("logged"))
            forget_mlflow(killed)
        for aim in aims:
            killer.kill(command, *aim)
        killed.run(*command)
    return killer


@pytest.fixture(scope="module")
def killed(projects: tuple[Project, Project], killer: Killer) -> Project:
    return projects[1]


def shown(project: Project, folder: Path) -> dict[str, Any]:
    """All that MLflow shows of a project, apart from times and speed; a copy is asked, for a database is not read while it is replaced."""
    shutil.copy(project.folder / "mlflow.db", folder / "mlflow.db")
    found = contents(tracking_store(folder))
    for name, (status, _, _, parameters, tags, metrics, files, data) in found.items():
        metrics.pop("speed/samples_per_second", None)
        found[name] = status, parameters, tags, metrics, files, data
    return found


def unjudged(shown: dict[str, Any]) -> dict[str, Any]:
    """What `shown` returns, without what the report alone knows: the verdict, the description that holds it, and the sum of both."""
    judged = ("verdict", "mlflow.note.content", "tsslbp.logged")
    return {
        name: (status, parameters, {tag: value for tag, value in tags.items() if tag not in judged}, *rest)
        for name, (status, parameters, tags, *rest) in shown.items()
    }


def test_thirty_kills_landed_in_every_phase(killer: Killer) -> None:
    wanted = {(command, place): kills for command, aims in PLAN.items() for place, kills, _ in aims}
    assert {aim: killer.landed[aim] for aim in wanted} == wanted
    assert killer.kills >= sum(wanted.values()) >= 30


def test_weights_metrics_histories_and_records_are_the_same(killed: Project, whole: Project) -> None:
    assert len(killed.results()) == 7
    assert killed.results() == whole.results()


def test_tables_and_figures_are_the_same(killed: Project, whole: Project) -> None:
    for suffix in ("csv", "md", "tex", "html"):
        path = f"reports/results.{suffix}"
        assert timeless(killed.folder / path) == timeless(whole.folder / path)
    figures = sorted(path.name for path in (whole.folder / "reports/figures").iterdir())
    assert len(figures) == 3
    for name in figures:
        assert (killed.folder / "reports/figures" / name).read_bytes() == (whole.folder / "reports/figures" / name).read_bytes()


def test_the_same_files_are_left_and_no_part_of_one(killed: Project, whole: Project) -> None:
    assert whole_files(killed.folder) == whole_files(whole.folder)
    assert [path for path in killed.folder.rglob("*") if is_partial(path.relative_to(killed.folder))] == []


def test_mlflow_holds_each_seed_once_and_each_epoch_once(killed: Project, logged: dict[str, Any], whole: Project, tmp_path: Path) -> None:
    undisturbed = shown(whole, tmp_path)
    assert set(undisturbed) == {MODEL, f"{MODEL} seed 0", f"{MODEL} seed 1"}
    for seed in (0, 1):
        metrics = undisturbed[f"{MODEL} seed {seed}"][3]
        for metric in ("loss/train", "accuracy/train", "accuracy/test", "firing_rate/1"):
            assert [step for step, _ in metrics[metric]] == list(range(1, EPOCHS + 1))
    assert unjudged(logged) == unjudged(undisturbed)
    (tmp_path / "again").mkdir()
    assert shown(killed, tmp_path / "again") == undisturbed


def test_downloads_went_on_from_their_parts(server: FaultyServer, killer: Killer) -> None:
    assert len({asked for _, asked in server.requests if asked}) >= 3
