"""params.yaml -> frozen, validated settings. Every check of a setting happens here, once, before any work starts.

`load_settings` is the border: what it returns is right, so no other module checks a setting again. pydantic does the
checking (strictly: "100" is not a number); what it finds is put as "where: what arrived; what is allowed". A file may have a
base that it takes settings from, see inherit.py; the result is the same as if it had said all of it.
"""

from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from tsslbp.architecture import plan_network
from tsslbp.settings.fields import same_place
from tsslbp.settings.inherit import BASE, read_with_base
from tsslbp.settings.messages import SettingsError, explain, printable
from tsslbp.settings.model import Augmentation
from tsslbp.settings.schema import Folders, Settings


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
    names = [name for name in Folders.model_fields if name != "data" and same_place(getattr(own, name), getattr(base, name))]
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
    if not dataset.is_events and model.time_steps < 2:
        problems.append(f"{where}.time_steps: got {model.time_steps}; allowed: from 2; docs/guarantees.md, Known faults, says why")
    try:
        plan_network(model.architecture, dataset.shape, dataset.classes, model.padding)
    except ValueError as error:
        problems.append(f"{where}: {error}")
    return problems
