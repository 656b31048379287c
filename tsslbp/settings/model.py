"""The sections of a model: its network and training, and the recipe that it follows."""

from typing import Annotated, Literal, Self

from pydantic import Field, Strict, model_validator

from tsslbp.settings.fields import (
    Architecture,
    Batch,
    Epochs,
    LearningRate,
    Number,
    Padding,
    Positive,
    Section,
    Seeds,
    Share,
    Size,
    TimeConstant,
)
from tsslbp.settings.losses import LossSettings


class Recipe(Section):
    """A named state of the method: which gradient, which target, which initial weights."""

    gradient: Literal["2021-03", "2020-10", "2020-06", "surrogate", "no-warmup", "no-intra"]
    target_filterings: Annotated[int, Strict(), Field(ge=0, le=2)]
    convolution_init: Literal["uniform", "kaiming_normal"]


class Augmentation(Section):
    """How training images are moved at random, anew in every epoch; black comes in from outside.

    Attributes:
        crop: the image is shifted by up to so many pixels in every direction (cut out of itself with a margin of zeros).
        flip: each image is mirrored with probability 1/2.
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
    padding: Padding | tuple[Padding, ...]
    time_steps: Size
    tau_m: TimeConstant
    tau_s: TimeConstant
    threshold: Positive
    conv_gain: Positive
    dropout: Share
    dropout_mask: Literal["row", "neuron"] = "row"
    loss: LossSettings
    learning_rate: LearningRate
    batch_size: Batch
    epochs: Epochs
    augmentation: Augmentation = Augmentation()
    selection: Literal["test", "held-out"] = "test"
    precision: Literal["float32", "bf16"] = "float32"

    @model_validator(mode="after")
    def _loss_fits_the_time(self) -> Self:
        if misfit := self.loss.misfit(self.time_steps):
            raise ValueError(f"loss.{misfit}")
        return self
