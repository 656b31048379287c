"""The accuracies of a model in a few numbers, in percent."""

import statistics
from typing import Any

from tsslbp.storage.records import ModelRecord


def metrics(record: ModelRecord) -> dict[str, float | None]:
    """Mean, stddev (n-1; None below two seeds) and maximum over the seeds, of their best accuracies and of their final ones."""
    values: dict[str, float | None] = {}
    for name in ("best", "final"):
        accuracies = [getattr(seed, name) for seed in record.seeds]
        values[f"{name}_mean"] = statistics.fmean(accuracies) if accuracies else None
        values[f"{name}_std"] = statistics.stdev(accuracies) if len(accuracies) > 1 else None
        values[f"{name}_max"] = max(accuracies, default=None)
    return values


def shown_metrics(record: ModelRecord) -> dict[str, Any]:
    """What `dvc metrics show` lists: so few numbers that its table fits into 120 columns; results.csv has all of them."""
    values = metrics(record)
    return {name: values[name] for name in ("best_mean", "best_std", "final_mean")} | {"seeds": len(record.seeds)}
