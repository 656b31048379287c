"""What a training is a training of: settings, data and code, as they are now, to be compared with what they were."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from stages.common import tracking_folder, warn
from tsslbp.data.binning import Binning, check_binning, noted_binnings
from tsslbp.data.processed import load_record
from tsslbp.settings import Dataset, Settings, load_settings
from tsslbp.storage import meaning
from tsslbp.storage.records import ModelRecord, Provenance


def refuse_outdated_meaning(params: Path, settings: Settings, key: str) -> None:
    """Raise a MeaningError where meaning.json names other code than there is: DVC would file the results under that name."""
    if key in meaning.outdated(params, settings):
        raise meaning.MeaningError(_outdated(params))


def warn_of_outdated_meaning(params: Path, settings: Settings) -> None:
    """Print a warning where meaning.json names other code than there is, so that `dvc status` calls trainings up to date that are not."""
    if meaning.outdated(params, settings):
        warn(_outdated(params))


def _outdated(params: Path) -> str:
    return f"{params.with_name(meaning.FILE_NAME)} is of other code, or of another execution.device, than there is now; write it anew: {meaning.remedy(params)}"


def refuse_other_binning(params: Path, settings: Settings, key: str) -> None:
    """Raise a ValueError where the recordings here are in no note, see tsslbp/data/binning.py, and dvc.lock knows other settings of them.

    So those that DVC fetched or that are older than the notes are looked at, too.
    """
    name, dataset = settings.model(key).dataset, settings.dataset_of(key)
    folder = settings.folders.data / "processed" / name
    if dataset.is_events and folder.exists() and not noted_binnings(folder, load_record(folder)):
        check_binning(folder, dataset, _locked_binnings(tracking_folder(settings, params) / "dvc.lock", name), name)


def _locked_binnings(lock: Path, name: str) -> list[Binning]:
    """The settings that a dvc.lock has of the last preprocessing of a dataset; empty where it has none that can be read."""
    try:
        watched = YAML(typ="safe", pure=True).load(lock)["stages"][f"preprocess@{name}"]["params"].values()
        return [Dataset.model_validate(values[f"datasets.{name}"]).binning for values in watched]
    except (OSError, YAMLError, ValueError, LookupError, TypeError, AttributeError):
        return []  # what is wrong with the file is DVC's to tell


def conditions(settings: Settings, key: str, device: str) -> dict[str, Any]:
    """Return everything that decides what a training gives and that DVC watches, by its place in the project."""
    model = settings.model(key)
    folder = settings.folders.data / "processed" / model.dataset
    sections = {
        f"models.{key}": model.model_dump(mode="json"),
        f"recipes.{model.recipe}": settings.recipe_of(key).model_dump(mode="json"),
        "training": settings.training.model_dump(mode="json"),
        f"datasets.{model.dataset}": settings.dataset_settings(key),
    }
    said = {f"{section}.{name}": value for section, values in sections.items() for name, value in values.items()}
    data = load_record(folder) if folder.exists() else None
    found = {str(folder): [data.checksum, data.arrays]} if data else {}
    return {**said, "seeds": list(settings.seeds_of(key)), **found, **meaning.file_meanings(model.loss.kind, device)}


def changed_since(before: Mapping[str, Any], params: Path, key: str, device: str) -> list[str]:
    """Return what is different from `before`, read anew, a phrase for each."""
    try:
        now = conditions(load_settings(params), key, device)
    except ValueError as error:
        return [str(error)]
    return [_difference(name, before.get(name), now.get(name)) for name in {**before, **now} if before.get(name) != now.get(name)]


def _difference(name: str, before: Any, now: Any) -> str:
    return name if "/" in name else f"{name}, which was {before} and is {now}"


def departures(settings: Settings, key: str, record: ModelRecord, provenance: Provenance) -> list[str]:
    """Return in what a record is not one of the present settings, data and code."""
    now = conditions(settings, key, "cpu")
    # A setting that is new since says nothing against it, nor do data that are not here.
    found = [name for name, value in _recorded(settings, key, record).items() if now.get(name, value) != value]
    if {seed.seed for seed in provenance.seeds} != set(settings.seeds_of(key)):
        found.append("seeds")
    if not meaning.is_present(record, provenance):
        found.append("the code")
    return found


def _recorded(settings: Settings, key: str, record: ModelRecord) -> dict[str, Any]:
    """What a record says of its conditions, under the same names."""
    model = settings.model(key)
    said = dict(record.settings)
    sections = {
        f"recipes.{model.recipe}": said.pop("recipe_settings", {}),
        "training": said.pop("training", {}),
        f"datasets.{model.dataset}": said.pop("dataset_settings", {}),
        f"models.{key}": said,
    }
    flat = {f"{section}.{name}": value for section, values in sections.items() for name, value in values.items()}
    return {**flat, str(settings.folders.data / "processed" / model.dataset): [record.data.checksum, record.data.arrays]}
