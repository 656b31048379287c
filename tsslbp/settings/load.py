"""params.yaml -> frozen, validated settings. Every check of a setting happens here, once, before any work starts.

`load_settings` is the border: what it returns is right, so no other module checks a setting again. pydantic does the
checking (strictly: "100" is no number); what it finds is put as "where: what arrived; what is allowed". A file may have a
base that it takes settings from, see `inheritance.py`; what comes out is the same as if it had said all of it.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import Field, ValidationError

from tsslbp.architecture import plan_network
from tsslbp.settings.inherit import BASE, read_with_base
from tsslbp.settings.messages import SettingsError, explain, printable
from tsslbp.settings.schema import (
    Augmentation,
    CountLossSettings,
    Dataset,
    Execution,
    Folders,
    KernelLossSettings,
    Key,
    Model,
    Published,
    Recipe,
    Section,
    Seeds,
    SourceFile,
    Subset,
    Training,
)

__all__ = [
    "CountLossSettings",
    "Dataset",
    "Execution",
    "Folders",
    "KernelLossSettings",
    "Model",
    "Published",
    "Recipe",
    "Settings",
    "SettingsError",
    "SourceFile",
    "Subset",
    "Training",
    "digest",
    "load_settings",
]

T = TypeVar("T")


class Settings(Section):
    """The whole of a params.yaml. `base`: the file that it took settings from, if any."""

    base: Path | None = None
    experiment: str = Field(min_length=1)
    seeds: Seeds
    folders: Folders
    execution: Execution
    training: Training
    recipes: dict[str, Recipe]
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


def digest(value: object) -> str:
    """A short name for any JSON value: the first 32 hex digits of its SHA-256."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _known(mapping: dict[str, T], key: str, what: str) -> T:
    if key not in mapping:
        raise SettingsError(f"unknown {what} {key!r}; allowed: {', '.join(sorted(mapping))}")
    return mapping[key]


def load_settings(path: str | Path) -> Settings:
    """Read and check a params.yaml.

    Raises:
        SettingsError: the file cannot be read, is no YAML, or holds a value that is unknown, missing or impossible.
    """
    path = Path(path)
    raw = read_with_base(path)
    # Loaded by itself, so that what is wrong in the base is told with the base's own name.
    base = None if raw.get(BASE) is None else load_settings(raw[BASE])
    try:
        settings = Settings.model_validate(raw)
    except ValidationError as error:
        raise SettingsError(explain(path, error, Settings)) from None
    problems = [problem for key in settings.models for problem in _model_problems(settings, key)]
    problems += [
        f"published.{key}: no such model; allowed: {', '.join(settings.models)}" for key in settings.published if key not in settings.models
    ]
    if base is not None:
        problems += _shared_folders(settings.folders, base.folders)
    if problems:
        raise SettingsError("\n".join(f"{path}: {printable(problem)}" for problem in problems))
    return settings


def _shared_folders(own: Folders, base: Folders) -> list[str]:
    """The folders in which a file would write over its base's results; the data are shared on purpose."""
    names = [name for name in Folders.model_fields if name != "data" and getattr(own, name) == getattr(base, name)]
    return [f"folders.{name}: got '{getattr(own, name)}', which holds the base's results; choose another" for name in names]


def _model_problems(settings: Settings, key: str) -> Sequence[str]:
    """What is wrong with a model in the light of the other sections."""
    model, where, problems = settings.models[key], f"models.{key}", []
    if model.like is not None and settings.base is None:
        problems.append(f"{where}.like: got {model.like!r}, but this file has no base; name one, as in 'base: ../../params.yaml'")
    if model.recipe not in settings.recipes:
        problems.append(f"{where}.recipe: got {model.recipe!r}; allowed: {', '.join(settings.recipes)}")
    if model.dataset not in settings.datasets:
        return [*problems, f"{where}.dataset: got {model.dataset!r}; allowed: {', '.join(settings.datasets)}"]
    dataset = settings.datasets[model.dataset]
    if dataset.is_events and model.augmentation != Augmentation():
        problems.append(f"{where}.augmentation: moves still images, but datasets.{model.dataset} holds events; leave it out")
    if dataset.time_steps is not None and not 2 <= model.time_steps <= dataset.time_steps:
        problems.append(
            f"{where}.time_steps: got {model.time_steps}; allowed: 2 to {dataset.time_steps}, the steps that datasets.{model.dataset} keeps"
        )
    try:
        plan_network(model.architecture, dataset.shape, dataset.classes, model.padding)
    except ValueError as error:
        problems.append(f"{where}: {error}")
    return problems
