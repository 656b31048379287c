"""The measurements of an epoch as MLflow's metrics, named after the fields of `records.Epoch`: a new field needs no line here.

MLflow draws one section of charts for each word before a slash, so names are turned round: `test_accuracy` is `accuracy/test`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from tsslbp.storage.records import Epoch

ACCURACY = "accuracy/test"
"""The metric that the report compares with the records; an epoch that has it has all its metrics."""


@dataclass(frozen=True)
class Measured:
    """One epoch, when it ended (milliseconds since 1970) and how fast it went, where that is known."""

    epoch: Epoch
    timestamp: int
    samples_per_second: float | None = None

    def values(self) -> dict[str, float]:
        """The metrics of this epoch by name."""
        values = epoch_metrics(self.epoch)
        return values if self.samples_per_second is None else {**values, "speed/samples_per_second": self.samples_per_second}


def epoch_metrics(epoch: Epoch) -> dict[str, float]:
    """All numbers that an epoch holds, by the name of their metric; what was not measured (None) is left out.

    Example:
        >>> row = Epoch(epoch=1, train_loss=0.5, train_accuracy=90.0, test_accuracy=91.0, firing_rates=(0.1, 0.2))
        >>> sorted(epoch_metrics(row))
        ['accuracy/test', 'accuracy/train', 'firing_rate/1', 'firing_rate/2', 'loss/train']
    """
    metrics: dict[str, float] = {}
    for field, value in epoch:
        if field == "epoch" or value is None:
            continue
        if isinstance(value, Mapping):
            metrics.update({metric_name(name): float(part) for name, part in value.items()})
        elif isinstance(value, tuple):
            metrics.update({f"{field.removesuffix('s')}/{number}": float(part) for number, part in enumerate(value, start=1)})
        else:
            metrics[metric_name(field)] = float(value)
    return metrics


def metric_name(field: str) -> str:
    """`held_out_accuracy` -> `accuracy/held_out`: what was measured, then on what.

    Example:
        >>> metric_name("train_loss")
        'loss/train'
    """
    where, _, what = field.rpartition("_")
    return f"{what}/{where}" if where else what
