"""The report's opening: what was run, and how that stands to what is published."""

from collections.abc import Iterable, Sequence
from statistics import fmean

from tsslbp.report.departures import OTHER_SETTINGS
from tsslbp.report.numbers import number, short
from tsslbp.report.rows import ResultRow
from tsslbp.report.statistics import VERDICTS

WHAT = (
    "TSSL-BP trains deep spiking neural networks, which decide within a few time steps, by sending the error back through the times "
    "of their spikes; here each published accuracy stands beside the reproduced one."
)


def answer(rows: Sequence[ResultRow]) -> tuple[str, ...]:
    """A few sentences: what was run, how that stands to what is published, and whether the code has changed since."""
    run = [row for row in rows if row.was_run]
    if not run:
        alone = ["The tables show the published numbers alone."] if any(map(_is_published, rows)) else []
        return f"{extent(rows)}.", *alone, *reservations(rows)
    missing = ", ".join(row.model for row in rows if not row.was_run and not row.failed)
    found = f"{extent(rows)}{f'; not run: {missing}' if missing else ''}."
    return found, _agreement([row for row in run if row.follows_protocol], run), *reservations(rows)


def reservations(rows: Sequence[ResultRow]) -> tuple[str, ...]:
    """What a table without a column of notes would keep to itself: training that failed, and numbers of other data, settings or code."""
    failed = ", ".join(f"{row.model} ({row.failed})" for row in rows if row.failed)
    others = ", ".join(row.model for row in rows if row.was_run and row.has_other_settings)
    return (
        *([f"Training failed: {failed}."] if failed else []),
        *([f"Of {OTHER_SETTINGS}: {others}."] if others else []),
        *_on_other_data(rows),
        *_older(rows),
    )


def _on_other_data(rows: Sequence[ResultRow]) -> tuple[str, ...]:
    """A sentence on what stood in for the official data, and for which rows; none where all are official."""
    groups: dict[str, list[str]] = {}
    for row in rows:
        if row.was_run and row.other_data:
            groups.setdefault(row.other_data, []).append(row.model)
    said = "; ".join(f"{', '.join(models)} ({data})" for data, models in groups.items())
    return (f"Not the official data: {said}.",) if said else ()


def _older(rows: Sequence[ResultRow]) -> tuple[str, ...]:
    """A sentence on the rows that an older state of the method's code gave; none where there are none, or where nobody compared."""
    names = [row.model for row in rows if row.was_run and row.origin.is_present_code is False]
    return (f"The method's code has changed since these were run: {', '.join(names)}.",) if names else ()


def extent(rows: Sequence[ResultRow]) -> str:
    """How many rows were run, and how many of them in full; without a full stop."""
    run = [row for row in rows if row.was_run]
    if not run:
        return f"None of the {len(rows)} rows has been run yet"
    full = sum(row.follows_protocol for row in run) or "none"
    verb = "was" if len(run) == 1 else "were"
    return f"{len(run)} of {len(rows)} rows {verb} run, {full} in full (every seed and epoch of the protocol, on all of the data)"


def opening(rows: Sequence[ResultRow]) -> str:
    """The extent, before a list of the verdicts."""
    compared = "; by the 95 % Welch interval of the difference to the published mean, they are"
    return f"{extent(rows)}{compared if any(row.is_compared for row in rows) else ''}:"


def _is_published(row: ResultRow) -> bool:
    return row.published.mean is not None or row.published.best is not None


def _agreement(full: Sequence[ResultRow], run: Sequence[ResultRow]) -> str:
    if all(row.published.mean is None for row in run):
        return "No mean is published for what was run, so there is nothing to compare with."
    if not any(row.is_compared for row in full):
        return "So none of them can be judged against its published row yet; the tables show how far each is from it."
    groups: dict[str, list[str]] = {
        verdict: [row.model for row in full if row.is_compared and row.comparison.verdict == verdict] for verdict in VERDICTS
    }
    others = [row for row in full if not row.is_compared]
    groups["without published runs to compare with"] = [row.model for row in others if row.comparison.difference is None]
    groups["without an interval to judge by"] = [row.model for row in others if row.comparison.difference is not None]
    counts = [f"{len(models)} {what} ({', '.join(models)})" for what, models in groups.items() if models]
    return f"Beside the published means, those in full are: {'; '.join(counts)}, by the 95 % Welch interval of the difference."


def verdict_groups(rows: Sequence[ResultRow]) -> list[list[ResultRow]]:
    """The rows by their verdict as the tables show it, the most telling first; verdicts in parentheses behind those without."""
    shown = sorted(dict.fromkeys(row.judgement for row in rows), key=_rank)
    return [[row for row in rows if row.judgement == judgement] for judgement in shown]


def _rank(judgement: str) -> tuple[bool, int]:
    bare = judgement.strip("()")
    return judgement != bare and bare != "", [str(verdict) for verdict in VERDICTS].index(bare)


def optimism_answer(rows: Sequence[ResultRow]) -> str:
    """What choosing the epoch on test data was worth; "" where no row was run in full."""
    gains = [row.best_minus_final for row in rows if row.follows_protocol]
    known = [gain for gain in gains if gain is not None]
    if not known:
        return ""
    return (
        f"The published numbers are the best of all epochs, chosen by their test accuracy. Over the rows run in full ({len(known)}) "
        f"this is worth {number(fmean(known))} points on average, compared with the last epoch (column “Best − last”)."
    )


def run_dates(rows: Iterable[ResultRow]) -> str:
    """The days on which the runs began, as "2026-11-24" or "2026-11-24 to 2026-11-30"; "" where nothing was run."""
    days = sorted({row.origin.started for row in rows if row.origin.started})
    return days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}" if days else ""


def run_commits(rows: Iterable[ResultRow]) -> str:
    """The commits of the code that ran, shortened; "" where nothing was run."""
    commits = ", ".join(row.origin.git_commit for row in rows if row.origin.git_commit)
    return short(commits) if commits else ""
