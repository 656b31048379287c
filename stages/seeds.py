"""Seeds of a model, on the engine that the settings name: this is the driver, which alone writes files and the log."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from functools import partial

from stages.common import weights_of
from stages.display import TrainingDisplay
from stages.engine import Say, open_engine
from tsslbp.engines import EpochDone, Event, Failed, Finished, Job, Lost, Started
from tsslbp.experiment import ModelRun, Outcome, processed_folder
from tsslbp.storage.kept_checkpoints import pick_checkpoint
from tsslbp.storage.live_provenance import joined, load_live, save_live
from tsslbp.storage.record_files import FINISHED
from tsslbp.storage.records import SeedProvenance
from tsslbp.tracking import LiveLog, ModelContext, TrackedRun, tracked_run


def train_seeds(model: ModelRun, log: LiveLog, context: ModelContext, warn: Say, seeds: Sequence[int]) -> list[Outcome]:
    """Train seeds of a model, each from its last complete epoch.

    Args:
        model: the model; PyTorch has its threads already.
        log: told of every seed and epoch.
        context: what else the log shows of the model.
        warn: takes a warning of one line.
        seeds: those to train.

    Returns:
        What each seed came to, in their order.

    Raises:
        EngineError: seeds could not be trained to their end.
        ValueError: data or a checkpoint are damaged.
        MemoryError: a seed does not fit into memory.
    """
    epochs = model.model.epochs
    left = {seed: epochs - pick_checkpoint(model.checkpoint(seed), model.seed_key(seed), epochs) for seed in seeds}
    todo = [seed for seed in seeds if left[seed]]
    # What is noted beside no checkpoint, or beside one that is not gone on from, is of other epochs than those to come.
    noted = {seed: _noted(model, seed, warn) for seed in seeds if left[seed] < epochs}
    with (
        open_engine(model, len(todo), warn) as (engine, at_a_time),
        TrainingDisplay(model.key, epochs, model.splits.train.samples, left, at_a_time) as display,
    ):
        driver = _Driver(model, partial(tracked_run, context=context), log, display, warn, noted)
        for seed in (seed for seed in seeds if not left[seed]):
            driver.finish_again(seed)
        with closing(engine.train([job_of(model, seed) for seed in todo], model.splits, display.batch)) as events:
            for event in events:
                driver.handle(event)
    return [driver.outcomes[seed] for seed in seeds]


def _noted(model: ModelRun, seed: int, warn: Say) -> SeedProvenance:
    """The provenance of the complete epochs of a seed: what is noted beside their checkpoint, otherwise that it is unknown."""
    if (noted := load_live(model.live_provenance(seed), warn)) is not None:
        return noted
    state = model.state(seed)
    assert state is not None
    return model.unknown_start(seed, state)


def job_of(model: ModelRun, seed: int) -> Job:
    """What an engine is to do for a seed."""
    return Job(
        task=model.task(seed),
        data=processed_folder(model.settings, model.key),
        data_id=(model.data.checksum, model.data.arrays),
        code=model.code,
        key=model.seed_key(seed),
        checkpoint=model.checkpoint(seed),
    )


class _Driver:
    """Writes what an engine's events come to: weights, log, and lines on the screen."""

    def __init__(
        self,
        model: ModelRun,
        tracked: Callable[..., TrackedRun],
        log: LiveLog,
        display: TrainingDisplay,
        warn: Say,
        noted: Mapping[int, SeedProvenance],
    ) -> None:
        """`noted`: the provenance of the seeds that have complete epochs."""
        self._model, self._tracked, self._log, self._display, self._warn, self._noted = model, tracked, log, display, warn, noted
        self._started: dict[int, SeedProvenance] = {}
        self.outcomes: dict[int, Outcome] = {}

    def handle(self, event: Event) -> None:
        """Write one event."""
        match event:
            case Started():
                self._start(event)
            case EpochDone():
                self._epoch(event)
            case Finished():
                self._finish(event.seed)
            case Failed():
                self._fail(event)
            case Lost():
                (self._display.rest if event.again else self._display.end)(event.seed)
                self._warn(f"{self._model.key}: {event.message}")

    def finish_again(self, seed: int) -> None:
        """Write what a seed came to whose last epoch was complete before: nothing is trained here, so this process is no part of it."""
        self._begin(seed, self._noted[seed])
        self._finish(seed)

    def _start(self, event: Started) -> None:
        seed, now = event.seed, self._model.started(event.seed, event.device)
        before = self._started.get(seed) or self._noted.get(seed)
        provenance = joined(before, now) if before else now
        save_live(self._model.live_provenance(seed), provenance)
        self._display.begin(seed)
        self._begin(seed, provenance)

    def _begin(self, seed: int, provenance: SeedProvenance) -> None:
        is_new = seed not in self._started
        self._started[seed] = provenance
        if is_new:
            self._log.start(self._who(seed))

    def _who(self, seed: int) -> TrackedRun:
        return self._tracked(self._model.record(), seed, self._model.run_id(seed), self._started[seed])

    def _epoch(self, event: EpochDone) -> None:
        self._display.epoch(event.seed, event.row, event.seconds)
        self._log.epoch(self._who(event.seed), event.row, self._model.splits.train.samples / event.seconds)

    def _finish(self, seed: int) -> None:
        model, state = self._model, self._model.state(seed)
        assert state is not None  # at least one epoch is asked for, and an engine keeps every one
        # The record beside the weights is of those that are about to be replaced.
        shutil.rmtree(model.settings.folders.checkpoints / model.key / FINISHED, ignore_errors=True)
        outcome = self.outcomes[seed] = model.finished(self._started[seed], state)
        record = outcome.record
        assert record is not None
        self._display.end(seed)
        self._display.say(f"{model.key} seed {seed}: best {record.best:.2f} % (epoch {record.best_epoch}), final {record.final:.2f} %")
        self._log.finish(self._who(seed), record, weights_of(model.settings, model.key, seed))

    def _fail(self, event: Failed) -> None:
        model, seed = self._model, event.seed
        outcome = self.outcomes[seed] = model.failed(self._started[seed], event.reason, model.state(seed))
        save_live(model.live_provenance(seed), outcome.provenance)  # or the epochs before would pass for a training that goes well
        self._display.end(seed)
        self._warn(f"{model.key} seed {seed} FAILED: {event.reason}. The other seeds go on")
        self._log.fail(self._who(seed), event.reason)
