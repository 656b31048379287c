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

# Of events: the cells of a frame are numbered in 32 bits, and t has 31 (36 minutes).
LARGEST_FRAME = (256, 4096, 4096)
LATEST_US = (1 << 31) - 1
SACCADES_SENSOR = (34, 34)  # height and width of N-MNIST's, which `stabilize` is for


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
    """One file of a dataset: its name, checksum and where it can be had, in the order to try.

    `role` says what is in it, for a name that is not the usual one of its kind; see `KINDS` in tsslbp/data/kinds.py.
    """

    name: FileName
    md5: Md5
    urls: tuple[Annotated[str, StringConstraints(pattern=r"^https?://\S+$")], ...]
    subsets: tuple[Subset, ...] = ()
    role: str | None = None


class Dataset(Section):
    """A dataset: its files, the shape of a sample, and how values are scaled or events are binned.

    `kind` is one of `KINDS` in tsslbp/data/kinds.py, which checks what only it knows. `shape` is that of an image or of a frame
    of events: channels, height, width. `stabilize` takes the movement of N-MNIST's camera out of events. Of a recording, only
    the events after `first_us` and up to `last_us` (microseconds; None for its end) are kept.
    """

    title: str
    kind: Key
    shape: tuple[Count, Count, Count]
    classes: Annotated[int, Strict(), Field(ge=2, le=256)]
    class_names: tuple[str, ...] = ()
    train_samples: Count
    test_samples: Count
    files: tuple[SourceFile, ...] = ()
    mean: tuple[Number, ...] = ()
    std: tuple[Positive, ...] = ()
    time_steps: Annotated[int, Strict(), Field(ge=2, le=4096)] | None = None
    window_us: Annotated[Count, Field(le=LATEST_US)] | None = None
    stabilize: Annotated[bool, Strict()] | None = None
    first_us: Annotated[Natural, Field(le=LATEST_US)] = 0
    last_us: Annotated[Count, Field(le=LATEST_US)] | None = None

    @property
    def is_events(self) -> bool:
        """Whether samples are recordings of events, not still images."""
        return self.time_steps is not None

    @model_validator(mode="after")
    def _is_of_images_or_events(self) -> Self:
        if self.class_names and len(self.class_names) != self.classes:
            raise ValueError(f"class_names has {len(self.class_names)} names for {self.classes} classes; give one each, or none")
        binning = (self.time_steps, self.window_us, self.stabilize)
        if binning != (None, None, None):
            if None in binning or self.mean or self.std:
                raise ValueError("a dataset of events needs time_steps, window_us and stabilize, and has no mean or std")
            self._check_events()
        elif not len(self.mean) == len(self.std) == self.shape[0] or self.first_us or self.last_us:
            raise ValueError(
                f"a dataset of images needs one mean and one std for each of its {self.shape[0]} channels, and has no first_us or last_us; "
                "one of events needs time_steps, window_us and stabilize"
            )
        return self

    def _check_events(self) -> None:
        if any(size > most for size, most in zip(self.shape, LARGEST_FRAME, strict=True)):
            raise ValueError(f"shape {list(self.shape)}: a frame of events has at most {list(LARGEST_FRAME)} channels, rows and columns")
        if self.stabilize and self.shape[1:] != SACCADES_SENSOR:
            raise ValueError(
                f"stabilize: got True; N-MNIST's saccades are those of {list(SACCADES_SENSOR)} pixels, not {list(self.shape[1:])}: give false"
            )
        if self.last_us is not None and self.last_us <= self.first_us:
            raise ValueError(f"last_us: got {self.last_us}; it comes after first_us, {self.first_us}")


class Published(Section):
    """A published row: accuracies in percent, and over how many runs and epochs; None where not published."""

    mean: Percent | None
    std: Percent | None
    best: Percent | None
    runs: Count | None
    epochs: Count | None = None
