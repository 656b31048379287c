"""The section `loss` of a model: one class for each loss, told apart by `kind`, and nothing elsewhere that knows their names.

A new loss is a class here, added to `LossSettings`, and a file `tsslbp/method/losses/<kind>.py`.
"""

from typing import Annotated, Literal

from pydantic import Field

from tsslbp.settings.fields import Section, Spike, SpikeCount


class LossSection(Section):
    """What all losses have: a word on whether they fit a model's time steps."""

    def misfit(self, time_steps: int) -> str | None:
        """What is wrong with the loss for so many time steps; None where nothing is."""
        return None


class KernelLossSettings(LossSection):
    """Match a desired spike train, seen through the synapse; see `tsslbp.KernelLoss`."""

    kind: Literal["kernel"]
    desired_train: tuple[Spike, ...] = Field(min_length=1, max_length=4096)

    def misfit(self, time_steps: int) -> str | None:
        """Whether the train has another length than the time."""
        if len(self.desired_train) == time_steps:
            return None
        return f"desired_train has {len(self.desired_train)} steps, but time_steps is {time_steps}; give one 0 or 1 for each step"


class CountLossSettings(LossSection):
    """Match desired spike counts; see `tsslbp.CountLoss`."""

    kind: Literal["count"]
    desired_count: SpikeCount
    undesired_count: SpikeCount

    def misfit(self, time_steps: int) -> str | None:
        """Whether the two counts are in each other's place; one above the steps is out of reach, but may be meant."""
        if self.desired_count <= self.undesired_count:
            return (
                f"desired_count is {self.desired_count:g}, but undesired_count is {self.undesired_count:g}; give the first the larger count"
            )
        return None


LossSettings = Annotated[KernelLossSettings | CountLossSettings, Field(discriminator="kind")]
