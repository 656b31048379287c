"""The local engine: the same bits however many seeds run at a time, and what becomes of a worker that is lost."""

import os
import signal
import time
from collections import Counter
from dataclasses import replace

import pytest

from tests.support.engine_helpers import EPOCHS, assert_same, children, final_states, jobs_of, local_engine, open_model, train
from tests.support.paths import ROOT
from tsslbp.engines import EngineError, EpochDone, Failed, Finished, Lost, Started
from tsslbp.engines.processes import WorkerProcess
from tsslbp.storage.checkpoints import CheckpointError
from tsslbp.storage.meaning import code_meaning


@pytest.fixture
def workers(monkeypatch):
    """The processes that were handed each seed, by seed."""
    begun: dict[int, list[int]] = {}
    original = WorkerProcess.begin

    def begin(self, job):
        begun.setdefault(job.seed, []).append(self.pid)
        original(self, job)

    monkeypatch.setattr(WorkerProcess, "begin", begin)
    return begun


def test_two_at_a_time_are_the_same_bits_as_one_after_the_other(model, tmp_path, undisturbed, workers):
    told = Counter()
    events = list(local_engine(tmp_path, 2).train(jobs_of(model), model.splits, lambda seed, epoch, samples: told.update([seed])))
    assert len({pid for pids in workers.values() for pid in pids}) == 2
    assert Counter(type(event) for event in events) == {Started: 2, EpochDone: 2 * EPOCHS, Finished: 2}
    assert set(told) == {0, 1}
    assert_same(final_states(model), undisturbed)
    assert children() == []


def test_a_killed_worker_is_named_and_its_seed_goes_on_from_the_last_complete_epoch(model, tmp_path, undisturbed, workers):
    events = []
    for event in train(local_engine(tmp_path, 2), model, jobs_of(model)):
        events.append(event)
        if isinstance(event, EpochDone) and event.seed == 1 and event.row.epoch == 1 and len(workers[1]) == 1:
            os.kill(workers[1][0], signal.SIGKILL)
    lost = [event for event in events if isinstance(event, Lost)]
    assert len(lost) == 1
    assert lost[0].message.startswith(f"the worker of seed 1 (process {workers[1][0]}) was killed by signal 9 (SIGKILL); the seed goes on")
    epochs = [event.row.epoch for event in events if isinstance(event, EpochDone) and event.seed == 1]
    assert epochs == sorted(set(epochs))  # none twice: what had arrived before the kill was not trained again
    assert_same(final_states(model), undisturbed)
    assert children() == []


@pytest.mark.slow
def test_a_seed_whose_workers_end_again_and_again_is_given_up_and_the_others_end_well(model, tmp_path, undisturbed, workers):
    def watch():
        for event in train(local_engine(tmp_path, 2), model, jobs_of(model)):
            if isinstance(event, Started) and event.seed == 0:
                os.kill(workers[0][-1], signal.SIGKILL)
            yield event

    events = []
    with pytest.raises(EngineError, match=r"worker of seed 0 .*\(SIGKILL\), 3 times without completing an epoch; .*execution.parallel"):
        events.extend(watch())
    assert len(workers[0]) == 3
    assert_same(final_states(model, (1,)), undisturbed[1:])
    assert children() == []


@pytest.mark.slow
def test_a_worker_that_finds_other_code_is_refused(model, tmp_path):
    jobs = [replace(job, code="0" * 32) for job in jobs_of(model)]
    with pytest.raises(EngineError, match=r"was edited while it trained: training began with 000000000000, a worker .* finds"):
        list(train(local_engine(tmp_path, 2, cores=1), model, jobs))
    assert children() == []


@pytest.mark.slow
def test_a_worker_that_finds_other_data_is_refused(model, tmp_path):
    jobs = [replace(job, data_id=("0", "1")) for job in jobs_of(model)]
    with pytest.raises(EngineError, match="processed anew since training began"):
        list(train(local_engine(tmp_path, 2, cores=1), model, jobs))


@pytest.mark.slow
def test_a_damaged_checkpoint_is_named_and_kept(model, tmp_path):
    job = jobs_of(model)[0]
    job.checkpoint.parent.mkdir(parents=True)
    job.checkpoint.write_bytes(b"nothing")
    with pytest.raises(EngineError, match=r"seed-0.pt: is damaged"):
        list(train(local_engine(tmp_path, 2, cores=1), model, jobs_of(model)))
    with pytest.raises(CheckpointError, match=r"seed-0.pt: is damaged"):
        list(train(local_engine(tmp_path, 1), model, jobs_of(model)))
    assert job.checkpoint.read_bytes() == b"nothing"


@pytest.mark.slow
@pytest.mark.parametrize("at_a_time", [1, 2])
def test_a_seed_whose_numbers_go_wrong_fails_and_the_other_goes_on(model, tmp_path, at_a_time, undisturbed):
    wrong, right = jobs_of(model)
    silent = wrong.task.model.model_copy(update={"threshold": 1e6})
    wrong = replace(wrong, task=replace(wrong.task, model=silent))
    events = list(train(local_engine(tmp_path, at_a_time), model, [wrong, right]))
    assert next(event.reason for event in events if isinstance(event, Failed)).startswith("epoch ")
    assert Finished(1) in events
    assert_same(final_states(model, (1,)), undisturbed[1:])


@pytest.mark.slow
def test_an_error_of_ours_in_a_worker_arrives_with_its_traceback(model, tmp_path):
    code = code_meaning(model.model.loss.kind, "cuda:99")
    jobs = [replace(job, code=code, task=replace(job.task, device="cuda:99")) for job in jobs_of(model)]
    with pytest.raises(RuntimeError, match=r"(?s)in a worker, seed \d:.*Traceback.*device_name"):
        list(train(local_engine(tmp_path, 2, cores=1), model, jobs))


@pytest.mark.slow
def test_who_stops_listening_ends_the_workers(model, tmp_path):
    events = train(local_engine(tmp_path, 2), model, jobs_of(model))
    assert isinstance(next(events), Started)
    assert children()
    events.close()
    assert children() == []


@pytest.mark.slow
def test_seeds_that_need_more_cores_than_are_free_wait_for_them(model, tmp_path, undisturbed):
    said = []
    engine = local_engine(tmp_path, 2, cores=1, say=said.append)
    running, most = set(), 0
    for event in train(engine, model, jobs_of(model)):
        if isinstance(event, Started):
            running.add(event.seed)
        elif isinstance(event, Finished):
            running.remove(event.seed)
        most = max(most, len(running))
    assert most == 1
    assert said == ["other trainings of this project use all cores; waiting for one"]
    assert_same(final_states(model), undisturbed)


def test_workers_run_this_very_package(workers):
    worker, wanted = WorkerProcess(), b"PYTHONPATH=" + os.fsencode(ROOT)
    deadline = time.monotonic() + 20  # a process has its environment a moment after it has its number
    while not (found := wanted in (ROOT.parents[-1] / f"proc/{worker.pid}/environ").read_bytes()) and time.monotonic() < deadline:
        time.sleep(0.05)
    worker.end()
    assert found


def test_a_row_goes_on_with_the_products_that_it_began_with(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("tsslbp.experiment.resolve_products", lambda wanted: "blas" if wanted == "auto" else wanted)
    began = open_model(folder, tmp_path)
    list(train(local_engine(tmp_path, 1), began, jobs_of(began, (0,))))
    monkeypatch.setattr("tsslbp.experiment.resolve_products", lambda wanted: "onednn" if wanted == "auto" else wanted)
    again = open_model(folder, tmp_path)
    assert again.products == "blas"
    assert again.task(0).products == "blas"
    assert len(again.state(0).history) == EPOCHS
    assert open_model(folder, tmp_path / "new").products == "onednn"
