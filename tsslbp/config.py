"""params.yaml -> frozen, validated settings. Every check of a setting happens here, once, before any work starts.

`load_settings` is the border: what it returns is right, so no other module checks a setting again. pydantic does the
checking (strictly: "100" is no number); what it finds is put as "where: what arrived; what is allowed".
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import Field, ValidationError, field_validator

from tsslbp import notation
from tsslbp.sections import (
    CountLossSettings,
    Dataset,
    Execution,
    Folders,
    KernelLossSettings,
    Key,
    Model,
    Natural,
    Published,
    Recipe,
    Section,
    SourceFile,
    Subset,
    Training,
)
from tsslbp.settings_file import UniqueKeyLoader, explain, shown

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


class SettingsError(ValueError):
    """A setting that is unknown, missing or impossible; the message says which, what is allowed and where."""


class Settings(Section):
    """The whole of a params.yaml."""

    experiment: str = Field(min_length=1)
    seeds: tuple[Natural, ...] = Field(min_length=1)
    folders: Folders
    execution: Execution
    training: Training
    recipes: dict[str, Recipe]
    models: dict[Key, Model] = Field(min_length=1)
    published: dict[Key, Published]
    datasets: dict[Key, Dataset]

    @field_validator("seeds")
    @classmethod
    def _seeds_differ(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        twice = sorted({seed for seed in seeds if seeds.count(seed) > 1})
        if twice:
            raise ValueError(f"{', '.join(map(str, twice))} stands there more than once; every seed is one run")
        return seeds

    def model(self, key: str) -> Model:
        """The model of this name; an unknown one is a SettingsError that lists those there are."""
        return _known(self.models, key, "model")

    def dataset(self, key: str) -> Dataset:
        """The dataset of this name; an unknown one is a SettingsError that lists those there are."""
        return _known(self.datasets, key, "dataset")

    def identity(self, key: str) -> dict[str, Any]:
        """Everything that decides a model's weights, apart from seed, data, code and the number of epochs.

        The epochs are left out because the learning rate is constant: the first hundred epochs of a longer run are
        the shorter run, so a raised number of epochs goes on from the checkpoint.
        """
        model = self.model(key)
        dataset = self.dataset(model.dataset)
        return {
            "model": model.model_dump(mode="json", exclude={"epochs", "recipe"}),
            "recipe": self.recipes[model.recipe].model_dump(mode="json"),
            "training": self.training.model_dump(mode="json"),
            "dataset": dataset.model_dump(
                mode="json", include={"kind", "shape", "classes", "mean", "std", "augmentation", "time_steps", "window_us"}
            ),
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
    try:
        raw = yaml.load(path.read_text(encoding="utf-8"), Loader=UniqueKeyLoader)  # noqa: S506 - a SafeLoader
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: cannot be read: {error}") from None
    except (yaml.YAMLError, RecursionError, ValueError, LookupError, AttributeError, TypeError) as error:
        # PyYAML lets out what its conversions raise: ValueError for the date 2001-99-99, KeyError for "!!bool x".
        raise SettingsError(f"{path}: is no valid YAML: {error}") from None
    if not isinstance(raw, dict):
        raise SettingsError(f"{path}: expected sections such as 'models:', found {shown(raw)}")
    try:
        settings = Settings.model_validate(raw)
    except ValidationError as error:
        raise SettingsError(explain(path, error, Settings)) from None
    problems = [problem for key in settings.models for problem in _model_problems(settings, key)]
    problems += [
        f"published.{key}: no such model; allowed: {', '.join(settings.models)}" for key in settings.published if key not in settings.models
    ]
    if problems:
        raise SettingsError("\n".join(f"{path}: {problem}" for problem in problems))
    return settings


def _model_problems(settings: Settings, key: str) -> Sequence[str]:
    """What is wrong with a model in the light of the other sections."""
    model, where, problems = settings.models[key], f"models.{key}", []
    if model.recipe not in settings.recipes:
        problems.append(f"{where}.recipe: got {model.recipe!r}; allowed: {', '.join(settings.recipes)}")
    if model.dataset not in settings.datasets:
        return [*problems, f"{where}.dataset: got {model.dataset!r}; allowed: {', '.join(settings.datasets)}"]
    dataset = settings.datasets[model.dataset]
    if dataset.time_steps is not None and not 2 <= model.time_steps <= dataset.time_steps:
        problems.append(
            f"{where}.time_steps: got {model.time_steps}; allowed: 2 to {dataset.time_steps}, the steps that datasets.{model.dataset} keeps"
        )
    try:
        notation.plan(model.architecture, dataset.shape, dataset.classes, model.padding)
    except ValueError as error:
        problems.append(f"{where}: {error}")
    return problems
