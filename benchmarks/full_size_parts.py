"""The steps of `full_size`: archives of any number of recordings, their arrays, and processes that are watched from outside."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from tsslbp.data import recordings
from tsslbp.data.archives import open_zip, read_entry
from tsslbp.data.events import SENSOR, Events, read_events, write_events
from tsslbp.data.readers import list_members
from tsslbp.progress import Progress
from tsslbp.settings import Dataset, Settings
from tsslbp.storage.records import DataRecord

MOVE, JITTER_US = 2, 500
"""How far a repeated recording is moved, in pixels, and its events in time, in microseconds."""
STEPS = 4
STOPPED = 77
"""The exit code of a process that was stopped on purpose."""

_TRAIN = """
import itertools, json, sys
from pathlib import Path
from benchmarks.memory_use import peak
from tsslbp.method.build import build_loss, build_network, build_optimizer
from tsslbp.settings import load_settings
from tsslbp.method.batches import load_splits
from tsslbp.method.numerics import prepare_device
from tsslbp.method.step import evaluate, train_step

params, key, processed, steps = sys.argv[1:]
settings = load_settings(Path(params))
prepare_device(settings.execution)
model = settings.models[key]
splits, _ = load_splits(Path(processed), settings.datasets[model.dataset], model)
train, test = splits.train, splits.test
recipe = settings.recipe_of(key)
network, loss = build_network(model, recipe, settings.dataset_of(key), seed=0), build_loss(model, recipe)
optimizer = build_optimizer(model, settings.training, network)
for x, labels in itertools.islice(train.shuffled(0, 1), int(steps)):
    train_step(network, loss, optimizer, x, labels)
evaluate(network, itertools.islice(test.in_order(), 2))
print(json.dumps(peak()))
"""
_START = """
import runpy, sys, time
import tsslbp.method.step as training

def first(*arguments, **named):
    step(*arguments, **named)
    print('first step', time.time(), flush=True)
    raise SystemExit(stopped)

step, training.optimise = training.optimise, first
stopped = int(sys.argv[3])
sys.argv = ["fit", "--params", sys.argv[1], "--model", sys.argv[2]]
runpy.run_module("stages.fit", run_name="__main__")
"""


@dataclass(frozen=True)
class Archives:
    """Made recordings: an archive a split in `folder`, and where their arrays go."""

    folder: Path
    sizes: dict[str, int]

    @property
    def processed(self) -> Path:
        """The folder of the arrays."""
        return self.folder / "processed"

    @classmethod
    def make(cls, source: Path, folder: Path, sizes: dict[str, int], progress: Progress) -> Self:
        """Repeat the recordings of `source`, moved and jittered, until each split has its size.

        Raises:
            ValueError: the source is no archive of recordings.
        """
        if not source.exists():
            raise ValueError(f"{source}: missing; run the download stage of nmnist, or name another archive with --archive")
        with open_zip(source) as archive:
            members = list_members(source, archive, 10)
            originals = [(member.label, read_events(read_entry(archive, member.name))) for member in members]
        generator = np.random.default_rng(0)
        for split, size in sizes.items():
            made = zipfile.ZipFile(folder / f"{split}.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1)
            with made, progress.track(f"{split}.zip", size, "recordings") as advance:
                for number in range(size):
                    label, events = originals[number % len(originals)]
                    made.writestr(f"{split}/{label}/{number + 1:05d}.bin", write_events(_varied(events, generator)))
                    advance(1)
        return cls(folder, sizes)


def _varied(events: Events, generator: np.random.Generator) -> Events:
    """A copy moved by up to `MOVE` pixels, its events moved in time by up to `JITTER_US`; what leaves the sensor is dropped."""
    result = events.copy()
    for axis in ("x", "y"):
        result[axis] += generator.integers(-MOVE, MOVE, endpoint=True)
    result["t"] = np.clip(result["t"] + generator.integers(-JITTER_US, JITTER_US, len(events), endpoint=True), 0, (1 << 23) - 1)
    inside = (result["x"] >= 0) & (result["x"] < SENSOR) & (result["y"] >= 0) & (result["y"] < SENSOR)
    return np.sort(result[inside], order="t", kind="stable")


def preprocess(archives: Archives, dataset: Dataset, workers: int, progress: Progress) -> tuple[float, int]:
    """Convert all recordings as the stage does; returns the seconds and the bytes of the arrays."""
    started = time.perf_counter()
    for split in archives.sizes:
        (archives.processed / split).mkdir(parents=True)
        recordings.convert(archives.folder / f"{split}.zip", archives.processed / split, dataset, workers, progress)
    seconds = time.perf_counter() - started
    record = DataRecord(
        dataset="nmnist",
        title=dataset.title,
        checksum="made",
        train_samples=archives.sizes["train"],
        test_samples=archives.sizes["test"],
        subset=("made by repeating recordings",),
        arrays="made",
    )
    (archives.processed / "data.json").write_text(json.dumps(record.model_dump(mode="json")))
    return seconds, sum(path.stat().st_size for path in archives.processed.rglob("*.npy"))


def training_memory(params: Path, model: str, processed: Path) -> int:
    """The peak memory, in bytes, of a process that trains and tests a few batches."""
    return int(json.loads(_run(_TRAIN, str(params), model, str(processed), str(STEPS), code=0)))


def start_up(settings: Settings, params: Path, model: str) -> float:
    """Seconds from the start of the stage `train` to the end of its first training step, where it is stopped.

    In a project of its own, so that no tracking database sees the run; its first start makes the database and fills caches.
    """
    with tempfile.TemporaryDirectory(prefix="start-up-") as name:
        project = Path(name)
        shutil.copy(params, project / "params.yaml")
        (project / settings.folders.data).symlink_to(settings.folders.data.absolute())
        for _ in range(2):
            started = time.time()
            said = _run(_START, "params.yaml", model, str(STOPPED), code=STOPPED, folder=project)
        reached = next(line for line in said.splitlines() if line.startswith("first step"))
        return float(reached.split()[-1]) - started


def _run(program: str, *arguments: str, code: int, folder: Path | None = None) -> str:
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent.parent), "MLFLOW_TRACKING_URI": ""}
    done = subprocess.run([sys.executable, "-c", program, *arguments], env=environment, cwd=folder, capture_output=True, text=True)
    if done.returncode != code:
        raise ValueError(f"a process ended with {done.returncode}: {done.stderr.strip()[-2000:]}")
    return done.stdout
