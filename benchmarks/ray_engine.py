"""What the Ray engine costs beside the local one: `python -m benchmarks.ray_engine overhead` or `memory`; each takes some minutes.

overhead: seconds that five seeds of the quickstart's digits-cnn take on both engines, in turn, from the moment when the engine is there,
and from the moment when the first seed begins in a worker.
memory: what the driver holds while 35 seeds are queued on two cores, and while a checkpoint of 490 MB comes in and goes out.
"""

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import chdir, closing, contextmanager
from pathlib import Path

import torch

from benchmarks import ROOT
from benchmarks.arguments import interrupted, positive
from stages.engine import open_engine
from stages.seeds import job_of
from tsslbp.experiment import ModelRun
from tsslbp.settings import Settings, load_settings

QUICKSTART = ROOT / "quickstart/params.yaml"
SEEDS = 5
EPOCHS = 10
"""A worker's start, a second or two of PyTorch's import, is in both engines' seconds."""
QUEUED = 35
MB = 1e6


def settings_in(folder: Path, **changes: object) -> Settings:
    """The quickstart's settings with everything below a folder, and some of `execution` changed."""
    with chdir(ROOT):
        settings = load_settings(QUICKSTART)
    folders = {name: folder / name for name in type(settings.folders).model_fields}
    execution = settings.execution.model_copy(update=changes)
    return settings.model_copy(update={"folders": settings.folders.model_copy(update=folders), "execution": execution})


def stage(folder: Path, name: str, *arguments: str) -> None:
    """Run a stage of a project in a folder."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "MLFLOW_TRACKING_URI": ""}
    subprocess.run([sys.executable, "-m", f"stages.{name}", *arguments], cwd=folder, env=environment, check=True, capture_output=True)


@contextmanager
def project(architecture: str, epochs: int, seeds: int) -> Iterator[Path]:
    """A folder with digits and the settings of one model, of so many seeds."""
    text = QUICKSTART.read_text(encoding="utf-8").replace("quickstart/", "").replace("engine: local", "engine: ray")
    text = re.sub(r"architecture: 400-400", f"architecture: {architecture}", text)
    text = re.sub(r"epochs: \d+", f"epochs: {epochs}", text)
    text = re.sub(r"seeds: \[.*\]", f"seeds: {list(range(seeds))}", text)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "params.yaml").write_text(text, encoding="utf-8")
        stage(folder, "download", "--dataset", "digits")
        stage(folder, "preprocess", "--dataset", "digits")
        yield folder


def seconds_of(data: Path, engine: str, turn: int, epochs: int = EPOCHS) -> tuple[float, float]:
    """Train all seeds of digits-cnn once: seconds until the first of them begins, and until the last is done."""
    settings = settings_in(data, engine=engine)
    scratch = settings.folders.model_copy(update={"scratch": data / f"{engine}-{turn}"})
    models = {"digits-cnn": settings.model("digits-cnn").model_copy(update={"epochs": epochs})}
    model = ModelRun.open(settings.model_copy(update={"folders": scratch, "models": models}), "digits-cnn", torch.device("cpu"))
    jobs = [job_of(model, seed) for seed in range(SEEDS)]
    with open_engine(model, SEEDS, print) as (trainer, _):
        began = time.perf_counter()
        with closing(trainer.train(jobs, model.splits, lambda *_: None)) as events:
            next(events)
            first = time.perf_counter()
            list(events)
        return first - began, time.perf_counter() - began


def overhead(turns: int) -> None:
    """Print the seconds of both engines, and by how much the medians differ."""
    torch.set_num_threads(1)
    seconds: dict[str, list[float]] = {"local": [], "ray": []}
    later: dict[str, list[float]] = {"local": [], "ray": []}
    with project("400-400", 1, SEEDS) as data:
        for engine in seconds:
            seconds_of(data, engine, -1, epochs=1)  # compiles the kernels, for arrays that cannot be written to, too
        for turn in range(turns):
            for engine in ("local", "ray") if turn % 2 else ("ray", "local"):
                start, whole = seconds_of(data, engine, turn)
                seconds[engine].append(whole)
                later[engine].append(whole - start)
                print(f"{engine}: {whole:.1f} s, of which {start:.1f} s to start (load {os.getloadavg()[0]:.1f})", flush=True)
    for what, measured in (("in all", seconds), ("after the first seed began", later)):
        local, ray = (statistics.median(measured[engine]) for engine in ("local", "ray"))
        print(f"{what}: local {local:.1f} s, ray {ray:.1f} s: {ray / local - 1:+.1%}")


class Watch(threading.Thread):
    """Notes the most that a process holds: private memory, shared memory (Ray's object store), and all of it."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._status = Path(f"/proc/{pid}/status")
        self.most = dict.fromkeys(("RssAnon", "RssShmem", "VmRSS"), 0.0)

    def run(self) -> None:
        """Look ten times a second until the process is gone."""
        while True:
            try:
                text = self._status.read_text(encoding="utf-8")
            except OSError:
                return
            for name in self.most:
                found = re.search(rf"{name}:\s+(\d+)", text)
                self.most[name] = max(self.most[name], int(found[1]) * 1024 / MB if found else 0)
            time.sleep(0.1)

    def __str__(self) -> str:
        return ", ".join(f"{name} {value:,.0f} MB" for name, value in self.most.items())


def fit(folder: Path, address: str) -> Watch:
    """Train on a cluster, and watch the driver."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "MLFLOW_TRACKING_URI": "", "RAY_ADDRESS": address}
    command = [sys.executable, "-m", "stages.fit", "--model", "digits-mlp"]
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL) as process:
        watch = Watch(process.pid)
        watch.start()
    if process.returncode:
        raise SystemExit(f"stages.fit ended with exit code {process.returncode}")
    return watch


def memory() -> None:
    """Print what a driver holds, the second time with all checkpoints to hand out."""
    from ray.cluster_utils import Cluster

    os.environ["PYTHONPATH"] = str(ROOT)
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2})
    stop: Callable[[], None] = cluster.shutdown
    try:
        for what, architecture, seeds in (
            ("nothing to speak of", "10", 1),
            (f"{QUEUED} seeds of mnist-cnn's network on 2 CPUs", "15C5-P2-40C5-P2-300", QUEUED),
            ("1 seed with a checkpoint of 490 MB", "6000-6000", 1),
        ):
            with project(architecture, 1, seeds) as folder:
                print(f"{what}: {fit(folder, cluster.address)}", flush=True)
                params = folder / "params.yaml"
                params.write_text(params.read_text().replace("epochs: 1\n", "epochs: 2\n"))
                files = sorted(folder.rglob("seed-*.pt"))
                print(
                    f"  again, from {len(files)} checkpoints of {files[0].stat().st_size / MB:.1f} MB: {fit(folder, cluster.address)}",
                    flush=True,
                )
    finally:
        stop()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ray_engine", description="Measure what the Ray engine costs.")
    parser.add_argument("what", choices=["overhead", "memory"])
    parser.add_argument("--turns", type=positive, default=3, help="of overhead, for each engine (default: %(default)s)")
    options = parser.parse_args(arguments)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.pop("RAY_ADDRESS", None)
    try:
        if options.what == "overhead":
            overhead(options.turns)
        else:
            memory()
    except KeyboardInterrupt:
        return interrupted("benchmarks.ray_engine")
    return 0


if __name__ == "__main__":
    sys.exit(main())
