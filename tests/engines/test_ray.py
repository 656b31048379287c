"""The Ray engine without a cluster: what a worker does, a Ray of this machine alone, and one line where there is none."""

import ast
import os
import re
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
from ray.exceptions import AuthenticationError

from tests.support.engine_helpers import EPOCHS, assert_same, final_states, jobs_of
from tests.support.in_process import run_stage
from tests.support.killing import wait_for_their_end
from tests.support.paths import ROOT
from tests.support.project import MODEL, Project
from tsslbp.engines import Failed, Finished, Started
from tsslbp.engines.jobs import EngineError
from tsslbp.engines.messages import Batch, Broken, Packed
from tsslbp.engines.ray_actor import _actor_class
from tsslbp.engines.ray_cluster import _guarded_folder, open_cluster
from tsslbp.engines.ray_guard import users_of
from tsslbp.engines.ray_worker import Introduction, RayWorker, computing_versions
from tsslbp.storage.checkpoints import save_packed


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


def test_a_cluster_that_knows_another_token_is_one_line(monkeypatch):
    """An empty one, too, which `$(cat token)` gives before there is such a file."""
    monkeypatch.setattr("ray.init", Mock(side_effect=AuthenticationError("no token\n was found")))
    with socket.create_server(("127.0.0.1", 0)) as head:
        address = f"127.0.0.1:{head.getsockname()[1]}"
        with pytest.raises(EngineError, match=r"cannot be joined: .*no token was found.*RAY_AUTH_TOKEN"), open_cluster(address):
            pass


def test_a_library_that_does_not_load_on_a_node_is_the_nodes_reason_and_no_error(monkeypatch):
    monkeypatch.setattr("ray.get_runtime_context", lambda: Mock(get_node_id=lambda: "0123456789"))
    monkeypatch.setattr(RayWorker, "introduce", Mock(side_effect=OSError("libcudart.so.12: cannot open shared object file")))
    node, name, reason = _actor_class()().introduce("kernel", "cpu")
    assert (node, reason) == ("0123456789", "OSError: libcudart.so.12: cannot open shared object file")
    assert "(01234567)" in name


def test_the_folder_of_a_local_ray_is_the_one_that_the_system_names(tmp_path, monkeypatch):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "link"))
    with _guarded_folder() as folder, (Path(folder) / "log").open("w"):
        assert users_of(folder) == {os.getpid()}
    assert not Path(folder).exists()


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


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_local_ray_ends_with_the_stage(folder, tmp_path, how, monkeypatch, empty_database):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    project = Project(tmp_path / "project", empty_database, epochs=EPOCHS * 10)
    shutil.copytree(folder / "data", project.folder / "data")
    project.change("engine: local", "engine: ray")
    temporary = Path(tempfile.mkdtemp(dir="/tmp"))  # sockets need a short path, and nobody else's Ray is to be seen
    monkeypatch.setenv("TMPDIR", str(temporary))
    process = project.start("fit", "--model", MODEL)
    for line in process.stdout:
        if "epoch 2/" in line:
            break
    process.send_signal(how)
    _, err = process.communicate(timeout=180)
    assert process.returncode == (130 if how == signal.SIGINT else -how)
    assert "Traceback" not in err
    wait_for_their_end(project.folder, 60)
    assert list(temporary.glob("tsslbp-ray-*")) == []
    shutil.rmtree(temporary)
    assert not (tmp_path / "home/.ray").exists()
