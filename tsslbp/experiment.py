"""One model, all its seeds: from settings and data on disk to finished weights and a record of what was measured."""

import datetime
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from tsslbp.method.batches import Batches, load_batches
from tsslbp.method.build import build_loss, build_network, build_optimizer
from tsslbp.method.loop import Fit, TrainingFailure, fit
from tsslbp.settings import Model, Settings, digest
from tsslbp.storage.checkpoints import TrainingState, load_state, save_weights
from tsslbp.storage.files import checksum
from tsslbp.storage.provenance import code_digest, device_name, git_commit, library_versions
from tsslbp.storage.records import DataRecord, Epoch, ModelRecord, Provenance, SeedProvenance, SeedRecord


@dataclass(frozen=True)
class Outcome:
    """How one seed ended: `record` is None where it failed."""

    provenance: SeedProvenance
    record: SeedRecord | None


@dataclass(frozen=True)
class Listener:
    """Who wants to know: after each new epoch (with its seconds), and of the samples seen within one."""

    on_epoch: Callable[[Epoch, float], None] = lambda epoch, seconds: None
    on_batch: Callable[[int, int], None] = lambda epoch, samples: None


@dataclass(frozen=True)
class ModelRun:
    """A model with its data loaded, ready to train its seeds."""

    settings: Settings
    key: str
    device: torch.device
    train: Batches
    test: Batches
    data: DataRecord
    code: str

    @classmethod
    def open(cls, settings: Settings, key: str, device: torch.device) -> "ModelRun":
        """Load the preprocessed data of a model.

        Raises:
            ValueError: the data are missing or damaged.
        """
        model = settings.model(key)
        folder = settings.folders.data / "processed" / model.dataset
        train, test, data = load_batches(folder, settings.datasets[model.dataset], model)
        return cls(settings, key, device, train, test, data, code_digest())

    @property
    def model(self) -> Model:
        """The model's settings."""
        return self.settings.models[self.key]

    @property
    def identity(self) -> dict[str, Any]:
        """All that decides the weights, apart from seed and epochs."""
        where = {"device": self.device.type, "threads": torch.get_num_threads(), "torch": torch.__version__}
        return {**self.settings.identity(self.key), "data": [self.data.checksum, self.data.arrays], "code": self.code, "where": where}

    def run_id(self, seed: int, epochs: int | None = None) -> str:
        """The run's own id: equal for equal experiment, settings, data, code, seed and epochs (None: those of the settings)."""
        return digest([self.settings.experiment, self.key, self.identity, seed, epochs or self.model.epochs])

    def seed_key(self, seed: int) -> str:
        """What a checkpoint belongs to."""
        return digest([self.identity, seed])

    def checkpoint(self, seed: int) -> Path:
        """Where the live checkpoint of a seed lies."""
        return self.settings.folders.scratch / self.key / digest(self.identity) / f"seed-{seed}.pt"

    def weights_path(self, seed: int, which: str) -> Path:
        """Where the "best" or "final" weights of a seed go."""
        return self.settings.folders.checkpoints / self.key / f"seed-{seed}-{which}.safetensors"

    def started(self, seed: int) -> SeedProvenance:
        """The provenance of a seed that starts now."""
        return SeedProvenance(
            seed=seed,
            started=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            git_commit=git_commit(Path.cwd() if not self.settings.folders.runs.is_absolute() else self.settings.folders.runs.parent),
            device=device_name(str(self.device)),
            threads=torch.get_num_threads(),
            versions=library_versions(),
            seconds=(),
        )

    def train_seed(self, provenance: SeedProvenance, listener: Listener) -> Outcome:
        """Train one seed to the end and write its weights; a failure of the numbers becomes a failed outcome."""
        seed = provenance.seed
        network = build_network(self.model, self.settings.recipe_of(self.key), self.settings.dataset_of(self.key), seed).to(self.device)
        run = Fit(
            epochs=self.model.epochs,
            seed=seed,
            key=self.seed_key(seed),
            clip_norm=self.settings.training.clip_norm,
            weight_limit=self.settings.training.weight_limit,
            checkpoint=self.checkpoint(seed),
            on_epoch=listener.on_epoch,
            on_batch=listener.on_batch,
        )
        optimizer = build_optimizer(self.model, self.settings.training, network)
        try:
            state = fit(network, build_loss(self.model, self.settings.recipe_of(self.key)), optimizer, self.train, self.test, run)
        except TrainingFailure as failure:
            seconds = failure.state.seconds if failure.state else ()
            return Outcome(provenance.model_copy(update={"failed": str(failure), "seconds": seconds}), None)
        return Outcome(provenance.model_copy(update={"seconds": state.seconds}), self._finish(seed, state))

    def so_far(self, seed: int) -> Outcome | None:
        """The complete epochs of a seed whose training was interrupted, as a run of so many epochs; None where there are none.

        Its weights are written as those of a finished seed are. Training goes on from the checkpoint all the same.

        Raises:
            CheckpointError: the checkpoint is damaged.
        """
        if not self.checkpoint(seed).exists():
            return None
        state = load_state(self.checkpoint(seed), self.seed_key(seed))
        if len(state.history) > self.model.epochs:  # of more epochs than are asked for now, as in `fit`
            return None
        return Outcome(self.started(seed).model_copy(update={"seconds": state.seconds}), self._finish(seed, state))

    def _finish(self, seed: int, state: TrainingState) -> SeedRecord:
        run_id = self.run_id(seed, len(state.history))
        metadata = {"model": self.key, "architecture": self.model.architecture, "seed": str(seed), "run_id": run_id}
        for which, weights in (("best", state.best_weights), ("final", state.weights)):
            save_weights(self.weights_path(seed, which), weights, metadata)
        return SeedRecord(
            seed=seed,
            run_id=run_id,
            history=state.history,
            confusion=state.confusion,
            best_weights_sha256=checksum(self.weights_path(seed, "best"), "sha256"),
            final_weights_sha256=checksum(self.weights_path(seed, "final"), "sha256"),
        )

    def record(self, outcomes: Sequence[Outcome] = ()) -> ModelRecord:
        """The record of the model with the seeds that have been trained well."""
        recipe = self.settings.recipes[self.model.recipe].model_dump(mode="json")
        shared = self.settings.training.model_dump(mode="json")
        return ModelRecord(
            experiment=self.settings.experiment,
            model=self.key,
            recipe=self.model.recipe,
            settings={**self.model.model_dump(mode="json"), "recipe_settings": recipe, "training": shared},
            data=self.data,
            code=self.code,
            seeds=tuple(outcome.record for outcome in outcomes if outcome.record is not None),
        )

    @staticmethod
    def provenance(outcomes: Sequence[Outcome]) -> Provenance:
        """The provenance of every seed, failed ones too."""
        return Provenance(seeds=tuple(outcome.provenance for outcome in outcomes))
