"""The benchmark as processes: implementations that fail, workers that end, the command line."""

import csv
import os
import re
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import pytest

from benchmarks.cases import LayerCase
from benchmarks.processes.job import Job, WorkerError
from benchmarks.processes.turns import Effort, fitting, measure
from benchmarks.processes.worker import TorchWorker, commands_of
from benchmarks.roster import LOWER_BOUND, OURS
from tests.benchmarks.builders import small
from tests.support.paths import ROOT


@pytest.mark.slow
def test_an_implementation_that_fails_is_a_note_and_the_others_go_on(settings):
    case = small(settings)
    broken = small(settings, conv_gain="nonsense")  # model_copy checks nothing: the worker stumbles over it
    broken = replace(broken, name="broken")
    found = measure([Job(broken, OURS, 1), Job(case, LOWER_BOUND, 1)], Effort(1, 1, 0.0), lambda _: lambda _: None, modes=("train",))
    by_case = {m.case.name: m for m in found}
    assert by_case["broken"].note.startswith("failed: TypeError")
    assert not by_case["broken"].seconds
    assert len(by_case["small"].seconds) == 1


def test_a_worker_that_is_killed_is_an_error_and_no_hang(settings):
    with TorchWorker(Job(small(settings), LOWER_BOUND, 1)) as worker:
        worker._process.kill()
        with pytest.raises(WorkerError, match="ended with code -9"):
            worker.ask("ready")


@pytest.mark.slow
def test_a_worker_leaves_when_it_is_not_wanted_any_more(settings):
    with TorchWorker(Job(small(settings), LOWER_BOUND, 1)) as worker:
        worker.ask("ready")
        process = worker._process
    assert process.exitcode == 0


@pytest.mark.slow
def test_implementations_compute_as_the_stage_train_does_with_their_threads_and_no_denormals():
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        assert pool.submit(threads_and_a_denormal).result() == (1, 0.0)


def threads_and_a_denormal() -> tuple[int, float]:
    import torch

    commands = commands_of(Job(LayerCase("lif", 8, linear=False), OURS, 1))
    commands.ready()
    commands.warm_up("train")
    return torch.get_num_threads(), (torch.tensor([1e-38]) * 0.1).item()


def test_effort_gives_few_turns_to_what_is_slow():
    effort = Effort(repetitions=9, least=3, case_seconds=60)
    assert [effort.affordable(seconds) for seconds in (0.1, 12, 100)] == [9, 5, 3]


def test_sleepers_keep_their_memory_as_far_as_the_largest_fits_beside_them(settings):
    small_one, middle, large = (Job(small(settings), OURS, 1) for _ in range(3))
    memory = {large: 6, small_one: 1, middle: 3}
    assert fitting(memory, 16) == {small_one, middle, large}
    assert fitting(memory, 10) == {small_one, middle}
    assert fitting(memory, 9) == {small_one}
    assert fitting(memory, 5) == set()


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


@pytest.fixture(scope="module")
def small_project(tmp_path_factory) -> Path:
    """The settings of the repository with one small network under mnist-cnn's name."""
    folder = tmp_path_factory.mktemp("project")
    text = (ROOT / "params.yaml").read_text().replace("architecture: 15C5-P2-40C5-P2-300", "architecture: 2C5-P2-4")
    (folder / "params.yaml").write_text(text)
    return folder


@pytest.mark.slow
def test_quick_writes_csv_table_and_figure_of_a_small_case(small_project):
    done = run(small_project, "--quick", "--cases", "mnist-cnn", "--implementations", "tsslbp", "lower-bound", "--threads", "1")
    assert done.returncode == 0, done.stderr
    folder = small_project / ".scratch/benchmark"  # a shortened run leaves the real report alone
    assert not (small_project / "reports").exists()
    rows = list(csv.DictReader((folder / "results.csv").open()))
    assert [(row["implementation"], row["mode"]) for row in rows] == [("tsslbp", "train"), ("lower-bound", "train"), ("tsslbp", "infer")]
    ours, bound = (float(row["seconds_median"]) for row in rows[:2])
    text = (folder / "results.md").read_text()
    assert f"| {ours / bound:.2f} |" in text
    assert re.search(r"\| commit \| \S+ \|", text)
    assert "threads | 1 for every implementation" in text
    assert (folder / "training.png").read_bytes().startswith(b"\x89PNG")


def test_an_unknown_case_ends_the_command_with_one_line(small_project):
    done = run(small_project, "--cases", "nonesuch")
    assert done.returncode == 1
    assert done.stderr.startswith("benchmarks: --cases: unknown nonesuch; allowed:")
    assert "Traceback" not in done.stderr


def test_bad_arguments_name_what_is_allowed(small_project):
    done = run(small_project, "--repetitions", "0")
    assert done.returncode == 2
    assert "expected a whole number from 1 on" in done.stderr
