"""The Ray engine: the same bits as on this machine alone, by way of whatever node, and what becomes of one that is lost or differs."""

import ast
import os
import re
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import chdir, closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.engine_helpers import assert_same, final_states, jobs_of, local_engine, open_model, prepared_project, train
from tests.in_process import run_stage
from tests.killing import wait_for_their_end
from tests.project import MODEL, ROOT, Project
from tests.ray_nodes import Nodes
from tsslbp.engines import EngineError, EpochDone, Failed, Finished, Lost, Started
from tsslbp.engines.capacity import Need
from tsslbp.engines.messages import Batch, Broken, Packed
from tsslbp.engines.ray import RayEngine
from tsslbp.engines.ray_actor import Room
from tsslbp.engines.ray_cluster import RayCluster, open_cluster
from tsslbp.engines.ray_worker import Introduction, RayWorker, computing_versions
from tsslbp.storage.checkpoints import save_packed
from tsslbp.storage.meaning import code_meaning

EPOCHS = 3


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return prepared_project(tmp_path_factory.mktemp("engine"), EPOCHS)


@pytest.fixture
def model(folder, tmp_path):
    return open_model(folder, tmp_path)


@pytest.fixture(scope="module")
def undisturbed(folder, tmp_path_factory):
    """The states of two seeds that were trained in this process, one after the other."""
    scratch = tmp_path_factory.mktemp("alone")
    model = open_model(folder, scratch)
    list(train(local_engine(scratch, 1), model, jobs_of(model)))
    return final_states(model)


def test_nothing_but_its_own_modules_knows_of_ray():
    def imports(path: Path) -> Iterator[str]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and not node.level:
                yield node.module or ""

    files = [path for folder in ("tsslbp", "stages") for path in (ROOT / folder).rglob("*.py")]
    found = {path.name for path in files if any(name.split(".")[0] == "ray" for name in imports(path))}
    assert found == {"ray.py", "ray_actor.py", "ray_cluster.py"}


@pytest.fixture
def ray_project(folder: Path, tmp_path: Path, empty_database: Path) -> Path:
    """A prepared project that is to train on Ray, with a database: MLflow would talk while it makes one."""
    shutil.copytree(folder, tmp_path / "project")
    shutil.copy(empty_database, tmp_path / "project/mlflow.db")
    params = tmp_path / "project/params.yaml"
    params.write_text(params.read_text().replace("engine: local", "engine: ray"))
    return params.parent


def test_without_ray_it_is_one_line(ray_project, monkeypatch, capfd):
    for name in [name for name in sys.modules if name.split(".")[0] == "ray" or name.startswith("tsslbp.engines.ray")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "ray", None)
    assert run_stage(ray_project, "fit", "--model", MODEL) == 1
    line = next(line for line in capfd.readouterr().err.splitlines() if not line.startswith("warning"))
    assert line.endswith(
        "execution.engine: got ray, but ray is not installed; `pip install '.[ray]'` installs it, `engine: local` does without"
    )


@pytest.mark.parametrize(
    ("address", "said"),
    [
        (
            "ray://127.0.0.1:10001",
            r"RAY_ADDRESS: got 'ray://127.0.0.1:10001', which is not a cluster's own address; name a cluster's head as",
        ),
        (
            "127.0.0.1:1",
            r"RAY_ADDRESS: nothing answers at '127.0.0.1:1'; name a cluster's head as host:port and run this on one of its nodes",
        ),
        ("nonsense", r"RAY_ADDRESS: nothing answers at 'nonsense'"),
    ],
)
def test_an_address_without_a_cluster_is_one_line(ray_project, monkeypatch, capfd, address, said):
    monkeypatch.setenv("RAY_ADDRESS", address)
    assert run_stage(ray_project, "fit", "--model", MODEL) == 1
    lines = [line for line in capfd.readouterr().err.splitlines() if not line.startswith("warning")]
    assert len(lines) == 1
    assert re.search(said, lines[0])


def test_what_differs_on_a_node_is_named():
    there = Introduction(1, "host", "0123456789", "a" * 32, {"torch": "2.5.0", "numpy": "2.4.6", "numba": "0.61"})
    here = {"torch": "2.14.1", "numpy": "2.4.6", "numba": "0.61"}
    assert there.name == "host (01234567)"
    assert there.differences("a" * 32, there.versions) == []
    assert there.differences("b" * 32, here) == [
        "the method's code aaaaaaaaaaaa there, bbbbbbbbbbbb here",
        "torch 2.5.0 there, 2.14.1 here",
    ]


def serve(worker: RayWorker, model, seed: int, packed=None) -> tuple[list, list[bytes]]:
    """All messages of a job, and the checkpoints among them."""
    messages, checkpoints = [], []
    worker.begin(jobs_of(model, (seed,))[0], model.splits, packed)
    while not (messages and isinstance(messages[-1], Finished | Failed | Broken)):
        messages.append(worker.message())
        if isinstance(messages[-1], Packed):
            content = b""
            while len(content) < messages[-1].size:
                content += worker.message().tobytes()
            checkpoints.append(content)
    return messages, checkpoints


def test_a_worker_gives_every_epoch_back_and_goes_on_from_any(model, undisturbed, monkeypatch):
    monkeypatch.setattr("tsslbp.engines.ray_worker.PIECE", 1000)
    worker, job = RayWorker(), jobs_of(model, (0,))[0]
    messages, checkpoints = serve(worker, model, 0)
    kinds = [type(message) for message in messages if not isinstance(message, Batch)]
    assert kinds == [Started, *EPOCHS * [Packed], Finished]
    messages, [*_, last] = serve(worker, model, 0, np.frombuffer(checkpoints[0], np.uint8))
    assert [message.row.epoch for message in messages if isinstance(message, Packed)] == [2, 3]
    for content in (checkpoints[-1], last):
        save_packed(job.checkpoint, [content])
        assert_same(final_states(model, (0,)), undisturbed[:1])


def test_a_worker_says_what_breaks_it(model):
    messages, _ = serve(RayWorker(), model, 0, np.frombuffer(b"nothing", np.uint8))
    assert messages[-1].kind == "user"
    assert "is damaged or not a checkpoint" in messages[-1].text


def test_a_worker_says_who_it_is(model):
    who = RayWorker().introduce("node", model.model.loss.kind, "cpu")
    assert (who.pid, who.code, who.versions) == (os.getpid(), model.code, computing_versions())


# What follows starts Ray itself.


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


@pytest.mark.slow
def test_two_seeds_on_two_nodes_are_the_same_bits(model, engine, undisturbed):
    events = list(train(engine[0], model, jobs_of(model)))
    assert sorted(type(event).__name__ for event in events) == sorted(2 * ["Started", *EPOCHS * ["EpochDone"], "Finished"])
    assert_same(final_states(model), undisturbed)
    assert engine[1] == []


@pytest.mark.slow
def test_a_killed_worker_is_named_and_its_seed_goes_on_from_the_last_complete_epoch(model, engine, nodes, undisturbed):
    events, victim = [], None
    for event in train(engine[0], model, jobs_of(model)):
        events.append(event)
        if isinstance(event, EpochDone) and victim is None:
            victim = nodes.kill_worker()
    (lost,) = (event for event in events if isinstance(event, Lost))
    assert re.match(rf"the worker of seed \d \(process {victim} on .+ \(.{{8}}\)\) is gone; the seed goes on", lost.message)
    for seed in (0, 1):
        epochs = [event.row.epoch for event in events if isinstance(event, EpochDone) and event.seed == seed]
        assert epochs == sorted(set(epochs))
    assert_same(final_states(model), undisturbed)


@pytest.mark.slow
def test_a_removed_node_is_named_and_one_that_comes_late_is_used(model, engine, nodes, undisturbed):
    events = []
    for event in train(engine[0], model, jobs_of(model)):
        events.append(event)
        if isinstance(event, EpochDone) and event.row.epoch == 1 and len(nodes.others) == 2:
            for node in nodes.others:
                nodes.remove(node)
            nodes.add()
    assert all("is gone with its node; the seed goes on" in event.message for event in events if isinstance(event, Lost))
    assert_same(final_states(model), undisturbed)
    nodes.add()


@pytest.mark.slow
def test_a_node_with_other_code_or_none_is_refused_and_the_others_go_on(model, engine, nodes, undisturbed, tmp_path, monkeypatch):
    import ray

    shutil.copytree(ROOT / "tsslbp", tmp_path / "other/tsslbp", ignore=shutil.ignore_patterns("__pycache__"))
    loop = tmp_path / "other/tsslbp/method/loop.py"
    loop.write_text(loop.read_text() + "\nCHANGED = 1\n")
    for node in nodes.others:
        nodes.remove(node)
    odd = [nodes.add(str(tmp_path / "other")), nodes.add("/nonexistent")]
    holder = ray.remote(type("Holder", (), {"is_there": lambda _: True}))
    holder = holder.options(num_cpus=1, label_selector={"ray.io/node-id": nodes.head}).remote()
    assert ray.get(holder.is_there.remote())
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
    for _ in odd:
        nodes.add()


@pytest.mark.slow
def test_who_stops_listening_ends_the_workers(model, engine, nodes):
    with closing(train(engine[0], model, jobs_of(model))) as events:
        assert isinstance(next(events), Started)
        assert nodes.workers()
    nodes.wait_for_no_worker()


@pytest.mark.slow
def test_an_error_of_ours_in_a_worker_arrives_with_its_traceback(model, engine):
    code = code_meaning(model.model.loss.kind, "cuda:99")
    jobs = [replace(job, code=code, task=replace(job.task, device="cuda:99")) for job in jobs_of(model)]
    with pytest.raises((RuntimeError, EngineError), match=r"(?s)in a worker, seed \d:.*Traceback"):
        list(train(engine[0], model, jobs))


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_local_ray_ends_with_the_stage(folder, tmp_path, how, monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    project = Project(tmp_path / "project", epochs=EPOCHS * 10)
    shutil.copytree(folder / "data", project.folder / "data")
    project.change("engine: local", "engine: ray")
    before = set(Path(tempfile.gettempdir()).glob("tsslbp-ray-*"))
    process = project.start("fit", "--model", MODEL)
    for line in process.stdout:
        if "epoch 2/" in line:
            break
    process.send_signal(how)
    _, err = process.communicate(timeout=60)
    assert process.returncode == (130 if how == signal.SIGINT else -how)
    assert "Traceback" not in err
    wait_for_their_end(project.folder, 10)
    assert set(Path(tempfile.gettempdir()).glob("tsslbp-ray-*")) == before
    assert not (tmp_path / "home/.ray").exists()
