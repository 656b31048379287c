"""What a row says of itself beside its numbers: how its runs differ from the protocol, and what else a reader should know."""

from tsslbp.report.frame import Measured
from tsslbp.report.origin import Origin
from tsslbp.report.statistics import Comparison, check_published
from tsslbp.settings import Published, Settings
from tsslbp.storage.records import ModelRecord

SUBSET = "subset of the data"
MORE_EPOCHS = "more epochs to choose from than the published runs"
OTHER_SETTINGS = "other settings than params.yaml has now"
OLDER_CODE = "measured with an older state of the method's code"
HINGES_ON_ROUNDING = "the verdict hinges on how the published numbers were rounded"


def names_settings(departure: str) -> bool:
    """Whether this departure is about settings that changed."""
    return departure.startswith(OTHER_SETTINGS)


def missing_seeds(ran: int, asked: int) -> str:
    """The departure of a row with fewer seeds than the protocol has."""
    return f"{ran} of {asked} seeds"


def departures_of(settings: Settings, key: str, record: ModelRecord, measured: Measured | None, asked: tuple[int, int]) -> tuple[str, ...]:
    """How the runs of a model differ from the protocol; `asked`: its seeds and epochs."""
    found: list[str] = []
    if record.data.subset:
        found.append(f"{SUBSET}: {', '.join(record.data.subset)}")
    if len(record.seeds) < asked[0]:
        found.append(missing_seeds(len(record.seeds), asked[0]))
    if measured and measured.epochs < asked[1]:
        span = f"{measured.epochs}" if measured.epochs == measured.longest else f"{measured.epochs} to {measured.longest}"
        found.append(f"{span} of {asked[1]} epochs")
    published = settings.published[key].epochs if key in settings.published else None
    if measured and published and measured.longest > published:
        found.append(f"{MORE_EPOCHS}: {measured.longest} instead of {published}")
    if record.settings.get("selection") == "held-out":
        found.append("epoch chosen on held-out training samples")
    if changed := _changed_settings(settings, key, record):
        found.append(f"{OTHER_SETTINGS}: {', '.join(changed)}")
    return tuple(found)


def _changed_settings(settings: Settings, key: str, record: ModelRecord) -> list[str]:
    """Names of the settings that were changed since the runs; epochs, and fewer seeds than are asked for, have a note of their own."""
    model, recorded = settings.model(key), record.settings
    recipe, shared = settings.recipes[model.recipe].model_dump(mode="json"), settings.training.model_dump(mode="json")
    of_data = recorded.get("dataset_settings", {})  # older records have fewer of them, and say nothing of the others
    scaling = {name: value for name, value in settings.dataset_settings(key).items() if name in of_data}
    now = {**model.model_dump(mode="json"), "recipe_settings": recipe, "training": shared, "dataset_settings": scaling}
    changed = [name for name, value in now.items() if name != "epochs" and name in recorded and recorded[name] != value]
    return [*changed, *([] if {seed.seed for seed in record.seeds} <= set(settings.seeds_of(key)) else ["seeds"])]


def remarks_on(published: Published, comparison: Comparison, origin: Origin) -> list[str]:
    """What a reader of the row should know beside how its runs differ."""
    found: list[str] = []
    if origin.is_present_code is False:
        found.append(OLDER_CODE)
    if comparison.verdict not in ("not run", "nothing published") and (published.mean is None or published.std is None):
        found.append("no published mean and stddev to compare with")
    if comparison.hinges_on_rounding:
        found.append(HINGES_ON_ROUNDING)
    check = check_published(published)
    if check and not check.possible:
        found.append(f"published best {published.best:.2f} cannot belong to mean {published.mean:.2f} and stddev {published.std:.2f}")
    return found
