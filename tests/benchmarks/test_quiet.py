"""Other programs during a turn: what they take is measured, and the turns concerned are measured again, and those alone."""

import os
import time

import pytest

from benchmarks.machine import BUSY_SHARE, ProcessorTime
from benchmarks.processes.commands import Turn
from benchmarks.processes.quiet import Timed, repeat_disturbed, watched

CORES = os.cpu_count() or 1


def test_what_other_programs_take_is_what_is_neither_idle_nor_of_this_one():
    before = ProcessorTime(0, idle=100, own=10)
    after = ProcessorTime(10, idle=100 + 3 * CORES, own=10 + 4 * CORES)
    tick = 1 / os.sysconf("SC_CLK_TCK")
    assert before.others_until(after) == pytest.approx(0.3, abs=2 * tick)
    assert before.others_until(after, measured=CORES) == pytest.approx(0.2, abs=2 * tick)
    assert before.others_until(after, measured=9 * CORES) == 0


def test_what_this_process_computes_is_its_own_and_what_a_child_computes_is_taken_off():
    states: list[ProcessorTime | None] = []

    def take() -> Turn:
        states.append(ProcessorTime.now())
        began = time.process_time()
        while time.process_time() - began < 0.3:
            pass
        states.append(ProcessorTime.now())
        return Turn(0.3, 1000.0)

    assert watched(take) == Timed(0.3, 0.0)  # a child that computed for 1000 s: nothing is left for others
    before, after = states
    assert before and after
    assert after.own - before.own == pytest.approx(0.3, abs=0.05)


def test_disturbed_turns_alone_are_repeated_and_the_quietest_is_kept():
    quiet, loud = Timed(1.0, 0.0), Timed(3.0, 10 * BUSY_SHARE)
    turns = {"a": [quiet, loud], "b": [quiet, quiet], "c": [loud]}
    answers = iter([Timed(2.0, 2 * BUSY_SHARE), Timed(1.5, 0.0), Timed(1.2, 0.5 * BUSY_SHARE)])
    asked = []

    def again(job: str) -> Timed:
        asked.append(job)
        return next(answers)

    assert repeat_disturbed(turns, 3, again) == {"a": 2, "b": 0, "c": 1}
    assert asked == ["a", "c", "a"]
    assert [timed.seconds for timed in turns["a"]] == [1.0, 1.2]
    assert [timed.seconds for timed in turns["c"]] == [1.5]


def test_a_machine_that_stays_loud_ends_the_repeats():
    turns = {"a": [Timed(1.0, 0.9)]}
    answers = iter([Timed(1.1, 0.8), Timed(1.2, 0.95)])
    assert repeat_disturbed(turns, 2, lambda _: next(answers)) == {"a": 2}
    assert turns["a"] == [Timed(1.1, 0.8)]
    assert turns["a"][0].disturbed


def test_an_implementation_that_fails_when_repeated_leaves_its_turns_as_they_were():
    turns = {"a": [Timed(1.0, 0.9)]}
    assert repeat_disturbed(turns, 3, lambda _: None) == {"a": 0}
    assert turns["a"] == [Timed(1.0, 0.9)]
