"""How many seeds run at a time, and what is said about it."""

import pytest

from tsslbp.engines.capacity import Machine, Need, seeds_at_a_time
from tsslbp.settings import Execution

GB = 10**9
SMALL = Need(threads=1, memory=GB)


@pytest.mark.parametrize(
    ("cores", "threads", "seeds", "expected"), [(2, 1, 5, 2), (8, 1, 5, 5), (8, 2, 5, 4), (1, 1, 5, 1), (2, 4, 5, 1), (64, 1, 1, 1)]
)
def test_as_many_seeds_as_cores_divided_by_threads(cores, threads, seeds, expected):
    need = Need(threads, GB)
    assert seeds_at_a_time(Execution(), seeds, need, Machine(cores, 100 * GB))[0] == expected


def test_a_number_in_the_settings_decides_up_to_the_number_of_seeds():
    assert seeds_at_a_time(Execution(parallel=3), 5, SMALL, Machine(8, None)) == (3, [])
    assert seeds_at_a_time(Execution(parallel=256), 5, SMALL, Machine(5, None)) == (5, [])


@pytest.mark.parametrize(("cores", "said"), [(1, "1 core"), (2, "2 cores")])
def test_more_threads_than_cores_are_said(cores, said):
    assert seeds_at_a_time(Execution(parallel=4), 5, SMALL, Machine(cores, None)) == (
        4,
        [f"4 seeds x 1 thread on {said}: more than there are is slower than as many"],
    )


@pytest.mark.parametrize("parallel", ["auto", 5])
def test_memory_lowers_the_number_and_says_so(parallel):
    need = Need(1, 2 * GB)
    assert seeds_at_a_time(Execution(parallel=parallel), 5, need, Machine(5, 7 * GB)) == (
        3,
        ["memory allows 3 seeds at a time, not 5: one needs about 2.0 GB, 7.0 GB can be had"],
    )


def test_one_seed_runs_however_little_memory_there_seems_to_be():
    assert seeds_at_a_time(Execution(), 5, Need(1, 8 * GB), Machine(2, 4 * GB))[0] == 1


@pytest.mark.parametrize("parallel", ["auto", 5])
def test_where_no_seed_is_left_nothing_is_said(parallel):
    assert seeds_at_a_time(Execution(parallel=parallel), 0, SMALL, Machine(2, None)) == (1, [])


def test_idle_cores_are_named_with_the_remedy():
    assert seeds_at_a_time(Execution(), 2, SMALL, Machine(8, None)) == (
        2,
        [
            "6 of 8 cores idle: 2 seeds x 1 thread; set execution.threads: 4 to use them (a row that has begun then starts anew), or "
            "train several models at a time: make repro JOBS=n"
        ],
    )
    _, (note,) = seeds_at_a_time(Execution(), 5, SMALL, Machine(8, None))
    assert note == "3 of 8 cores idle: 5 seeds x 1 thread; train several models at a time: make repro JOBS=n"


@pytest.mark.parametrize("need", [Need(2, GB), Need(1, GB, on_gpu=True)])
def test_where_no_core_could_be_used_better_nothing_is_said(need):
    chosen, notes = seeds_at_a_time(Execution(), 5, need, Machine(2, None))
    assert (chosen, notes) == (1, [])


def test_seeds_share_a_gpu_only_when_told_to():
    on_gpu = Need(1, GB, on_gpu=True)
    assert seeds_at_a_time(Execution(), 5, on_gpu, Machine(16, None))[0] == 1
    assert seeds_at_a_time(Execution(parallel=2), 5, on_gpu, Machine(16, None))[0] == 2
