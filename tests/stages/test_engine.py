"""Trainings of one project share the cores that they may use, and wait for no others."""

import errno
import fcntl
import os
import platform

import pytest
import torch

from stages.engine import open_engine
from tests.support.engine_helpers import jobs_of, open_model, train
from tsslbp.engines import Finished, Started


class HasToWaitError(Exception):
    """There is no core free."""


def refuse(text: str) -> None:
    if "waiting" in text:
        raise HasToWaitError(text)


def events_on(model, cores, monkeypatch, threads=1, say=refuse):
    """Train one seed in this process, which has been given these cores alone."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: cores)
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    with open_engine(model, 1, say) as (engine, _):
        return train(engine, model, jobs_of(model, (0,)))


def test_one_that_has_other_cores_does_not_wait(folder, tmp_path, monkeypatch):
    first = events_on(open_model(folder, tmp_path), {0}, monkeypatch)
    assert isinstance(next(first), Started)
    with pytest.raises(HasToWaitError, match="other trainings of this project use all cores"):
        next(events_on(open_model(folder, tmp_path), {0}, monkeypatch))
    assert isinstance(list(events_on(open_model(folder, tmp_path), {1}, monkeypatch))[-1], Finished)
    first.close()
    assert isinstance(next(events_on(open_model(folder, tmp_path), {0}, monkeypatch)), Started)


def test_one_that_has_more_threads_than_cores_waits_for_its_own_cores_alone(folder, tmp_path, monkeypatch):
    first = events_on(open_model(folder, tmp_path), {0}, monkeypatch, threads=2)
    next(first)
    second = events_on(open_model(folder, tmp_path), {1}, monkeypatch, threads=2)
    assert isinstance(next(second), Started)
    with pytest.raises(HasToWaitError):
        next(events_on(open_model(folder, tmp_path), {0}, monkeypatch, threads=2))
    first.close()
    second.close()


def test_a_file_system_without_locks_is_warned_of_and_nobody_waits(folder, tmp_path, monkeypatch):
    def no_locks(*_):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(fcntl, "flock", no_locks)
    said = []
    both = [events_on(open_model(folder, tmp_path), {0}, monkeypatch, say=said.append) for _ in range(2)]
    assert [type(next(events)) for events in both] == [Started, Started]
    assert ["the file system knows no locks" in line for line in said] == [True, True]
    for events in both:
        events.close()


def test_one_on_another_machine_over_the_same_files_does_not_wait(folder, tmp_path, monkeypatch):
    first = events_on(open_model(folder, tmp_path), {0}, monkeypatch)
    next(first)
    monkeypatch.setattr(platform, "node", lambda: "another")
    assert isinstance(next(events_on(open_model(folder, tmp_path), {0}, monkeypatch)), Started)
    first.close()
