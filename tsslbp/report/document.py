"""The report as sections of text, tables and pictures: written once, shown as page, Markdown and LaTeX."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tsslbp.figures.canvas import Picture
from tsslbp.report.answers import optimism_answer
from tsslbp.report.gallery import COMPARISON, PICTURE_SECTIONS
from tsslbp.report.legend import LEGEND
from tsslbp.report.rows import ResultRow
from tsslbp.report.studies.answers import ablation_answers
from tsslbp.report.studies.findings import Studies
from tsslbp.report.studies.recipes import ENOUGH_SEEDS, recipe_answers
from tsslbp.report.tables.column import Table
from tsslbp.report.tables.comparisons import ablation_table, recipes_table
from tsslbp.report.tables.evidence import checks_table, origins_table, published_checks
from tsslbp.report.tables.results import results_table


@dataclass(frozen=True)
class Section:
    """One section.

    Attributes:
        name: its anchor.
        heading: of the section.
        text: paragraphs before all else.
        items: list items after them.
        table: the table that it is about, if any.
        terms: what the words of the table mean.
        pictures: after the table.
        is_folded: whether the page shows it on request only.
    """

    name: str
    heading: str
    text: tuple[str, ...] = ()
    items: tuple[str, ...] = ()
    table: Table[Any] | None = None
    terms: tuple[tuple[str, str], ...] = ()
    pictures: tuple[Picture, ...] = ()
    is_folded: bool = False


def sections(rows: Sequence[ResultRow], studies: Studies, pictures: Mapping[str, Sequence[Picture]]) -> tuple[Section, ...]:
    """All sections that there is something to say in: the answer first, where it comes from last."""
    made: tuple[Callable[[], Section | None], ...] = (
        lambda: _drawn(COMPARISON, pictures),
        lambda: _results(rows),
        lambda: _recipes(studies, pictures),
        lambda: _ablation(studies, pictures),
        lambda: _checks(rows),
        *((lambda name=name: _drawn(name, pictures)) for name in ("learning", "confusion", "firing", "raster")),
        lambda: _origins(rows, studies),
    )
    return tuple(section for make in made if (section := make()) is not None)


def _drawn(name: str, pictures: Mapping[str, Sequence[Picture]]) -> Section | None:
    shown = tuple(pictures.get(name, ()))
    return Section(name, PICTURE_SECTIONS[name], pictures=shown) if shown else None


def _results(rows: Sequence[ResultRow]) -> Section:
    text = ("“Reproduced” takes the best epoch of every seed, as the published numbers do; “last epoch” chooses nothing.",)
    optimism = optimism_answer(rows)
    return Section(
        "tables", "Published and reproduced accuracies", (*text, *([optimism] if optimism else [])), table=results_table(rows), terms=LEGEND
    )


def _recipes(studies: Studies, pictures: Mapping[str, Sequence[Picture]]) -> Section | None:
    if not studies.recipes:
        return None
    text = (
        "The published table is older than the authors’ final code. Here are its rows beside each state of the code that was tried on them; "
        "a recipe is a named set of the settings shown. Best epochs are chosen on test data, as in the table. A recipe is judged from "
        f"{ENOUGH_SEEDS} seeds on, each over all epochs and on all of the data. The spread is the stddev of the runs over the published "
        "one, with the 95 % interval of such a ratio. “make recipes” runs what is not run."
    )
    return Section(
        "recipes",
        "Which recipe gives the published numbers?",
        (text,),
        recipe_answers(studies.recipes),
        recipes_table(studies.recipes),
        pictures=tuple(pictures.get("recipes", ())),
    )


def _ablation(studies: Studies, pictures: Mapping[str, Sequence[Picture]]) -> Section | None:
    if not studies.ablation:
        return None
    text = (
        "Variants that differ from the published settings in one thing each, compared seed by seed with the unchanged model by their best "
        "test accuracy, over the seeds and epochs that both have: “real” where the 95 % interval of the paired difference excludes zero, “training fails” where a "
        "seed could not be trained to the end. “shows from” is half the interval: a smaller mean difference would not have been told from "
        "zero. “First quarter” is the difference of the best of that many epochs; under “Last epoch” the second number is the difference "
        "there, where nothing is chosen. “make ablation” runs what is not run."
    )
    return Section(
        "ablation",
        "What does each part of the method do?",
        (text,),
        ablation_answers(studies.ablation),
        ablation_table(studies.ablation),
        pictures=tuple(pictures.get("ablation", ())),
    )


def _checks(rows: Sequence[ResultRow]) -> Section | None:
    checks = published_checks(rows)
    if not checks:
        return None
    text = (
        "Of n runs the best lies at least 1/√n and at most (n−1)/√n sample standard deviations above their mean. The bounds take the values "
        "that are most generous among those which round to what is printed."
    )
    return Section("checks", "Can the published numbers belong together?", (text,), table=checks_table(checks))


def _origins(rows: Sequence[ResultRow], studies: Studies) -> Section | None:
    labelled = [(row.model, row) for row in rows] + studies.labelled()
    known = [(label, row) for label, row in labelled if row.origin.data_checksum]
    if not known:
        return None
    text = (
        "Identifiers are shortened here; results.csv and ablation.csv have them in full, and MLflow finds a run by its tag tsslbp.run_id."
    )
    return Section("origins", "Where each number comes from", (text,), table=origins_table(known), is_folded=True)
