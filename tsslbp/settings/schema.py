"""The sections of params.yaml: frozen, strict, and with nothing in them that could not be run. config.py puts them together."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, Strict, StringConstraints, model_validator

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


def _seeds_differ(seeds: tuple[int, ...]) -> tuple[int, ...]:
    twice = sorted({seed for seed in seeds if seeds.count(seed) > 1})
    if twice:
        raise ValueError(f"{', '.join(map(str, twice))} stands there more than once; every seed is one run")
    return seeds


Seeds = Annotated[tuple[Natural, ...], Field(min_length=1), AfterValidator(_seeds_differ)]


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
    """How to run.

    Nothing here changes what is computed, but bits depend on device, threads and the library of the dense products. With one
    thread per seed and several seeds side by side, machines of every size compute the same bits.

    Attributes:
        device: "auto" is the GPU where there is one.
        threads: CPU threads of one seed; "auto": as many as PyTorch would take.
        parallel: seeds at a time; "auto": cores divided by threads, as far as memory allows.
        products: library of the dense products; "auto" is resolved once for a row, see `method.products.resolve_products`.
        engine: where seeds run: processes of this machine, or a Ray cluster.
        workers: processes that preprocess.
    """

    device: Annotated[str, StringConstraints(pattern=r"^(auto|cpu|cuda(:\d+)?)$")] = "auto"
    threads: Count | Literal["auto"] = 1
    parallel: Count | Literal["auto"] = "auto"
    products: Literal["auto", "onednn", "blas"] = "auto"
    engine: Literal["local", "ray"] = "local"
    workers: Count | Literal["auto"] = "auto"


class Training(Section):
    """What every network of the paper shares: AdamW, clipped gradients, clamped weights."""

    betas: tuple[Annotated[Number, Field(ge=0, lt=1)], Annotated[Number, Field(ge=0, lt=1)]]
    weight_decay: Annotated[Number, Field(ge=0)]
    clip_norm: Positive
    weight_limit: Positive


class Recipe(Section):
    """A named state of the method: which gradient, which target, which initial weights."""

    gradient: Literal["2021-03", "2020-10", "2020-06", "surrogate", "no-warmup", "no-intra"]
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


class Augmentation(Section):
    """How training images are moved at random, anew in every epoch; black comes in from outside.

    Attributes:
        crop: the image is shifted by up to so many pixels in every direction (cut out of itself with a margin of zeros).
        flip: every second image is mirrored.
        rotate: it is turned by up to so many degrees in either direction, after shift and flip.
    """

    crop: Annotated[int, Strict(), Field(ge=0, le=64)] = 0
    flip: Annotated[bool, Strict()] = False
    rotate: Annotated[Number, Field(ge=0, le=180)] = 0.0


class Model(Section):
    """One row of the tables: a network, its data and how it is trained.

    `seeds`: its own, in place of those of all models. `like`: the model of the base that it took settings from. Neither
    decides what a run computes, so neither is ever dumped, recorded or part of an identity.
    """

    seeds: Seeds | None = Field(default=None, exclude=True)
    like: str | None = Field(default=None, exclude=True)
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
    augmentation: Augmentation = Augmentation()
    selection: Literal["test", "held-out"] = "test"
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
            if self.time_steps is None or self.window_us is None or self.mean or self.std:
                raise ValueError("a dataset of events needs time_steps and window_us, and has no mean or std")
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
