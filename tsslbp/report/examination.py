"""A row that is not consistent with its published one is examined: would more epochs change it, does the network fit its training data?"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from statistics import fmean

from tsslbp.report.numbers import number
from tsslbp.report.origin import Run
from tsslbp.report.rows import ResultRow
from tsslbp.report.statistics import HALF_UNIT
from tsslbp.report.studies.variants import shortened
from tsslbp.storage.records import ModelRecord, SeedRecord

UNSETTLED = ("higher", "lower", "too few runs")
FALL = 5.0  # points below both neighbouring epochs, far more than the curves of whole seeds move from one epoch to the next


def examinations(rows: Sequence[ResultRow], runs: Mapping[str, Run]) -> tuple[str, ...]:
    """A few sentences for each row that is higher or lower than published, or has too few runs to tell.

    Its seeds ran all epochs of the protocol, on all of the data; they may be fewer.

    Args:
        rows: as in the tables.
        runs: the records that they were made from, by model.
    """
    found = [row for row in rows if row.has_whole_seeds and row.comparison.verdict in UNSETTLED and _differs(row)]
    return tuple(_examined(row, runs[row.model]) for row in found)


def _differs(row: ResultRow) -> bool:
    """Whether the difference is one of the numbers as printed."""
    return abs(row.comparison.difference or 0) >= HALF_UNIT


def _examined(row: ResultRow, run: Run) -> str:
    seeds, half = row.counted(run), max(1, row.epochs // 2)
    chosen = _listed(seed.best_epoch for seed in seeds)
    early, late = (fmean(seed.best for seed in shortened(run, {seed.seed for seed in seeds}, end)) for end in (half, row.epochs))
    own, bests = ("seed is best in epoch", "its best") if len(seeds) == 1 else ("seeds are best in epochs", "the mean of the bests")
    return (
        f"{_standing(row)}. Its {own} {chosen} of {row.epochs}; the second half of the epochs raised {bests} from {number(early)} to "
        f"{number(late)}. During the last epoch {_range([seed.history[-1].train_accuracy for seed in seeds])} % of the training "
        f"samples were classified rightly, as the weights changed{hindrances(run[0])}.{_rebound(seeds)}{_falls(seeds)}"
    )


def _rebound(seeds: Sequence[SeedRecord]) -> str:
    """Where the loss in training was lowest, and how far above that it ended; "" where it fell to 0."""
    lowest = [min(seed.history, key=lambda epoch: epoch.train_loss) for seed in seeds]
    if not all(least.train_loss > 0 for least in lowest):
        return ""
    rises = [100 * (seed.history[-1].train_loss / least.train_loss - 1) for seed, least in zip(seeds, lowest, strict=True)]
    where = "epoch" if len(seeds) == 1 else "epochs"
    epochs = _listed(least.epoch for least in lowest)
    return f" The training loss was lowest in {where} {epochs} and ended {_range(rises, '{:.0f}'.format)} % above that."


def _falls(seeds: Sequence[SeedRecord]) -> str:
    """The single epochs whose test accuracy lies far below those beside them; "" where there is none."""
    found = [text for seed in seeds for text in _falls_of(seed)]
    return f" For a single epoch the test accuracy fell: {'; '.join(found)}." if found else ""


def _falls_of(seed: SeedRecord) -> Iterator[str]:
    for before, epoch, after in zip(seed.history, seed.history[1:], seed.history[2:], strict=False):
        low, sides = epoch.test_accuracy, (before.test_accuracy, after.test_accuracy)
        if min(sides) - low >= FALL:
            yield f"seed {seed.seed}, epoch {epoch.epoch}, to {number(low)} between {' and '.join(map(number, sides))}"


def hindrances(record: ModelRecord) -> str:
    """What else than changing weights keeps accuracy during training below the network's own on the same samples."""
    settings = record.settings
    changes = {"dropout": settings.get("dropout"), "augmentation": any(dict(settings.get("augmentation") or {}).values())}
    on = [name for name, value in changes.items() if value]
    return f" and with {' and '.join(on)}" if on else ""


def _standing(row: ResultRow) -> str:
    """How the row stands to the published one; with few seeds, how many, since they may not be enough for a verdict; and older code."""
    difference = row.comparison.difference or 0
    seeds = f", with {row.seeds} of {row.protocol_seeds} seeds," if row.departures else ""
    older = f" ({'; '.join(row.outdated)})" if row.outdated else ""
    return f"{row.model}{seeds} is {'higher' if difference > 0 else 'lower'} than published by {number(abs(difference))}{older}"


def _listed(epochs: Iterable[int]) -> str:
    return ", ".join(map(str, sorted(epochs)))


def _range(values: Sequence[float], text: Callable[[float], str] = number) -> str:
    least, most = text(min(values)), text(max(values))
    return least if least == most else f"{least} to {most}"
