"""What a training run measured: the fields of its record, which `record_files.py` keeps as files in git."""

from typing import Any

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """Base of what is stored: frozen, and unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Epoch(Record):
    """What one epoch of one seed measured.

    Attributes:
        epoch: counted from 1.
        train_loss: mean over the epoch's samples of the loss, summed over classes and steps.
        train_accuracy: percent, counted during the epoch, while the weights change.
        test_accuracy: percent, after the epoch.
        firing_rates: spikes per neuron and step, mean over the test set, one value per layer with neurons.
        test_loss: mean over the test samples of the loss; None in records older than this field.
        held_out_accuracy: percent of the held-out training samples; None where the epoch is chosen on test data.
        input_rate: ones per input cell and step, mean over the test set; None for still images.
        measures: further numbers by name, see tsslbp/measures.py.
    """

    epoch: int
    train_loss: float
    train_accuracy: float
    test_accuracy: float
    firing_rates: tuple[float, ...]
    test_loss: float | None = None
    held_out_accuracy: float | None = None
    input_rate: float | None = None
    measures: dict[str, float] = {}

    @property
    def selected_on(self) -> float:
        """The accuracy that chooses the best epoch: on held-out training samples where there are some, otherwise on test data."""
        return self.test_accuracy if self.held_out_accuracy is None else self.held_out_accuracy


class SeedRecord(Record):
    """One finished run: one model, one seed. `confusion[i][j]`: test samples of class i that were taken for j, after the last epoch."""

    seed: int
    run_id: str
    history: tuple[Epoch, ...]
    confusion: tuple[tuple[int, ...], ...]
    best_weights_sha256: str
    final_weights_sha256: str

    @property
    def best(self) -> float:
        """Test accuracy at the best epoch, percent; in the reference's protocol that epoch is chosen on test data."""
        return self.history[self.best_epoch - 1].test_accuracy

    @property
    def best_epoch(self) -> int:
        """The first epoch with the best accuracy, see `Epoch.selected_on`."""
        return max(self.history, key=lambda epoch: epoch.selected_on).epoch

    @property
    def final(self) -> float:
        """Test accuracy after the last epoch, percent."""
        return self.history[-1].test_accuracy


class DataRecord(Record):
    """The data that a model was trained on.

    Attributes:
        dataset: its key in params.yaml.
        title: its name for a reader.
        checksum: checksum of the raw files.
        train_samples: number of training samples.
        test_samples: number of test samples.
        subset: why its numbers are not the protocol's; empty for the official data.
        arrays: checksum of the processed arrays, so that other preprocessing is other data.
        shape: channels, height and width of an image or of a frame of events; empty in records that are older than the field.
        classes: number of labels; 0 in such records.
        empty_recordings: samples without an event in the steps that are kept; 0 for images.
    """

    dataset: str
    title: str
    checksum: str
    train_samples: int
    test_samples: int
    subset: tuple[str, ...] = ()
    arrays: str = ""
    shape: tuple[int, int, int] | tuple[()] = ()
    classes: int = 0
    empty_recordings: int = 0


class ModelRecord(Record):
    """All seeds of one model.

    `settings` is the model's section of params.yaml, with its recipe's under "recipe_settings", the shared ones under "training", and of
    its dataset's under "dataset_settings" what decides the weights; records of before 2026-11-29 lack the last, and those of before
    2026-11-30 what recordings are binned with, apart from their steps.
    """

    experiment: str
    model: str
    recipe: str
    settings: dict[str, Any]
    data: DataRecord
    code: str
    seeds: tuple[SeedRecord, ...]


class SeedProvenance(Record):
    """How one run went: `seconds` holds the duration of every epoch, `failed` what went wrong, if anything did.

    `products` is the library of the dense products; None in records older than this field. `run_id` is that of a run that failed, whose
    seed has no other record; None where it did not, and in older records.
    """

    seed: int
    started: str
    git_commit: str
    device: str
    threads: int
    versions: dict[str, str]
    seconds: tuple[float, ...]
    failed: str | None = None
    products: str | None = None
    run_id: str | None = None


class Provenance(Record):
    """When, where and with what the seeds of a model ran."""

    seeds: tuple[SeedProvenance, ...]
