"""SIGKILL for `dvc repro`, its stage, or both, and start again until it is done. Killed alone, DVC leaves its stage running."""

import copy
import random
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.pipeline.project_copy import Copy
from tests.pipeline.repro import BUSY, REPORT, RWLOCK, Repro, announced, dvc_alone, everything, send, stage_alone
from tests.support.killing import processes_of, wait_for_their_end
from tests.support.project import MODEL, results, small_settings
from tests.support.remains import is_partial, timeless
from tsslbp.storage.record_files import read_record
from tsslbp.tracking import accuracies, tracking_store, verify

pytestmark = pytest.mark.slow

EPOCHS = 15
SEED = 2002
RETRAIN = ("--force", "--single-item", f"quickstart/dvc.yaml:fit@{MODEL}", f"quickstart/dvc.yaml:train@{MODEL}")
STAGES = ("download@digits", "preprocess@digits", f"fit@{MODEL}", f"train@{MODEL}", "report")


KILLS: tuple[tuple[str, Callable[[Repro], None]], ...] = (
    ("download@digits", everything),
    ("preprocess@digits", dvc_alone),
    (f"fit@{MODEL}", everything),
    (f"fit@{MODEL}", stage_alone),
    (f"fit@{MODEL}", dvc_alone),
    (f"train@{MODEL}", everything),
    ("report", everything),
    ("report", dvc_alone),
)


def make_copy(folder: Path, database: Path | None = None) -> Copy:
    project = Copy(folder, database)
    (folder / "quickstart/params.yaml").write_text(small_settings(EPOCHS))
    return project


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Copy:
    """A pipeline that ran undisturbed; `seconds` is how long each of its stages took."""
    project: Any = make_copy(tmp_path_factory.mktemp("whole") / "project", empty_database)
    repro, times = Repro(project), []
    for stage in STAGES:
        assert repro.reaches(announced(stage)), repro.output
        times.append(time.monotonic())
    assert repro.process.wait(400) == 0, repro.output
    project.seconds = {stage: end - start for stage, start, end in zip(STAGES, times, [*times[1:], time.monotonic()], strict=True)}
    return project


def again(project: Copy, text: str, arguments: tuple[str, ...] = REPORT) -> Repro:
    """Start it until it gets to print this, or is done: while an orphan is at work, a start says so and ends.

    A file of DVC's that a kill cut off is deleted, as docs/guarantees.md says.
    """
    for _ in range(60):
        repro = Repro(project, arguments)
        if repro.reaches(text) or repro.process.returncode == 0:
            return repro
        if damaged := repro.damaged():
            damaged.unlink()
        else:
            assert repro.says_that_it_is_busy(), repro.output
    raise AssertionError(f"no start gets to {text!r}")


def strike(project: Any, arguments: tuple[str, ...], stage: str, kill: Callable[[Repro], None], seconds: float) -> bool:
    """Kill so many seconds after the stage began; False where that was too late, and all is done."""
    repro = again(project, announced(stage), arguments)
    if repro.process.poll() is None:
        time.sleep(seconds)
        kill(repro)
    if kill is everything:
        wait_for_their_end(project.folder)
    if repro.process.wait(300) == 0:
        return False
    project.kills.append(stage)
    return True


@pytest.fixture(scope="module")
def killed(whole: Copy, tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """A pipeline that was killed in every stage, and is done; `kills` counts those that met something alive."""
    project: Any = make_copy(tmp_path_factory.mktemp("killed") / "project")
    generator, project.kills = random.Random(SEED), []
    for stage, kill in KILLS:
        forced = ("--force", "--single-item", f"quickstart/dvc.yaml:{stage}")
        for arguments in (REPORT, *[forced] * 8):
            if strike(project, arguments, stage, kill, generator.random() * whole.seconds[stage]):
                break
    assert again(project, "never printed").process.wait(400) == 0
    wait_for_their_end(project.folder)
    return project


@pytest.mark.exhaustive
def test_every_stage_was_killed(killed: Copy) -> None:
    assert killed.kills == [stage for stage, _ in KILLS]


@pytest.mark.exhaustive
def test_the_results_are_those_of_the_undisturbed_pipeline(killed: Copy, whole: Copy) -> None:
    mine, theirs = killed.folder / "quickstart", whole.folder / "quickstart"
    assert results(mine) == results(theirs)
    for suffix in ("csv", "md", "tex", "html"):
        assert timeless(mine / f"reports/results.{suffix}") == timeless(theirs / f"reports/results.{suffix}")


@pytest.mark.exhaustive
def test_nothing_is_left_to_do_and_no_part_of_a_file(killed: Copy) -> None:
    assert "Running stage" not in killed.run("dvc", "repro", *REPORT)
    assert [path for path in killed.folder.rglob("*") if is_partial(path.relative_to(killed.folder))] == []


@pytest.mark.exhaustive
def test_mlflow_holds_each_seed_once_and_each_epoch_once(killed: Copy) -> None:
    record, _ = read_record(killed.folder / f"quickstart/reports/runs/{MODEL}")
    store = tracking_store(killed.folder / "quickstart")
    frame = accuracies(store, record.experiment, [seed.run_id for seed in record.seeds])
    assert list(zip(frame.seed, frame.epoch, strict=True)) == [(seed, epoch) for seed in (0, 1) for epoch in range(1, EPOCHS + 1)]
    verify(store, [record])


def twin(project: Copy, folder: Path) -> Copy:
    """The same pipeline in another folder."""
    shutil.copytree(project.folder, folder, symlinks=True)
    other = copy.copy(project)
    other.folder, other.environment = folder, {**project.environment, "DVC_SITE_CACHE_DIR": str(folder / ".site")}
    return other


def test_a_lock_file_that_a_kill_cut_off_is_named_and_costs_no_result_when_it_is_deleted(whole: Copy, tmp_path: Path) -> None:
    project = twin(whole, tmp_path / "project")
    for lock, words in ((project.folder / "quickstart/dvc.lock", ("md5:", "    cmd:")), (project.folder / RWLOCK, (None,))):
        content = lock.read_text()
        for word in words:  # within a word, between two lines, and nothing at all
            lock.write_text(content[: content.index(word) + len(word) // 2] if word else "")
            assert Repro(project).damaged() == lock
        lock.unlink()
    assert again(project, "never printed").process.wait(400) == 0
    assert results(project.folder / "quickstart") == results(whole.folder / "quickstart")


def test_an_orphan_keeps_its_model_until_it_ends(whole: Copy, tmp_path: Path) -> None:
    """Two may not write the same checkpoints; stopped, the orphan is sure to be there when it is met."""
    project = twin(whole, tmp_path / "project")
    shutil.rmtree(project.folder / "quickstart/.scratch")
    first = Repro(project, RETRAIN)
    assert first.reaches("seed 0 epoch 1/")
    orphans = first.stages()
    send(orphans, signal.SIGSTOP)
    dvc_alone(first)
    first.process.wait(60)
    second = Repro(project, RETRAIN)
    assert second.says_that_it_is_busy()
    assert f"training of {MODEL} {BUSY}" in second.output
    assert set(orphans) <= set(processes_of(project.folder))
    send(orphans, signal.SIGCONT)
    third = again(project, f"{MODEL} seed 1: best", RETRAIN)
    assert third.process.wait(400) == 0
    wait_for_their_end(project.folder)
    assert results(project.folder / "quickstart") == results(whole.folder / "quickstart")
