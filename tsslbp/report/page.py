"""results.html: the answer, the tables and the pictures in one file that needs no network."""

import base64
from collections.abc import Mapping, Sequence

from tsslbp.config import Settings
from tsslbp.report import render
from tsslbp.report.canvas import Picture
from tsslbp.report.figures import confusion_matrix, firing_rates, learning_curves
from tsslbp.report.forest import comparison
from tsslbp.report.rows import Row
from tsslbp.report.runs import Run
from tsslbp.report.tables import context

Pictures = Mapping[str, Sequence[Picture]]
"""Pictures by the heading that they stand under."""


def draw_pictures(rows: Sequence[Row], runs: Mapping[str, Run]) -> dict[str, list[Picture]]:
    """Every picture that the runs allow; a heading without pictures is left out."""
    drawn = [(runs[row.model][0], row) for row in rows if row.was_run]
    bests = {record.model: [seed.best for seed in record.seeds] for record, _ in drawn}
    compared = any(row.comparison.difference is not None for row in rows)
    rates = [firing_rates(record, row) for record, row in drawn]
    sections = {
        "Reproduced beside published": [comparison(rows, bests)] if compared else [],
        "Learning curves": [learning_curves(record, row) for record, row in drawn],
        "Confusion matrices": [confusion_matrix(record, row) for record, row in drawn],
        "Firing rates": [picture for picture in rates if picture is not None],
    }
    return {heading: pictures for heading, pictures in sections.items() if pictures}


def results_page(settings: Settings, rows: Sequence[Row], pictures: Pictures) -> str:
    """The page as HTML; everything that comes from records or settings is escaped."""
    return render.html("results.html", title=settings.experiment, pictures=pictures, embed=_embed, **context(rows))


def _embed(picture: Picture) -> str:
    return f"data:image/png;base64,{base64.b64encode(picture.png).decode('ascii')}"
