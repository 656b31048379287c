"""The accuracies of a model in a few numbers, in percent."""

import statistics
from typing import Any

from tsslbp.storage.records import ModelRecord, SeedRecord


def counted_seeds(record: ModelRecord, epochs: int | None = None) -> tuple[SeedRecord, ...]:
    """Return the seeds that a mean is over: where some ran all epochs, these alone, so that it compares like with like.

    A seed's best accuracy grows with its epochs: the mean of a whole seed and of one that has just begun says nothing about either.

    Args:
        record: of all seeds.
        epochs: how many are all; None, or where no seed ran so many, or where they are fewer: those that the record's settings ask for.
            A seed that was on the way to more is not whole because fewer are asked for by now.
    """
    whole = whole_epochs(record, epochs)
    return tuple(seed for seed in record.seeds if len(seed.history) >= whole)


def whole_epochs(record: ModelRecord, epochs: int | None = None) -> int:
    """Return how many epochs a seed needs to be counted, see `counted_seeds`; 0 where all are, because none is whole."""
    longest = max((len(seed.history) for seed in record.seeds), default=0)
    asked = record.settings.get("epochs", 0)
    return max((count for count in (epochs or asked, asked) if count <= longest), default=0)


def metrics(record: ModelRecord) -> dict[str, float | None]:
    """Mean, stddev (n-1; None below two seeds) and maximum over the seeds that count, of their best accuracies and of their final ones."""
    seeds, values = counted_seeds(record), dict[str, float | None]()
    for name in ("best", "final"):
        accuracies = [getattr(seed, name) for seed in seeds]
        values[f"{name}_mean"] = statistics.fmean(accuracies) if accuracies else None
        values[f"{name}_std"] = statistics.stdev(accuracies) if len(accuracies) > 1 else None
        values[f"{name}_max"] = max(accuracies, default=None)
    return values


def shown_metrics(record: ModelRecord) -> dict[str, Any]:
    """What `dvc metrics show` lists: so few numbers that its table fits into 120 columns; results.csv has all of them."""
    values = metrics(record)
    return {name: values[name] for name in ("best_mean", "best_std", "final_mean")} | {"seeds": len(counted_seeds(record))}
