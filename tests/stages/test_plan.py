"""What several machines would take, and whether that is what a run takes."""

import io
import re
import shutil
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from stages.common import load_studies
from stages.plan import _on, _side_by_side, table_of
from tests.support.in_process import printed_by
from tests.support.paths import ROOT
from tests.support.project import MODEL, Project
from tsslbp.cluster_plan import Machines
from tsslbp.settings import load_settings

EPOCHS = 10
PARAMS = ROOT / "params.yaml"


def test_one_machine_with_one_core_takes_the_sum():
    assert Machines(1, 1, 1).hours([1.0, 2.0, 3.0]) == 6


def test_seeds_of_several_threads_fill_whole_cores():
    assert Machines(2, 5, 2).seeds == 4
    assert Machines(2, 1, 2).seeds == 2  # slowly, but it trains


@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=40), st.integers(1, 5), st.integers(1, 8))
def test_no_cluster_beats_its_longest_seed_or_its_share(hours, nodes, cores):
    machines = Machines(nodes, cores, 1)
    least = max(max(hours), sum(hours) / machines.seeds)
    assert least * (1 - 1e-9) <= machines.hours(hours) <= 2 * least  # Graham's bound: no core waits while a seed does


GB = 10**9


@given(st.lists(st.tuples(st.floats(0.01, 100), st.integers(0, 40)), min_size=1, max_size=40), st.integers(1, 5), st.integers(1, 8))
def test_memory_only_ever_costs_time_and_no_more_than_one_seed_per_machine_does(seeds, nodes, cores):
    hours, memory = [hours for hours, _ in seeds], [need * GB for _, need in seeds]
    takes = Machines(nodes, cores, 1, 32 * GB).hours(hours, memory)
    assert max(hours) <= takes <= sum(hours) * (1 + 1e-9)
    assert Machines(nodes, cores, 1, 10**15).hours(hours, memory) == Machines(nodes, cores, 1).hours(hours)


def test_seeds_wait_for_memory_as_they_wait_for_cores():
    node = Machines(1, 16, 1, 32 * GB)
    assert node.fitting(6 * GB) == 5
    assert node.hours(10 * [1.0], 10 * [6 * GB]) == 2
    assert node.hours(10 * [1.0], 10 * [GB]) == 1
    assert node.hours([1.0, 1.0], [40 * GB, 40 * GB]) == 2  # slowly, but alone it may train


def test_no_more_processes_are_measured_than_fit_into_memory(monkeypatch):
    monkeypatch.setattr("stages.plan.usable_cores", lambda: 16)
    monkeypatch.setattr("stages.plan.available_memory", lambda: 20 * GB)
    assert _side_by_side(Machines(3, 16, 1, 32 * GB), 6 * GB) == 3
    assert _side_by_side(Machines(3, 16, 1, 12 * GB), 6 * GB) == 2
    assert _side_by_side(Machines(3, 4, 1, 32 * GB), GB) == 4
    assert _side_by_side(Machines(3, 16, 1, 32 * GB), 60 * GB) == 1
    assert _side_by_side(None, GB) is None


def test_what_memory_allows_is_said():
    words = _on(Machines(3, 16, 1, 32 * GB), 5 * [1.0], 5 * [6 * GB], 2)
    assert "48 seeds of 1 threads at a time (5 on each where 32.0 GB of memory allow no more), all models at once: 1.0 hours;" in words
    assert "memory" not in _on(Machines(3, 16, 1, 32 * GB), 5 * [1.0], 5 * [GB], 2)


@pytest.mark.parametrize(
    "numbers", [("123,456", "10", "551.45", "2,757.2", "99.9 GB"), ("2", "5", "1,295.34", "12,164.9", "999.9 GB"), ("1",) * 5]
)
def test_no_name_and_no_number_is_cut_short_where_a_terminal_has_80_columns(numbers):
    pipelines = {PARAMS: load_settings(PARAMS), **load_studies(PARAMS)}
    keys = [key for settings in pipelines.values() for key in settings.models]
    table = table_of([["ablation:"], *([f"  {key}", *numbers] for key in keys)])
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(table)
    drawn = [line.split() for line in console.export_text().splitlines()]
    assert drawn[-len(keys) - 1 : -1] == [[key, *" ".join(numbers).split()] for key in keys]


@pytest.mark.parametrize("wrong", ["0", "-1", "many", "1e9", "100001"])
def test_a_wrong_number_of_machines_is_one_line(tmp_path, wrong):
    project = Project(tmp_path / "project")
    said = project.run("plan", f"--nodes={wrong}", code=2)
    assert f"argument --nodes: got '{wrong}'; a number from 1 to 100,000" in said


@pytest.mark.slow
def test_the_prediction_is_near_what_two_seeds_side_by_side_take(tmp_path, empty_database):
    """Within a factor of 2 of what is predicted before or after; a shared machine's speed changes, so of up to three tries one must be."""
    project = Project(tmp_path / "project", empty_database, EPOCHS)
    project.change("architecture: 60", "architecture: 800-800")
    project.change("parallel: 1", "parallel: 2")
    project.prepare()
    predictions, times = [_predicted(project)], []
    while not times or (len(times) < 3 and not _is_near(predictions, times)):
        times.append(_measured(project))
        predictions.append(_predicted(project))
    assert _is_near(predictions, times), f"predicted {predictions}, measured {times}"


def _is_near(predictions, times):
    """Whether the last time lies between half the lower and twice the higher of the predictions around it."""
    low, high = sorted(predictions[-2:])
    return low / 2 < times[-1] < 2 * high


def _predicted(project):
    said = printed_by(project.folder, "plan", "--all", "--nodes", "1", "--cores", "2", "--seconds", "4")
    value, unit = re.search(r"2 seeds of 1 threads at a time, all models at once: ([0-9.]+) (s|minutes);", said).groups()
    return float(value) * {"s": 1, "minutes": 60}[unit]


def _measured(project):
    shutil.rmtree(project.folder / ".scratch", ignore_errors=True)
    process = project.start("fit", "--model", MODEL)
    lines = [(time.monotonic(), line) for line in process.stdout if " epoch " in line]
    assert process.wait() == 0
    # From the first epoch on: a worker's start and its first step, which compiles, are in no plan.
    return (lines[-1][0] - lines[0][0]) * EPOCHS / (EPOCHS - 1)
