"""The sections of params.yaml and the whole of it: frozen, strict, and with nothing in them that could not be run.

What a single value may be is in fields.py, the sections of a model in model.py and losses.py, reading a file in load.py.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import Field, Strict, model_validator

from tsslbp.settings.dataset import Dataset
from tsslbp.settings.fields import (
    Device,
    Folder,
    Key,
    Line,
    Number,
    Percent,
    Positive,
    Processes,
    RecipeName,
    Samples,
    Section,
    Seeds,
    Share,
    same_place,
)
from tsslbp.settings.messages import SettingsError
from tsslbp.settings.model import Model, Recipe

T = TypeVar("T")


class Folders(Section):
    """Where the pipeline reads and writes, relative to the project's root."""

    data: Folder
    runs: Folder
    checkpoints: Folder
    scratch: Folder
    reports: Folder

    @model_validator(mode="after")
    def _differ(self) -> Self:
        names = list(type(self).model_fields)
        for index, name in enumerate(names):
            for other in names[:index]:
                if same_place(getattr(self, name), getattr(self, other)):
                    raise ValueError(f"{name} and {other} are both '{getattr(self, name)}'; give each a folder of its own")
        return self


class Execution(Section):
    """How to run.

    Nothing here changes what is computed, but bits depend on device, threads and the library of the dense products. With one
    thread per seed and several seeds side by side, machines of every size compute the same bits.

    Attributes:
        device: "auto" is the GPU where there is one.
        threads: CPU threads of one seed; "auto": as many as PyTorch would take.
        parallel: seeds at a time; "auto": cores divided by threads, as far as memory allows, on a cluster as many as it takes.
        engine: where seeds train: "local" is this machine, "ray" a Ray cluster.
        gpu_share: part of a GPU that a seed on a Ray cluster asks for, where it trains on one.
        products: library of the dense products; "auto" is resolved once for a row on a machine, see `method.products.resolve_products`.
        workers: processes that preprocess.
    """

    device: Device = "auto"
    threads: Processes | Literal["auto"] = 1
    parallel: Processes | Literal["auto"] = "auto"
    engine: Literal["local", "ray"] = "local"
    gpu_share: Annotated[float, Strict(), Field(gt=0, le=1)] = 1.0
    products: Literal["auto", "onednn", "blas"] = "auto"
    workers: Processes | Literal["auto"] = "auto"


class Training(Section):
    """What every network of the paper shares: AdamW, clipped gradients, clamped weights."""

    betas: tuple[Share, Share]
    weight_decay: Annotated[Number, Field(ge=0)]
    clip_norm: Positive
    weight_limit: Positive


class Published(Section):
    """A published row: accuracies in percent, and over how many runs and epochs; None where not published."""

    mean: Percent | None
    std: Percent | None
    best: Percent | None
    runs: Samples | None
    epochs: Samples | None = None


class Settings(Section):
    """The whole of a params.yaml. `base`: the file that it took settings from, if any."""

    base: Path | None = None
    experiment: Line
    seeds: Seeds
    folders: Folders
    execution: Execution
    training: Training
    recipes: dict[RecipeName, Recipe]
    models: dict[Key, Model] = Field(min_length=1)
    published: dict[Key, Published]
    datasets: dict[Key, Dataset]

    def model(self, key: str) -> Model:
        """The model of this name; an unknown one is a SettingsError that lists those there are."""
        return _known(self.models, key, "model")

    def dataset(self, key: str) -> Dataset:
        """The dataset of this name; an unknown one is a SettingsError that lists those there are."""
        return _known(self.datasets, key, "dataset")

    def dataset_of(self, key: str) -> Dataset:
        """The dataset that the model of this name is trained on."""
        return self.dataset(self.model(key).dataset)

    def recipe_of(self, key: str) -> Recipe:
        """The recipe that the model of this name follows."""
        return self.recipes[self.model(key).recipe]

    def seeds_of(self, key: str) -> tuple[int, ...]:
        """The seeds of a model: its own where it has some, otherwise those of all."""
        return self.model(key).seeds or self.seeds

    def identity(self, key: str) -> dict[str, Any]:
        """Everything that decides a model's weights, apart from seed, data, code and the number of epochs.

        The epochs are left out because the learning rate is constant: the first hundred epochs of a longer run are
        the shorter run, so a raised number of epochs goes on from the checkpoint. Names are no part of it either: a
        model's `seeds` and what it is `like` are never dumped.
        """
        model = self.model(key)
        dataset = self.dataset(model.dataset)
        return {
            "model": model.model_dump(mode="json", exclude={"epochs", "recipe"}),
            "recipe": self.recipes[model.recipe].model_dump(mode="json"),
            "training": self.training.model_dump(mode="json"),
            "dataset": dataset.model_dump(mode="json", include={"kind", "shape", "classes", "mean", "std", "time_steps", "window_us"}),
        }

    def dataset_settings(self, key: str) -> dict[str, Any]:
        """What a record keeps of the dataset's settings: those of the identity, and all that recordings are binned with.

        Records of before the latter lack `stabilize`, `first_us` and `last_us`, which are in no identity: other ones make other arrays.
        """
        return {**self.identity(key)["dataset"], **self.dataset_of(key).binning}


def _known(mapping: Mapping[str, T], key: str, what: str) -> T:
    if key not in mapping:
        raise SettingsError(f"unknown {what} {key!r}; allowed: {', '.join(sorted(mapping))}")
    return mapping[key]
