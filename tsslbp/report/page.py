"""results.html: the answer, the tables and the pictures in one file that needs no network."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import replace

from tsslbp.report import render
from tsslbp.report.figures.canvas import Picture
from tsslbp.report.figures.curves import confusion_matrix, firing_rates, learning_curves
from tsslbp.report.figures.event_raster import raster
from tsslbp.report.figures.forest import ablation, comparison
from tsslbp.report.figures.recording import Recording
from tsslbp.report.origin import Run
from tsslbp.report.rows import SUBSET, Row
from tsslbp.report.studies.ablation import Variant
from tsslbp.report.studies.findings import NO_STUDIES, Studies
from tsslbp.report.studies.recipes import RecipeRow
from tsslbp.report.tables import context
from tsslbp.settings import Settings

Pictures = Mapping[str, Sequence[Picture]]
"""Pictures by the heading that they stand under."""


def draw_pictures(
    rows: Sequence[Row], runs: Mapping[str, Run], studies: Studies = NO_STUDIES, recording: Recording | None = None
) -> dict[str, list[Picture]]:
    """Every picture that the runs allow; a heading without pictures is left out."""
    drawn = [(runs[row.model][0], row) for row in rows if row.was_run]
    bests = {record.model: [seed.best for seed in record.seeds] for record, _ in drawn}
    compared = any(row.comparison.difference is not None for row in rows)
    rates = [firing_rates(record, row) for record, row in drawn]
    sections = {
        "Reproduced beside published": [comparison(rows, bests)] if compared else [],
        "Recipes beside published": _recipes(studies.recipes),
        "Parts of the method": _ablations(studies.ablation),
        "Learning curves": [learning_curves(record, row) for record, row in drawn],
        "Confusion matrices": [confusion_matrix(record, row) for record, row in drawn],
        "Firing rates": [picture for picture in rates if picture is not None],
        "One recording on its way through a network": [raster(recording)] if recording else [],
    }
    return {heading: pictures for heading, pictures in sections.items() if pictures}


def _recipes(found: Sequence[RecipeRow]) -> list[Picture]:
    """Every recipe beside its published row; none where no recipe was run beside the base's own."""
    if not any(each.row.was_run for each in found if not each.from_base):
        return []
    # A recipe may stand there whole and cut to the extent of another.
    named = [replace(each.row, model=f"{each.row.model}, {each.row.recipe}, {each.row.extent or 'not run'}") for each in found]
    return [comparison(named, {row.model: each.bests for row, each in zip(named, found, strict=True)}, "recipes")]


def _ablations(found: Sequence[Variant]) -> list[Picture]:
    """A picture a model, of the variants that have a difference."""
    pictures = []
    for model in dict.fromkeys(variant.like for variant in found):
        shown = [variant for variant in found if variant.like == model and variant.difference is not None]
        if shown:
            rows = [variant.row for variant in shown]
            subset = [departure for row in rows for departure in row.departures if departure.startswith(SUBSET)]
            data = "; ".join(
                dict.fromkeys((f"{rows[0].dataset_title}, {rows[0].epochs} epochs, {rows[0].origin.data_checksum[:10]}", *subset))
            )
            commits = ", ".join(dict.fromkeys(row.origin.git_commit[:10] or "unknown" for row in rows))
            differences = {variant.name: variant.difference for variant in shown if variant.difference is not None}
            pictures.append(ablation(model, differences, data, commits))
    return pictures


def results_page(settings: Settings, rows: Sequence[Row], pictures: Pictures, studies: Studies = NO_STUDIES) -> str:
    """The page as HTML; everything that comes from records or settings is escaped."""
    return render.html("results.html", title=settings.experiment, pictures=pictures, embed=_embed, **context(rows, studies))


def _embed(picture: Picture) -> str:
    return f"data:image/png;base64,{base64.b64encode(picture.png).decode('ascii')}"
