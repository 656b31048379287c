"""The case `row-of-the-table`: minutes for ten seeds of a model, side by side with a thread each, and in turn with all threads.

Both ways train seeds with the project's own engine on a few thousand synthetic images, for a few short epochs with their tests. Minutes are
extrapolated by the number of samples and epochs; the time to start, some seconds per seed, is left out. The first epoch loads kernels,
and in the last one a seed may have ended and left its core to the others: neither counts.
"""

import json
import statistics
import tempfile
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.cases import ROW, ROW_MODEL
from benchmarks.processes.commands import SYNTHETIC, Turn
from benchmarks.processes.quiet import Timed, repeat_disturbed, watched
from tsslbp.data.processed import arrays_checksum
from tsslbp.settings import Dataset, Settings
from tsslbp.storage.records import DataRecord

SEEDS, EPOCHS = 10, 4
"""Seeds of the row, and epochs of the shortened run."""
SHARE, QUICK_SHARE = 0.1, 0.01
"""Of the data set's samples that an epoch of the shortened run has."""


@dataclass(frozen=True)
class Way:
    """One way to train the seeds of a row.

    Attributes:
        parallel: seeds at a time.
        threads: CPU threads of each.
        epoch_seconds: of an epoch of the whole data set, one value per turn.
        disturbed: turns during which other programs computed, even when repeated.
    """

    parallel: int
    threads: int
    epoch_seconds: tuple[float, ...]
    disturbed: int = 0

    def minutes(self, epochs: int) -> float:
        """Minutes for all seeds, each with so many epochs."""
        rounds = -(-SEEDS // self.parallel)
        return rounds * epochs * statistics.median(self.epoch_seconds) / 60


@dataclass(frozen=True)
class RowTime:
    """What was measured: the model, its epochs in the protocol, the steps that were run, and the two ways."""

    model: str
    epochs: int
    steps: int
    side_by_side: Way
    in_turn: Way

    @property
    def ratio(self) -> float:
        """Minutes side by side as a multiple of those in turn."""
        return self.side_by_side.minutes(self.epochs) / self.in_turn.minutes(self.epochs)


def sentence(row: RowTime) -> str:
    """Say in one sentence what was measured, and from how much it is extrapolated."""
    side, turn = row.side_by_side, row.in_turn
    flag = "†" if side.disturbed or turn.disturbed else ""
    return (
        f"Ten seeds of {row.model}, {row.epochs} epochs each: {side.minutes(row.epochs):,.0f} minutes with {side.parallel} seeds at a time and "
        f"{_threads(side)} each (this project's default), {turn.minutes(row.epochs):,.0f} in turn with {_threads(turn)}: "
        f"{row.ratio:.2f} times as long{flag}. Extrapolated from {row.steps:,} training steps per seed and the tests after them"
    )


def _threads(way: Way) -> str:
    return f"{way.threads} thread{'s' if way.threads > 1 else ''}"


def csv_text(row: RowTime) -> str:
    """Write both ways, one line each."""
    lines = ["way,model,seeds,epochs,parallel,threads,epoch_seconds,minutes,turns,turns_disturbed"]
    for name, way in (("side by side", row.side_by_side), ("in turn", row.in_turn)):
        numbers = (statistics.median(way.epoch_seconds), way.minutes(row.epochs))
        counts = f"{row.model},{SEEDS},{row.epochs},{way.parallel},{way.threads}"
        lines.append(f"{name},{counts},{numbers[0]:.6g},{numbers[1]:.6g},{len(way.epoch_seconds)},{way.disturbed}")
    return "\n".join(lines) + "\n"


def measure_row(settings: Settings, threads: int, turns: int, repeats: int, share: float = SHARE) -> RowTime:
    """Measure both ways, turn by turn.

    Args:
        settings: with the model `ROW_MODEL`.
        threads: of the machine, which both ways use up.
        turns: of each way.
        repeats: how often a turn is measured again during which other programs computed.
        share: of the data set's samples that an epoch has.

    Raises:
        ValueError: the training of a seed failed, or its process was ended.
    """
    model, ways = settings.model(ROW_MODEL), ((min(threads, SEEDS), 1), (1, threads))
    with tempfile.TemporaryDirectory(prefix="row-") as name:
        samples = write_data(Path(name) / "processed" / model.dataset, settings.dataset_of(ROW_MODEL), share)
        short = _shortened(settings, Path(name))
        found = [[_quiet_turn(short, parallel, each, repeats) for parallel, each in ways] for _ in range(turns)]
    columns = [
        Way(parallel, each, tuple(timed.seconds / share for timed in column), sum(timed.disturbed for timed in column))
        for (parallel, each), column in zip(ways, zip(*found, strict=True), strict=True)
    ]
    return RowTime(ROW_MODEL, model.epochs, (EPOCHS - 2) * turns * (samples // model.batch_size), *columns)


def _shortened(settings: Settings, data: Path) -> Settings:
    """The settings of a few epochs on the data in this folder."""
    model = settings.model(ROW_MODEL).model_copy(update={"epochs": EPOCHS})
    folders = settings.folders.model_copy(update={"data": data})
    return settings.model_copy(update={"models": {ROW_MODEL: model}, "folders": folders})


def _quiet_turn(settings: Settings, parallel: int, threads: int, repeats: int) -> Timed:
    """Measure one turn, again where it was disturbed."""
    turns: dict[None, list[Timed]] = {None: [_turn(settings, parallel, threads)]}
    repeat_disturbed(turns, repeats, lambda _: _turn(settings, parallel, threads))
    return turns[None][0]


def _turn(settings: Settings, parallel: int, threads: int) -> Timed:
    """Train seeds side by side; the processor time of processes that have ended is known without asking them."""
    return watched(lambda: Turn(_train(settings, parallel, threads), 0.0))


def _train(settings: Settings, parallel: int, threads: int) -> float:
    """Train so many seeds at a time; returns the mean seconds of the epochs that count."""
    with ProcessPoolExecutor(1, get_context("spawn")) as driver:  # PyTorch's threads are set for a whole process
        try:
            seconds = driver.submit(_epoch_seconds, settings, parallel, threads).result()
        except BrokenProcessPool:
            raise ValueError(f"{ROW}: its process was ended from outside, perhaps for want of memory") from None
    return statistics.fmean(value for seed in seconds for value in seed[1:-1])


def _epoch_seconds(settings: Settings, parallel: int, threads: int) -> list[list[float]]:
    """Drive the project's engine as the stage `fit` does; returns the seconds of every epoch of every seed."""
    from stages.seeds import job_of
    from tsslbp.engines import EpochDone, Failed, Lost
    from tsslbp.engines.local import LocalEngine
    from tsslbp.engines.slots import CoreBudget
    from tsslbp.experiment import ModelRun
    from tsslbp.method.numerics import prepare_device

    seconds: list[list[float]] = [[] for _ in range(parallel)]
    with tempfile.TemporaryDirectory(prefix="row-") as name:
        here = _in_folder(settings, Path(name), threads)
        model = ModelRun.open(here, ROW_MODEL, prepare_device(here.execution))
        engine = LocalEngine(parallel, CoreBudget(Path(name) / "cores", range(parallel * threads)), lambda _: None)
        for event in engine.train([job_of(model, seed) for seed in range(parallel)], model.splits, lambda *_: None):
            if isinstance(event, EpochDone):
                seconds[event.seed].append(event.seconds)
            elif isinstance(event, Failed | Lost):
                reason = event.reason if isinstance(event, Failed) else event.message
                raise ValueError(f"{ROW}: seed {event.seed} failed: {reason}")
    return seconds


def _in_folder(settings: Settings, scratch: Path, threads: int) -> Settings:
    """The settings for so many threads, with an empty folder for checkpoints, so that every seed begins at its first epoch."""
    execution = settings.execution.model_copy(update={"device": "cpu", "threads": threads})
    folders = settings.folders.model_copy(update={"scratch": scratch})
    return settings.model_copy(update={"folders": folders, "execution": execution})


def write_data(folder: Path, dataset: Dataset, share: float) -> int:
    """Write synthetic images as the stage `preprocess` would have; returns the training samples."""
    sizes = {"train": round(share * dataset.train_samples), "test": round(share * dataset.test_samples)}
    generator = np.random.default_rng(0)
    for split, size in sizes.items():
        (folder / split).mkdir(parents=True)
        labels = generator.integers(0, dataset.classes, size, np.uint8)
        np.save(folder / split / "labels.npy", labels)
        np.save(folder / split / "images.npy", _images(generator, labels, dataset))
    record = DataRecord(
        dataset=folder.name,
        title=dataset.title,
        checksum=SYNTHETIC,
        train_samples=sizes["train"],
        test_samples=sizes["test"],
        subset=(SYNTHETIC,),
        arrays=arrays_checksum(folder),
    )
    (folder / "data.json").write_text(json.dumps(record.model_dump(mode="json")))
    return sizes["train"]


def _images(generator: np.random.Generator, labels: NDArray[np.uint8], dataset: Dataset) -> NDArray[np.uint8]:
    """Draw bright squares of five pixels on black, a quarter of the area: (N, C, H, W) uint8.

    Each class has its own pattern under the noise, so that there is something to learn and no layer falls silent.
    """
    channels, height, width = dataset.shape
    squares = (channels, -(-height // 5), -(-width // 5))
    patterns = np.random.default_rng(1).random((dataset.classes, *squares))
    coarse = patterns[labels] + 0.5 * generator.random((len(labels), *squares))
    bright = np.clip(4 * (coarse - np.quantile(coarse, 0.75)), 0, 1)
    return (255 * bright.repeat(5, 2).repeat(5, 3)[:, :, :height, :width]).astype(np.uint8)
