"""params.yaml -> frozen, validated settings. Every check of a setting happens here, once, before any work starts.

`load_settings` is the border: what it returns is right, so no other module checks a setting again. pydantic does the
checking (strictly: "100" is no number); what it finds is put as "where: what arrived; what is allowed".
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Strict,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)

from tsslbp import notation

Key = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_.-]*$")]
Md5 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
FileName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
Count = Annotated[int, Strict(), Field(ge=1)]
Natural = Annotated[int, Strict(), Field(ge=0)]
Number = Annotated[float, Strict(), Field(allow_inf_nan=False)]
Positive = Annotated[float, Strict(), Field(gt=0, allow_inf_nan=False)]
TimeConstant = Annotated[float, Strict(), Field(ge=1, allow_inf_nan=False)]
Percent = Annotated[float, Strict(), Field(ge=0, le=100)]
# YAML reads the network 400 as a number
Architecture = Annotated[str, BeforeValidator(lambda value: str(value) if type(value) is int else value)]
Spike = Annotated[int, Strict(), Field(ge=0, le=1)]


T = TypeVar("T")


class SettingsError(ValueError):
    """A setting that is unknown, missing or impossible; the message says which, what is allowed and where."""


class Section(BaseModel):
    """A part of params.yaml: frozen, and unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Folders(Section):
    """Where the pipeline reads and writes, relative to the project's root."""

    data: Path
    runs: Path
    checkpoints: Path
    scratch: Path
    reports: Path


class Execution(Section):
    """How to run; nothing here changes what is computed, except that bits depend on device and thread count."""

    device: Annotated[str, StringConstraints(pattern=r"^(auto|cpu|cuda(:\d+)?)$")] = "auto"
    threads: Count | Literal["auto"] = "auto"
    workers: Count | Literal["auto"] = "auto"


class Training(Section):
    """What every network of the paper shares: AdamW, clipped gradients, clamped weights."""

    betas: tuple[Annotated[Number, Field(ge=0, lt=1)], Annotated[Number, Field(ge=0, lt=1)]]
    weight_decay: Annotated[Number, Field(ge=0)]
    clip_norm: Positive
    weight_limit: Positive


class Recipe(Section):
    """A named state of the method: which gradient, which target, which initial weights."""

    gradient: Literal["2021-03", "2020-10", "surrogate", "no-warmup", "no-intra"]
    target_filterings: Annotated[int, Strict(), Field(ge=0, le=2)]
    convolution_init: Literal["uniform", "kaiming_normal"]


class KernelLossSettings(Section):
    """Match a desired spike train, seen through the synapse; see `losses.KernelLoss`."""

    kind: Literal["kernel"]
    desired_train: tuple[Spike, ...] = Field(min_length=1)


class CountLossSettings(Section):
    """Match desired spike counts; see `losses.CountLoss`."""

    kind: Literal["count"]
    desired_count: Annotated[Number, Field(ge=0)]
    undesired_count: Annotated[Number, Field(ge=0)]


class Model(Section):
    """One row of the tables: a network, its data and how it is trained."""

    dataset: str
    recipe: str
    architecture: Architecture
    padding: Natural | tuple[Natural, ...]
    time_steps: Count
    tau_m: TimeConstant
    tau_s: TimeConstant
    threshold: Positive
    conv_gain: Positive
    dropout: Annotated[Number, Field(ge=0, lt=1)]
    dropout_mask: Literal["row", "neuron"] = "row"
    loss: KernelLossSettings | CountLossSettings = Field(discriminator="kind")
    learning_rate: Positive
    batch_size: Count
    epochs: Count
    precision: Literal["float32", "bf16"] = "float32"

    @model_validator(mode="after")
    def _desired_train_covers_the_time(self) -> Self:
        if isinstance(self.loss, KernelLossSettings) and len(self.loss.desired_train) != self.time_steps:
            raise ValueError(
                f"loss.desired_train has {len(self.loss.desired_train)} steps, but time_steps is {self.time_steps}; give one 0 or 1 for every step"
            )
        return self


class Subset(Section):
    """A file that is accepted in place of the official one; every number from it is labelled with `note`."""

    md5: Md5
    note: str = Field(min_length=1)


class SourceFile(Section):
    """One file of a dataset: its name, checksum and where it can be had, in the order to try."""

    name: FileName
    md5: Md5
    urls: tuple[Annotated[str, StringConstraints(pattern=r"^https?://\S+$")], ...]
    subsets: tuple[Subset, ...] = ()


class Dataset(Section):
    """A dataset: its files, shape and the way its values are scaled."""

    title: str
    kind: Literal["idx", "cifar", "events", "digits", "simulated-events"]
    shape: tuple[Count, Count, Count]
    classes: Annotated[int, Strict(), Field(ge=2)]
    class_names: tuple[str, ...] = ()
    train_samples: Count
    test_samples: Count
    files: tuple[SourceFile, ...] = ()
    mean: tuple[Number, ...] = ()
    std: tuple[Positive, ...] = ()
    augmentation: Literal["none", "crop-flip"] = "none"
    time_steps: Annotated[int, Strict(), Field(ge=2, le=4096)] | None = None
    window_us: Count | None = None

    @property
    def is_events(self) -> bool:
        """Whether samples are recordings of events, not still images."""
        return self.kind in ("events", "simulated-events")

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        if self.class_names and len(self.class_names) != self.classes:
            raise ValueError(f"class_names has {len(self.class_names)} names for {self.classes} classes; give one each, or none")
        if self.is_events:
            if self.time_steps is None or self.window_us is None or self.mean or self.std or self.augmentation != "none":
                raise ValueError("a dataset of events needs time_steps and window_us, and has no mean, std or augmentation")
            if self.shape[0] != 2:
                raise ValueError(f"shape {list(self.shape)}: events have 2 channels, one a polarity")
        elif not len(self.mean) == len(self.std) == self.shape[0] or self.time_steps or self.window_us:
            raise ValueError(
                f"a dataset of images needs one mean and one std for each of its {self.shape[0]} channels, and has no time_steps or window_us"
            )
        return self


class Published(Section):
    """A published row: accuracies in percent, and over how many runs and epochs; None where not published."""

    mean: Percent | None
    std: Percent | None
    best: Percent | None
    runs: Count | None
    epochs: Count | None = None


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
        raw = yaml.load(path.read_text(encoding="utf-8"), Loader=_UniqueKeyLoader)  # noqa: S506 - a SafeLoader
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: cannot be read: {error}") from None
    except (yaml.YAMLError, RecursionError, ValueError, LookupError, AttributeError, TypeError) as error:
        # PyYAML lets out what its conversions raise: ValueError for the date 2001-99-99, KeyError for "!!bool x".
        raise SettingsError(f"{path}: is no valid YAML: {error}") from None
    if not isinstance(raw, dict):
        raise SettingsError(f"{path}: expected sections such as 'models:', found {_shown(raw)}")
    try:
        settings = Settings.model_validate(raw)
    except ValidationError as error:
        raise SettingsError(_explain(path, error)) from None
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


def _explain(path: Path, error: ValidationError) -> str:
    """pydantic's findings, a line each: where, what arrived, what is allowed."""
    lines = []
    for item in error.errors():
        where = ".".join(str(part) for part in item["loc"] if not _names_a_choice(part)) or "top level"
        if item["type"] == "extra_forbidden":
            lines.append(f"{path}: {where}: unknown setting; allowed here: {', '.join(_allowed_keys(item['loc']))}")
        elif item["type"] == "missing":
            lines.append(f"{path}: {where}: missing")
        else:
            message = item["msg"].removeprefix("Value error, ")
            got = "" if isinstance(item["input"], dict) else f"got {_shown(item['input'])}; "
            lines.append(f"{path}: {where}: {got}{message[0].lower()}{message[1:]}")
    return "\n".join(lines)


def _names_a_choice(part: int | str) -> bool:
    """Whether pydantic put this part into a location to name the alternative it tried, not a key of the file."""
    return part in ("kernel", "count", "int", "constrained-int", "constrained-str") or str(part).startswith(("tuple[", "literal["))


def _allowed_keys(location: Sequence[int | str]) -> list[str]:
    """The keys that stand beside an unknown one, found by walking the sections along its location."""
    section: Any = Settings
    for part in location[:-1]:
        fields = getattr(section, "model_fields", None)
        if fields is not None and part in fields:
            section = fields[part].annotation
        elif part in ("kernel", "count"):
            section = KernelLossSettings if part == "kernel" else CountLossSettings
        elif arguments := getattr(section, "__args__", ()):
            section = next((argument for argument in arguments[::-1] if argument is not Ellipsis), section)
    return sorted(getattr(section, "model_fields", {}))


def _shown(value: object) -> str:
    text = repr(value)
    return f"{text if len(text) <= 80 else text[:77] + '...'} ({type(value).__name__})"


class _UniqueKeyLoader(yaml.SafeLoader):
    """SafeLoader that refuses a key given twice: YAML's last-one-wins would hide a typo."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, str) and key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"the key {key!r} stands there twice", key_node.start_mark)
            if isinstance(key, str):
                seen.add(key)
        return super().construct_mapping(node, deep=deep)
