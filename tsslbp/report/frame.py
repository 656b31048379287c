"""The training runs as a pandas frame, one line per seed, and what the seeds of a model come to together."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from tsslbp.report.origin import Run
from tsslbp.report.statistics import Summary, optimism, summarize_accuracies

COLUMNS = ("model", "seed", "epochs", "best", "final")


@dataclass(frozen=True)
class Measured:
    """What the finished seeds of one model measured together.

    Attributes:
        seeds: how many finished.
        epochs: that every one of them ran.
        longest: epochs of the longest.
        bests: of each seed the accuracy at its best epoch, percent.
        best: the same over the seeds.
        final: over the seeds, of the accuracy after the last epoch.
        best_minus_final: points, mean over the seeds: what choosing the epoch was worth.
    """

    seeds: int
    epochs: int
    longest: int
    bests: tuple[float, ...]
    best: Summary
    final: Summary
    best_minus_final: float


def runs_frame(runs: Mapping[str, Run]) -> pd.DataFrame:
    """One line per finished seed, with `COLUMNS`; accuracies in percent."""
    lines = [(key, seed.seed, len(seed.history), seed.best, seed.final) for key, (record, _) in runs.items() for seed in record.seeds]
    return pd.DataFrame(lines, columns=list(COLUMNS))


def aggregate(frame: pd.DataFrame) -> dict[str, Measured]:
    """What the seeds of every model come to, by model, for `runs_frame`'s lines; a model without a finished seed is not among them."""
    return {str(key): _measured(seeds) for key, seeds in frame.groupby("model", sort=False)}


def _measured(seeds: pd.DataFrame) -> Measured:
    best, final = seeds["best"].tolist(), seeds["final"].tolist()
    return Measured(
        seeds=len(seeds),
        epochs=int(seeds["epochs"].min()),
        longest=int(seeds["epochs"].max()),
        bests=tuple(best),
        best=summarize_accuracies(best),
        final=summarize_accuracies(final),
        best_minus_final=optimism(best, final),
    )
