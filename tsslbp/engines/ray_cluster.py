"""A Ray cluster as the driver sees it: reached or started, asked which nodes it has, and watched, since Ray waits for ever for a lost head.

`ray_actor.py` is about its workers, `ray.py` about what they do.
"""

import logging
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import ray
from ray.exceptions import RayError

from tsslbp.engines.jobs import EngineError

HEAD_SECONDS = 15
"""So long a head may be silent. Ray itself would wait a minute and then end this process in the middle of whatever it does."""
CHECK_SECONDS = 2
"""Seconds between two looks at head and own node."""
NODE_SECONDS = 2
"""So long a node that has lost a worker may take to end, too. Ray itself takes 13 s to call a node dead that was killed."""
_ROOT = Path(__file__).parents[2]
_MAIN_ARENA = {"MALLOC_ARENA_MAX": "1"}
"""The C library keeps freed blocks for the next step only in its main arena (`system.keep_large_blocks`); a worker trains in a thread."""


@dataclass
class RayCluster:
    """A connection to a cluster.

    Attributes:
        head: address of its head.
        own_node: what Ray calls the node of this process.
        is_ours: whether it was started for this process alone.
    """

    head: str
    own_node: str
    is_ours: bool
    _checked: float = 0.0

    def slots(self, threads: int) -> int:
        """How many seeds of so many threads fit on its nodes."""
        return sum(int(node["Resources"].get("CPU", 0) // threads) for node in _alive())

    def nodes_for(self, threads: int) -> set[str]:
        """The nodes with so many CPUs, busy or not."""
        return {node["NodeID"] for node in _alive() if node["Resources"].get("CPU", 0) >= threads}

    def has_lost(self, node: str) -> bool:
        """Whether a node has left, or is about to.

        Raises:
            EngineError: the head is gone, too.
        """
        deadline = time.monotonic() + NODE_SECONDS
        while time.monotonic() < deadline:
            self.check(at_once=True)
            found = next((each for each in _alive() if each["NodeID"] == node), None)
            if found is None or not _answers(f"{found['NodeManagerAddress']}:{found['NodeManagerPort']}"):
                return True
            time.sleep(0.2)
        return False

    def check(self, at_once: bool = False) -> None:
        """Look, now and then, whether head and own node are there.

        Raises:
            EngineError: one of them is not.
        """
        if not at_once and time.monotonic() - self._checked < CHECK_SECONDS:
            return
        deadline = time.monotonic() + HEAD_SECONDS
        while not _answers(self.head):
            if time.monotonic() > deadline:
                raise EngineError(_lost(f"the head of the Ray cluster, {self.head}, has not answered for {HEAD_SECONDS} s"))
            time.sleep(1)
        if self.own_node not in {node["NodeID"] for node in _alive()}:
            raise EngineError(_lost("the Ray node of this machine has ended"))
        self._checked = time.monotonic()


def _lost(what: str) -> str:
    return f"{what}. What is complete is kept, and the same command goes on from there once the cluster is up again"


def _alive() -> list[dict[str, Any]]:
    nodes: Callable[[], list[dict[str, Any]]] = ray.nodes
    return [node for node in nodes() if node["Alive"]]


def _answers(address: str) -> bool:
    host, _, port = address.rpartition(":")
    with suppress(OSError, ValueError), socket.create_connection((host.strip("[]"), int(port)), timeout=2):
        return True
    return False


@contextmanager
def open_cluster(address: str | None, cores: int = 0) -> Iterator[RayCluster]:
    """Join a cluster, or start one of this machine alone for as long as the block lasts.

    Args:
        address: of the head, host:port, or "auto"; None: start one.
        cores: how many it may use, where it is started here.

    Raises:
        EngineError: nothing that can be used answers there.
    """
    with ExitStack() as stack:
        common = {"log_to_driver": False, "logging_level": logging.CRITICAL}
        if address is None:
            folder = stack.enter_context(_guarded_folder())
            # Nobody else on this machine may use it. Without a token of ours Ray would write one into the user's home.
            os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
            paths = [str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]  # as for the local engine's workers
            variables = {**_MAIN_ARENA, "PYTHONPATH": os.pathsep.join(paths)}
            # Ray's workers would run with a lower priority than whatever else does.
            ours = {"num_cpus": cores, "include_dashboard": False, "_temp_dir": folder, "_system_config": {"worker_niceness": 0}}
            arguments = {"address": "local", **ours, "runtime_env": {"env_vars": variables}, **common}
        else:
            _refuse_unusable(address)
            arguments = {"address": address, "runtime_env": {"env_vars": _MAIN_ARENA}, **common}
        stack.callback(ray.shutdown)
        yield _connect(arguments, address)


@contextmanager
def _guarded_folder() -> Iterator[str]:
    """A folder for a local Ray's files; when the block or this process ends, nobody is left who uses it, nor the folder.

    It is not below the project: a socket's path holds 107 characters.
    """
    folder = os.path.realpath(tempfile.mkdtemp(prefix="tsslbp-ray-"))  # the guard compares it with what the system calls open files
    command = [sys.executable, "-I", str(Path(__file__).with_name("ray_guard.py")), folder, str(os.getpid())]
    with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True):  # closes the pipe and waits
        yield folder


def _refuse_unusable(address: str) -> None:
    remedy = "name a cluster's head as host:port and run this on one of its nodes, or unset RAY_ADDRESS to start a local Ray"
    if "://" in address:
        raise EngineError(f"RAY_ADDRESS: got {address!r}, which is not a cluster's own address; {remedy}")
    if address != "auto" and not _answers(address):
        raise EngineError(f"RAY_ADDRESS: nothing answers at {address!r}; {remedy}")


def _connect(arguments: dict[str, Any], address: str | None) -> RayCluster:
    _hold_tongue()
    try:
        ray.init(**arguments)
    except (RayError, RuntimeError, OSError, ValueError) as error:
        where = "Ray does not start on this machine" if address is None else f"RAY_ADDRESS: got {address!r}, but it cannot be joined"
        remedy = (
            ""
            if address is None
            else ". Run this on one of its nodes, with the RAY_AUTH_MODE and RAY_AUTH_TOKEN that they were started with"
        )
        raise EngineError(f"{where}: {' '.join(str(error).split())}{remedy}") from None
    # Recordings are mapped from disk. Ray knows plain arrays alone; of those it copies the bytes straight into its store.
    ray.util.register_serializer(np.memmap, serializer=np.asarray, deserializer=_same)
    context = ray.get_runtime_context()
    return RayCluster(context.gcs_address, context.get_node_id(), address is None)


def _same(array: Any) -> Any:
    return array


def _hold_tongue() -> None:
    """Keep Ray from printing a node's last twenty log lines when it is lost; it has no public switch, and the driver names the node."""
    import ray._private.worker as worker

    worker._worker_logs_enabled = False
