"""One model, all its seeds: from settings and data on disk to finished weights and a record of what was measured.

This is the driver's side: who a run is, where its files lie, and what is written of it. What trains is in seed_training.py.
"""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from tsslbp.data.binning import check_binning, noted_binnings
from tsslbp.data.processed import check_arrays
from tsslbp.memory import check_memory
from tsslbp.method.batches import Splits, load_splits
from tsslbp.method.build import NETWORK, network_options
from tsslbp.method.products import Products, onednn_is_there, resolve_products
from tsslbp.seed_training import SeedTask
from tsslbp.settings import Model, Settings, SettingsError, digest
from tsslbp.storage import meaning
from tsslbp.storage.checkpoints import TrainingState, load_state, save_weights
from tsslbp.storage.files import checksum
from tsslbp.storage.provenance import UNKNOWN, device_name, git_commit, library_versions
from tsslbp.storage.records import DataRecord, ModelRecord, Provenance, SeedProvenance, SeedRecord
from tsslbp.system import memory_of, onednn_takes


def processed_folder(settings: Settings, key: str) -> Path:
    """Where the processed data of a model lie."""
    return settings.folders.data / "processed" / settings.model(key).dataset


def resume(checkpoint: Path, key: str, epochs: int) -> TrainingState | None:
    """The state after the last complete epoch; None where there is none, or one of more epochs than are asked for.

    The weights after fewer epochs than a checkpoint holds are no longer known.

    Args:
        checkpoint: the live checkpoint of a seed.
        key: what it must belong to.
        epochs: how many are asked for.

    Raises:
        CheckpointError: the checkpoint is damaged.
    """
    if not checkpoint.exists():
        return None
    state = load_state(checkpoint, key)
    return state if len(state.history) <= epochs else None


@dataclass(frozen=True)
class Outcome:
    """How one seed ended: `record` is None where it failed."""

    provenance: SeedProvenance
    record: SeedRecord | None


@dataclass(frozen=True)
class ModelRun:
    """A model with its data loaded, ready to train its seeds."""

    settings: Settings
    key: str
    device: torch.device
    splits: Splits
    data: DataRecord
    code: str
    products: Products

    @classmethod
    def open(cls, settings: Settings, key: str, device: torch.device) -> "ModelRun":
        """Load the preprocessed data of a model; PyTorch has its threads already, see `numerics.prepare_device`.

        A row whose `execution.products` is "auto" goes on with the library that it began with, whatever this processor prefers.

        Raises:
            SettingsError: the network is larger than the memory, or this processor lacks its products.
            ValueError: the data are missing, damaged or known to be binned with other settings, or the library that the settings name is
                not there.
        """
        check_memory(settings, key, memory_of(device))
        model, dataset, folder = settings.model(key), settings.dataset_of(key), processed_folder(settings, key)
        splits, data = load_splits(folder, dataset, model)
        check_arrays(folder, data)
        check_binning(folder, dataset, noted_binnings(folder, data), model.dataset)
        products = resolve_products(settings.execution.products)
        if products == "onednn" and device.type == "cpu" and not onednn_takes(model.precision):
            raise SettingsError(
                f"execution.products: got 'onednn', which has no {model.precision} on this processor, the precision of {key}; set auto or blas"
            )
        run = cls(settings, key, device, splits, data, meaning.code_meaning(model.loss.kind, device.type), products)
        return run._as_it_began() if settings.execution.products == "auto" else run

    def _as_it_began(self) -> "ModelRun":
        """The same with the other library of products, where it began with that on another processor and has not begun with this one."""
        other = replace(self, products="blas" if self.products == "onednn" else "onednn")
        is_here = other.products == "blas" or (onednn_is_there() and onednn_takes(self.model.precision))
        return other if is_here and other._has_begun and not self._has_begun else self

    @property
    def _has_begun(self) -> bool:
        return any(self.checkpoint(0).parent.glob("seed-*.pt"))

    @property
    def model(self) -> Model:
        """The model's settings."""
        return self.settings.models[self.key]

    @property
    def identity(self) -> dict[str, Any]:
        """All that decides the weights, apart from seed and epochs."""
        where = {"device": self.device.type, "threads": torch.get_num_threads(), "torch": torch.__version__, "products": self.products}
        return {**self.settings.identity(self.key), "data": [self.data.checksum, self.data.arrays], "code": self.code, "where": where}

    def task(self, seed: int) -> SeedTask:
        """What trains one seed."""
        settings, key = self.settings, self.key
        return SeedTask(
            model=self.model,
            recipe=settings.recipe_of(key),
            training=settings.training,
            dataset=settings.dataset_of(key),
            seed=seed,
            device=str(self.device),
            threads=torch.get_num_threads(),
            products=self.products,
        )

    def run_id(self, seed: int, epochs: int | None = None) -> str:
        """The run's own id: equal for equal experiment, settings, data, code, seed and epochs (None: those of the settings)."""
        return digest([self.settings.experiment, self.key, self.identity, seed, epochs or self.model.epochs])

    def seed_key(self, seed: int) -> str:
        """What a checkpoint belongs to."""
        return digest([self.identity, seed])

    def checkpoint(self, seed: int) -> Path:
        """Where the live checkpoint of a seed lies."""
        return self.settings.folders.scratch / self.key / digest(self.identity) / f"seed-{seed}.pt"

    def live_provenance(self, seed: int) -> Path:
        """Where it is noted how the epochs of a live checkpoint came about, see live_provenance.py."""
        return self.checkpoint(seed).with_suffix(".json")

    def weights_path(self, seed: int, which: str) -> Path:
        """Where the "best" or "final" weights of a seed go."""
        return self.settings.folders.checkpoints / self.key / f"seed-{seed}-{which}.safetensors"

    @property
    def device_name(self) -> str:
        """What this process's device is, for a reader."""
        return device_name(str(self.device))

    def started(self, seed: int, device: str | None = None) -> SeedProvenance:
        """The provenance of a seed that starts now, on this device; None: on this process's."""
        return SeedProvenance(
            seed=seed,
            started=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            git_commit=git_commit(Path.cwd()),
            device=device or self.device_name,
            threads=torch.get_num_threads(),
            products=self.products,
            versions=library_versions(),
            seconds=(),
        )

    def unknown_start(self, seed: int, state: TrainingState) -> SeedProvenance:
        """The provenance of a checkpoint beside which nothing is noted: what it tells itself, and nothing of this process."""
        # It was written after its last epoch, so the seed began at least so much earlier.
        began = self.checkpoint(seed).stat().st_mtime - sum(state.seconds)
        versions = library_versions()
        return SeedProvenance(
            seed=seed,
            started=datetime.datetime.fromtimestamp(began, datetime.UTC).isoformat(timespec="seconds"),
            git_commit=UNKNOWN,
            device=f"{self.device.type}, {UNKNOWN}",
            threads=torch.get_num_threads(),
            products=self.products,
            versions={**dict.fromkeys(versions, UNKNOWN), "torch": versions["torch"]},  # PyTorch's is a part of the identity
            seconds=(),
        )

    def state(self, seed: int) -> TrainingState | None:
        """The state after the last complete epoch of a seed, see `resume`."""
        return resume(self.checkpoint(seed), self.seed_key(seed), self.model.epochs)

    def finished(self, provenance: SeedProvenance, state: TrainingState) -> Outcome:
        """Write the weights of a seed after its last epoch, and say what it came to."""
        seed = provenance.seed
        run_id = self.run_id(seed, len(state.history))
        metadata = {
            "model": self.key,
            "architecture": self.model.architecture,
            "seed": str(seed),
            "run_id": run_id,
            NETWORK: network_options(self.model, self.settings.recipe_of(self.key), self.settings.dataset_of(self.key)),
        }
        for which, weights in (("best", state.best_weights), ("final", state.weights)):
            save_weights(self.weights_path(seed, which), weights, metadata)
        record = SeedRecord(
            seed=seed,
            run_id=run_id,
            history=state.history,
            confusion=state.confusion,
            best_weights_sha256=checksum(self.weights_path(seed, "best"), "sha256"),
            final_weights_sha256=checksum(self.weights_path(seed, "final"), "sha256"),
        )
        return Outcome(provenance.model_copy(update={"failed": None, "run_id": None, "seconds": state.seconds}), record)

    def failed(self, provenance: SeedProvenance, message: str, state: TrainingState | None) -> Outcome:
        """The outcome of a seed whose numbers went wrong after this state."""
        seconds, run_id = state.seconds if state else (), self.run_id(provenance.seed)
        return Outcome(provenance.model_copy(update={"failed": message, "run_id": run_id, "seconds": seconds}), None)

    def record(self, outcomes: Sequence[Outcome] = ()) -> ModelRecord:
        """The record of the model with the seeds that have been trained well."""
        recipe = self.settings.recipe_of(self.key).model_dump(mode="json")
        shared = self.settings.training.model_dump(mode="json")
        return ModelRecord(
            experiment=self.settings.experiment,
            model=self.key,
            recipe=self.model.recipe,
            settings={
                **self.model.model_dump(mode="json"),
                "recipe_settings": recipe,
                "training": shared,
                "dataset_settings": self.settings.dataset_settings(self.key),
            },
            data=self.data,
            code=self.code,
            seeds=tuple(outcome.record for outcome in outcomes if outcome.record is not None),
        )

    @staticmethod
    def provenance(outcomes: Sequence[Outcome]) -> Provenance:
        """The provenance of every seed, failed ones too."""
        return Provenance(seeds=tuple(outcome.provenance for outcome in outcomes))
