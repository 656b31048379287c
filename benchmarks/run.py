"""A whole benchmark: case after case, then the report."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks import ROOT
from benchmarks.cases import ROW, Case, Choice, LayerCase, Sweep, chosen
from benchmarks.machine import ProcessorTime, conditions, with_others
from benchmarks.measurement import Measurement, Trial
from benchmarks.page.results import Results
from benchmarks.processes.job import Job
from benchmarks.processes.turns import QUICK, Effort, find_settings, measure
from benchmarks.roster import LOWER_BOUND, OURS, ROSTER, Entry
from benchmarks.row_of_table import QUICK_SHARE, SHARE, RowTime, measure_row
from benchmarks.row_of_table import csv_text as row_csv
from stages.display import ScreenProgress
from tsslbp.settings import Settings
from tsslbp.storage.files import whole_file, write_text

OPERATIONS_PER_SECOND = 1e11
"""A guess at first, for the time that is left; what was measured corrects it."""
START_SECONDS = 3.0
ROW_TURNS = 3
"""Turns of each way in the case of a whole row."""


@dataclass(frozen=True)
class Plan:
    """What to measure; see `__main__` for the options. `cases` None: all; `repetitions` None: as the effort says."""

    settings: Settings
    cases: Sequence[str] | None
    entries: Sequence[Entry]
    threads: int
    quick: bool = False
    repetitions: int | None = None

    @property
    def shortened(self) -> bool:
        """Whether this is less than everything."""
        full = Effort().repetitions
        return self.cases is not None or self.quick or len(self.entries) < len(ROSTER) or (self.repetitions or full) < full

    @property
    def effort(self) -> Effort:
        """How long to measure a case."""
        effort = QUICK if self.quick else Effort()
        return (
            effort if self.repetitions is None else replace(effort, repetitions=self.repetitions, least=min(effort.least, self.repetitions))
        )


@dataclass(frozen=True)
class _Group:
    """Jobs that are measured side by side: the implementations of a case, or this project and the lower bound along a sweep."""

    name: str
    jobs: tuple[Job, ...]
    modes: tuple[str, ...]

    def expected_seconds(self, effort: Effort) -> float:
        """A rough guess."""
        steps = [max(effort.turn_seconds, job.case.operations(True) / OPERATIONS_PER_SECOND) for job in self.jobs]
        turns = 1 if any(job.case.heavy for job in self.jobs) else 3 + effort.affordable(sum(steps))
        return len(self.jobs) * START_SECONDS + turns * sum(steps)


def run(plan: Plan, folder: Path, unfinished: Path, arguments: Sequence[str], progress: ScreenProgress) -> bool:
    """Measure and write; returns whether no implementation failed.

    Args:
        plan: what to measure.
        folder: where to write.
        unfinished: where to write the complete cases of a run that is interrupted.
        arguments: the command's, for the page.
        progress: takes lines for the user.

    Raises:
        ValueError: there is nothing to measure, or a folder that cannot be written.

    Whatever stops it, an interrupt too, the complete cases are written first.
    """
    for wanted in (folder, unfinished):
        check_folder(wanted)
    choice = chosen(plan.settings, plan.cases, plan.quick)
    groups = _with_jobs(plan, choice, progress)
    since, around = ProcessorTime.now(), conditions(plan.threads, ["benchmarks", *arguments], ROOT)
    if around.busy:
        progress.say(f"warning: load {around.load:.2f} before the start: other programs compute, too, and will spoil the numbers")
    measurements: list[Measurement] = []
    trials: list[Trial] = []

    def write(folder: Path, row: RowTime | None, shortened: bool) -> None:
        _write(folder, Results(with_others(around, since), measurements, trials, choice.sweeps, row, shortened))
        progress.say(f"written: {folder}/results.md, tables and charts")

    try:
        for group in _announced(groups, plan.effort, progress):
            found, tried = _measured(group, plan.effort, progress)
            measurements += found
            trials += tried
        row = _row(plan, choice, progress)
    except BaseException:  # an hour of results is not to be lost, whatever it is
        if measurements:
            write(unfinished, None, shortened=True)
        raise
    write(folder, row, plan.shortened)
    failed = [m for m in measurements if m.note.startswith("failed")]
    for m in failed:
        progress.say(f"{m.case.name}, {m.entry.title}: {m.note}")
    return not failed


def check_folder(folder: Path) -> None:
    """Refuse a folder that cannot be written, before an hour is spent on what belongs there; it is not made yet.

    Raises:
        ValueError: a file is in the way, or the folder may not be written.
    """
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    if not there.is_dir():
        raise ValueError(f"{folder}: cannot be a folder, since {there} is a file; name another with --output")
    if not os.access(there, os.W_OK):
        raise ValueError(f"{folder}: {there} may not be written; name another folder with --output")


def _with_jobs(plan: Plan, choice: Choice, progress: ScreenProgress) -> list[_Group]:
    """The groups that any of the implementations takes part in; a line for each of the others."""
    groups = [*_case_groups(plan, choice.cases), *_sweep_groups(plan, choice.sweeps)]
    left_out = [group.name for group in groups if not group.jobs]
    if choice.row and OURS not in plan.entries:
        left_out.append(ROW)
    kept = [group for group in groups if group.jobs]
    if not kept and not (choice.row and OURS in plan.entries):
        raise ValueError(f"nothing to measure: none of --implementations takes part in {', '.join(left_out)}")
    for name in left_out:
        progress.say(f"left out: none of --implementations takes part in {name}")
    return kept


def _row(plan: Plan, choice: Choice, progress: ScreenProgress) -> RowTime | None:
    if not choice.row or OURS not in plan.entries:
        return None
    progress.say(f"{ROW}: ten seeds side by side, and in turn; some minutes")
    turns = min(plan.repetitions or ROW_TURNS, 1 if plan.quick else ROW_TURNS)
    return measure_row(plan.settings, plan.threads, turns, plan.effort.repeats, QUICK_SHARE if plan.quick else SHARE)


def _case_groups(plan: Plan, cases: Sequence[Case]) -> Iterator[_Group]:
    for case in cases:
        jobs = tuple(Job(case, entry, plan.threads) for entry in plan.entries if entry.takes_part(case))
        yield _Group(f"{case.name} ({case.title})", jobs, ("train",) if isinstance(case, LayerCase) else ("train", "infer"))


def _sweep_groups(plan: Plan, sweeps: Sequence[Sweep]) -> Iterator[_Group]:
    entries = [entry for entry in plan.entries if entry in (OURS, LOWER_BOUND)]
    for sweep in sweeps:
        jobs = tuple(Job(case, entry, plan.threads) for entry in entries for _, case in sweep.points)
        yield _Group(f"{sweep.name} ({sweep.axis} {sweep.points[0][0]} to {sweep.points[-1][0]})", jobs, ("train",))


def _announced(groups: Sequence[_Group], effort: Effort, progress: ScreenProgress) -> Iterator[_Group]:
    """The groups one after the other, each with a word on where we are and for how long it will go on."""
    expected = [group.expected_seconds(effort) for group in groups]
    began = time.monotonic()
    for index, group in enumerate(groups):
        slower = (time.monotonic() - began) / sum(expected[:index]) if index else 1.0
        minutes = slower * sum(expected[index:]) / 60
        progress.say(
            f"{index + 1} of {len(groups)}: {group.name}; about {minutes:.0f} min left"
            if minutes > 1
            else f"{index + 1} of {len(groups)}: {group.name}"
        )
        yield group


def _measured(group: _Group, effort: Effort, progress: ScreenProgress) -> tuple[list[Measurement], list[Trial]]:
    jobs, trials, failed = find_settings(group.jobs, effort)
    with ExitStack() as stack:

        def track(turns: int) -> Callable[[int], None]:
            stack.close()  # a terminal shows one bar at a time
            return stack.enter_context(progress.track("  turns", turns, "turns"))

        return [*failed, *measure(jobs, effort, track, group.modes)], trials


def _write(folder: Path, results: Results) -> None:
    """Write the numbers, then the page and its charts: numbers took an hour, and a chart that cannot be drawn takes none along."""
    from benchmarks.page.charts import pictures
    from benchmarks.page.csv_table import csv_text
    from benchmarks.page.report import markdown

    write_text(folder / "results.csv", csv_text(results.measurements))
    if results.row:
        write_text(folder / "row.csv", row_csv(results.row))
    drawn = pictures(results)
    text = markdown(replace(results, pictures=drawn))
    for picture in drawn:
        with whole_file(folder / f"{picture.name}.png") as partial:
            partial.write_bytes(picture.png)
    write_text(folder / "results.md", text)
