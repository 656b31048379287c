"""The steps of `full_size`: archives of any number of recordings, their arrays, and processes that are watched from outside."""

import contextlib
import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from benchmarks import ROOT
from benchmarks.processes.commands import SYNTHETIC
from tsslbp.data import recordings
from tsslbp.data.archives import open_zip, read_entry
from tsslbp.data.events import SENSOR, Events, read_events, write_events
from tsslbp.data.processed import arrays_checksum
from tsslbp.data.readers import list_members
from tsslbp.progress import Progress
from tsslbp.settings import Dataset, Settings
from tsslbp.storage.records import DataRecord

MOVE, JITTER_US = 2, 500
"""How far a repeated recording is moved, in pixels, and its events in time, in microseconds."""
START_LIMIT = 600.0
"""Seconds after which a start is taken for one that hangs."""
FIRST_STEP = re.compile(rb"epoch \d+/")
"""What the stage `train` shows on a terminal after its first step, and not before: the bar of the epoch."""


@dataclass(frozen=True)
class Archives:
    """Synthetic recordings: one archive per split in `folder`, and where their arrays go."""

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
            ValueError: the source is not an archive of recordings.
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
    """Copy events moved by up to `MOVE` pixels, its events moved in time by up to `JITTER_US`; what leaves the sensor is dropped."""
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
        checksum=SYNTHETIC,
        train_samples=archives.sizes["train"],
        test_samples=archives.sizes["test"],
        subset=("recordings repeated with jitter",),
        arrays=arrays_checksum(archives.processed),
    )
    (archives.processed / "data.json").write_text(json.dumps(record.model_dump(mode="json")))
    return seconds, sum(path.stat().st_size for path in archives.processed.rglob("*.npy"))


def training_memory(params: Path, model: str, processed: Path) -> int:
    """Measure the peak memory, in bytes, of a process that trains and tests a few batches."""
    arguments = ["--params", str(params), "--model", model, "--processed", str(processed)]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.full_size.training_memory", *arguments], env=_environment(), capture_output=True, text=True
    )
    if done.returncode:
        raise ValueError(f"benchmarks.full_size.training_memory ended with {done.returncode}: {done.stderr.strip()[-2000:]}")
    return int(done.stdout)


def start_up(settings: Settings, params: Path, model: str) -> float:
    """Measure the seconds from the start of the stage `train` until it shows, on a terminal, that the first training step is done.

    In a project of its own, so that no tracking database sees the run; its first start makes the database and fills caches.
    """
    with tempfile.TemporaryDirectory(prefix="start-up-") as name:
        project = Path(name)
        shutil.copy(params, project / "params.yaml")
        (project / settings.folders.data).symlink_to(settings.folders.data.absolute())
        return [_first_step(project, model) for _ in range(2)][1]


def _first_step(project: Path, model: str) -> float:
    screen, terminal = pty.openpty()
    command = [sys.executable, "-m", "stages.fit", "--params", "params.yaml", "--model", model]
    began = time.monotonic()
    environment = _environment() | {"TERM": "xterm", "COLUMNS": "200"}
    stage = subprocess.Popen(
        command, cwd=project, env=environment, stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True
    )
    os.close(terminal)
    try:
        _read_until(screen, FIRST_STEP, began + START_LIMIT)
        return time.monotonic() - began
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(stage.pid, signal.SIGKILL)
        stage.wait()
        os.close(screen)


def _read_until(screen: int, pattern: re.Pattern[bytes], deadline: float) -> None:
    """Read what a program shows until the pattern is among it.

    Raises:
        ValueError: the program ended, or took too long; the message ends with what it showed last.
    """
    shown = b""
    while not pattern.search(shown):
        ready, _, _ = select.select([screen], [], [], max(0.0, deadline - time.monotonic()))
        try:
            piece = os.read(screen, 1 << 16) if ready else b""
        except OSError:  # how Linux says that a terminal's last user has gone
            piece = b""
        if not piece:
            raise ValueError(
                f"the stage train ended, or took too long, before its first step: {shown[-2000:].decode(errors='replace').strip()}"
            )
        shown += piece


def _environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT), "MLFLOW_TRACKING_URI": ""}
