"""Several Ray nodes simulated on this machine, whose workers and nodes a test can end; and what is left of them."""

import os
import random
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import chdir, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from unittest.mock import patch

from ray.cluster_utils import Cluster

from tests.support.killing import processes_of
from tests.support.paths import ROOT

WORKER = b"ray::RayTrainer"


class Nodes:
    """A head and two more nodes of one core each; `address` is the head's.

    Args:
        chance: chooses what is ended.
        head_cores: cores of the head.
    """

    def __init__(self, chance: random.Random | None = None, head_cores: int = 1) -> None:
        self._chance, self._head_cores = chance or random.Random(0), head_cores
        self.folder = Path(tempfile.mkdtemp(prefix="nodes-", dir="/tmp"))  # a socket's path is short
        (self.folder / "ray").mkdir()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self, more: int = 2) -> None:
        """Start the head and some nodes."""
        with self._at_home():
            arguments = {"num_cpus": self._head_cores, "temp_dir": str(self.folder), "env_vars": {"PYTHONPATH": str(ROOT)}}
            self._cluster = Cluster(initialize_head=True, head_node_args=arguments)
            self.address = self._cluster.address
            for _ in range(more):
                self.add()

    def add(self, path: str = str(ROOT)) -> Any:
        """Add a node that finds the project on this path."""
        with self._at_home():
            return self._cluster.add_node(num_cpus=1, env_vars={"PYTHONPATH": path})

    @property
    def head(self) -> str:
        """What Ray calls the head."""
        return self._cluster.head_node.node_id

    @property
    def others(self) -> list[Any]:
        """All nodes but the head."""
        return list(self._cluster.worker_nodes)

    def remove(self, node: Any) -> None:
        """Pull a node's plug."""
        self._cluster.remove_node(node, allow_graceful=False)

    def remove_head(self) -> None:
        """Pull the head's plug."""
        self.remove(self._cluster.head_node)

    def workers(self) -> list[int]:
        """The processes of the project's workers."""
        found = []
        for pid in processes_of(self.folder):
            with suppress(OSError):
                found += [pid] * Path(f"/proc/{pid}/cmdline").read_bytes().startswith(WORKER)
        return found

    def kill_worker(self) -> int | None:
        """SIGKILL a worker; None where there is none."""
        workers = self.workers()
        if not workers:
            return None
        victim = self._chance.choice(workers)
        with suppress(ProcessLookupError):
            os.kill(victim, signal.SIGKILL)
        return victim

    def wait_for_no_worker(self, seconds: float = 120) -> None:
        """Fail where a worker outlives its driver."""
        deadline = time.monotonic() + seconds
        while left := self.workers():
            assert time.monotonic() < deadline, f"workers that nobody needs: {left}"
            time.sleep(0.1)

    def stop(self) -> None:
        """End all nodes, and what Ray leaves of one whose plug was pulled: with a real one it would be gone."""
        with self._at_home():
            self._cluster.shutdown()
        for pid in processes_of(self.folder):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    @contextmanager
    def _at_home(self) -> Iterator[None]:
        """Ray notes the head's address in one file for the whole machine, in a folder that nobody may have made, unless told where."""
        with chdir(self.folder), patch.dict(os.environ, {"RAY_TMPDIR": str(self.folder)}):
            yield
