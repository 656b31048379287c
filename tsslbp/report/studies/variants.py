"""What the models of a study have in common: of which model they are variants, what differs, and runs of equal extent."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from tsslbp.report.origin import Run
from tsslbp.settings import Settings
from tsslbp.storage.records import SeedRecord


def groups(study: Settings) -> dict[str, list[str]]:
    """The models of a study by the base's model that they are like, both in the order of the settings."""
    found: dict[str, list[str]] = {}
    for key, model in study.models.items():
        if model.like is not None:
            found.setdefault(model.like, []).append(key)
    return found


def changed(study: Settings, keys: Iterable[str], base: Settings, like: str) -> list[str]:
    """Names of the settings that decide the weights and that any of these models has otherwise than the base's."""
    before = _flat(base.identity(like))
    return list(dict.fromkeys(name for key in keys for name, value in _flat(study.identity(key)).items() if before.get(name) != value))


def described(settings: Settings, key: str, names: Sequence[str]) -> str:
    """Settings of a model with their values, named as in params.yaml: "gradient 2020-10, tau_s 2"."""
    values = _flat(settings.identity(key))
    return ", ".join(f"{name.rpartition('.')[2]} {_shown(values[name])}" for name in names if name in values)


def variant_names(study: Settings, keys: Sequence[str], base: Settings, like: str) -> dict[str, str]:
    """What each model of a group is called beside the base's, "" for one that is the base's.

    By its recipe, with its differing settings where another has the same recipe; by these alone where the recipe is the base's.
    """
    names: dict[str, str] = {}
    recipes = [base.model(like).recipe, *(study.model(key).recipe for key in keys)]
    for key in keys:
        recipe = study.model(key).recipe
        settings = described(study, key, changed(study, [key], base, like))
        alone = recipe if recipes.count(recipe) == 1 else f"{recipe}, {settings}"
        names[key] = settings if not settings or recipe == base.model(like).recipe else alone
    return names


def _flat(section: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in section.items():
        flat.update(_flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {f"{prefix}{name}": value})
    return flat


def _shown(value: object) -> str:
    if isinstance(value, list):
        return ",".join(map(_shown, value))
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def longest(study: Settings, runs: Mapping[str, Run], others: Iterable[tuple[Settings, Mapping[str, Run]]]) -> dict[str, Run]:
    """The runs of a study, each in place of which another study has a longer one of the very same training by that.

    Two lengths of one training would otherwise give two answers to one question, and the shorter one is no more than a first look.
    """
    found = dict(runs)
    for settings, theirs in others:
        for key, run in theirs.items():
            twin = next((own for own in study.models if study.identity(own) == settings.identity(key)), None)
            if twin is not None and twin in found and _outdoes(run, found[twin]):
                own_seeds = cut(run, study.seeds_of(twin), max(len(seed.history) for seed in run[0].seeds)) or run
                found[twin] = _named_as(own_seeds, twin, study.model(twin).recipe)
    return found


def _named_as(run: Run, key: str, recipe: str) -> Run:
    """A run under the names that another study has for its model and for a recipe of the same settings."""
    record, provenance = run
    return record.model_copy(update={"model": key, "recipe": recipe, "settings": {**record.settings, "recipe": recipe}}), provenance


def _outdoes(run: Run, shorter: Run) -> bool:
    """Whether it has all seeds of another run, of the same data and code, with more epochs each; none has more than nothing."""
    (record, _), (other, _) = run, shorter
    if not record.seeds:
        return False
    epochs = {seed.seed: len(seed.history) for seed in record.seeds}
    return (record.data.checksum, record.code) == (other.data.checksum, other.code) and all(
        epochs.get(seed.seed, 0) > len(seed.history) for seed in other.seeds
    )


def extent_of(study: Settings, keys: Sequence[str], runs: Mapping[str, Run]) -> tuple[set[int], int]:
    """The seeds that a study asks for of some models, and the epochs of their longest run, beside which the base's is cut; before any run, those asked for."""
    ran = [len(seed.history) for key in keys if key in runs for seed in runs[key][0].seeds]
    return {seed for key in keys for seed in study.seeds_of(key)}, max(ran or [study.model(key).epochs for key in keys])


def cut(run: Run | None, seeds: Collection[int], epochs: int) -> Run | None:
    """The first epochs of some seeds of a run; None where none of these seeds was run.

    The learning rate is constant and every epoch's random choices derive from the seed alone, so these epochs are those of
    a shorter run to the last bit, and its settings ask for no more. The confusion matrices stay those of the last epoch.
    """
    if run is None:
        return None
    record, provenance = run
    kept = tuple(seed.model_copy(update={"history": seed.history[:epochs]}) for seed in record.seeds if seed.seed in seeds)
    origins = tuple(seed.model_copy(update={"seconds": seed.seconds[:epochs]}) for seed in provenance.seeds if seed.seed in seeds)
    if not kept:
        return None
    settings = record.settings | {"epochs": min(epochs, record.settings.get("epochs", epochs))}
    return record.model_copy(update={"seeds": kept, "settings": settings}), provenance.model_copy(update={"seeds": origins})


def shortened(run: Run, seeds: Collection[int], epochs: int) -> tuple[SeedRecord, ...]:
    """The seeds of `cut`, none where it leaves none."""
    found = cut(run, seeds, epochs)
    return found[0].seeds if found else ()
