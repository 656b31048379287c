"""The Ray engine on simulated nodes: the same bits as on this machine alone, and what becomes of a node that is lost or differs."""

import os
import re
import shutil
from contextlib import chdir, closing
from dataclasses import replace
from pathlib import Path

import pytest

from tests.engines.ray_nodes import Nodes
from tests.support.engine_helpers import EPOCHS, assert_same, final_states, jobs_of, train
from tests.support.paths import ROOT
from tsslbp.engines import EngineError, EpochDone, Lost, Started
from tsslbp.engines.capacity import Need
from tsslbp.engines.ray import RayEngine
from tsslbp.engines.ray_actor import Room
from tsslbp.engines.ray_cluster import RayCluster, open_cluster
from tsslbp.storage.meaning import code_meaning

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def nodes():
    with Nodes() as started:
        yield started


@pytest.fixture
def engine(nodes, tmp_path):
    """An engine on the simulated nodes, and what it said. Ray's workers would also look for the project where their driver is."""
    said: list[str] = []
    with chdir(tmp_path), open_cluster(nodes.address) as cluster:
        yield RayEngine(cluster, 2, Room(Need(1, 10**8), 1.0, counts_memory=True), None, said.append), said
    nodes.wait_for_no_worker()


def test_two_seeds_on_two_nodes_are_the_same_bits(model, engine, undisturbed, monkeypatch):
    monkeypatch.setattr("tsslbp.engines.ray.PATIENCE", 600)  # a busy machine is slow to start a worker, and that would be said
    events = list(train(engine[0], model, jobs_of(model)))
    assert sorted(type(event).__name__ for event in events) == sorted(2 * ["Started", *EPOCHS * ["EpochDone"], "Finished"])
    assert_same(final_states(model), undisturbed)
    assert engine[1] == []


def test_a_killed_worker_is_named_and_its_seed_goes_on_from_the_last_complete_epoch(model, engine, nodes, undisturbed):
    events, victims, lost = [], set(), []
    for event in train(engine[0], model, jobs_of(model)):
        events.append(event)
        lost.extend([event] * isinstance(event, Lost))
        if isinstance(event, EpochDone) and not lost:  # a worker that has no seed yet is nobody's loss
            victims.add(nodes.kill_worker())
    said = [re.match(r"the worker of seed \d \(process (\d+) on .+ \(.{8}\)\) is gone; the seed goes on", each.message) for each in lost]
    assert said
    assert all(match is not None and int(match[1]) in victims for match in said)
    for seed in (0, 1):
        epochs = [event.row.epoch for event in events if isinstance(event, EpochDone) and event.seed == seed]
        assert epochs == sorted(set(epochs))
    assert_same(final_states(model), undisturbed)


def occupy_head(nodes):
    """An actor that holds the head's only core until it is killed."""
    import ray

    holder = ray.remote(type("Holder", (), {"is_there": lambda _: True}))
    holder = holder.options(num_cpus=1, label_selector={"ray.io/node-id": nodes.head}).remote()
    assert ray.get(holder.is_there.remote())
    return holder


def test_a_removed_node_is_named_and_one_that_comes_late_is_used(model, engine, nodes, undisturbed):
    import ray

    holder, events, late = occupy_head(nodes), [], []
    for event in train(engine[0], model, jobs_of(model)):
        events.append(event)
        if isinstance(event, EpochDone) and not late:
            for node in nodes.others:
                nodes.remove(node)
            late.append(nodes.add())  # the head is occupied: what is left to do is done there
    ray.kill(holder)
    lost = [event for event in events if isinstance(event, Lost)]
    assert lost
    assert all("is gone with its node; the seed goes on" in event.message for event in lost)
    assert_same(final_states(model), undisturbed)
    nodes.add()


def test_a_node_with_other_code_or_none_is_refused_and_the_others_go_on(model, engine, nodes, undisturbed, tmp_path, monkeypatch):
    import ray

    shutil.copytree(ROOT / "tsslbp", tmp_path / "other/tsslbp", ignore=shutil.ignore_patterns("__pycache__"))
    loop = tmp_path / "other/tsslbp/method/loop.py"
    loop.write_text(loop.read_text() + "\nCHANGED = 1\n")
    for node in nodes.others:
        nodes.remove(node)
    odd = [nodes.add(str(tmp_path / "other")), nodes.add("/nonexistent")]
    holder = occupy_head(nodes)
    said: list[str] = []

    def say(line: str) -> None:
        said.extend([line] * ("is refused" in line))
        if len(said) == 2:  # now the head may train
            ray.kill(holder)

    list(train(replace(engine[0], say=say), model, jobs_of(model)))
    assert_same(final_states(model), undisturbed)
    code, none = sorted(said, key=lambda line: "No module" in line)
    assert re.fullmatch(rf"node .+ is refused: the method's code [0-9a-f]{{12}} there, {model.code[:12]} here", code)
    assert re.fullmatch(r"node .+ is refused: No module named 'tsslbp'", none)
    monkeypatch.setattr(RayCluster, "nodes_for", lambda *_: {node.node_id for node in odd})
    with pytest.raises(EngineError, match=r"(?s)is refused: .*is refused: .*no other node is there; install this very version"):
        list(train(engine[0], model, [replace(job, code="0" * 32) for job in jobs_of(model)]))
    for node in odd:
        nodes.remove(node)


def test_a_node_has_one_copy_of_the_samples(model, engine, nodes):
    """Two workers of a node look at the same bytes of the same file in shared memory, and can write to neither."""

    class Looker:
        def look(self, splits):
            images = splits.train._images
            address = images.ctypes.data
            for line in Path("/proc/self/maps").read_text().splitlines():
                reach, _, offset, _, inode, *_ = line.split()
                start, end = (int(bound, 16) for bound in reach.split("-"))
                if start <= address < end:
                    return os.getpid(), (inode, int(offset, 16) + address - start), images.flags.owndata, images.flags.writeable
            raise AssertionError("no memory is mapped there")

    import ray

    data = ray.put(model.splits)
    lookers = [ray.remote(Looker).options(num_cpus=0, label_selector={"ray.io/node-id": nodes.head}).remote() for _ in range(2)]
    (one, place, *_), (other, same_place, *rights) = ray.get([looker.look.remote(data) for looker in lookers])
    assert one != other
    assert place == same_place
    assert place[0] != "0"
    assert rights == [False, False]


def test_who_stops_listening_ends_the_workers(model, engine, nodes):
    with closing(train(engine[0], model, jobs_of(model))) as events:
        assert isinstance(next(events), Started)
        assert nodes.workers()
    nodes.wait_for_no_worker()


def test_an_error_of_ours_in_a_worker_arrives_with_its_traceback(model, engine):
    code = code_meaning(model.model.loss.kind, "cuda:99")
    jobs = [replace(job, code=code, task=replace(job.task, device="cuda:99")) for job in jobs_of(model, (0,))]
    with pytest.raises((RuntimeError, EngineError), match=r"(?s)in a worker, seed \d:.*Traceback"):
        list(train(engine[0], model, jobs))
