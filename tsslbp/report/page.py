"""results.html: the answer, the pictures and the tables in one file that needs no network."""

import base64
from collections.abc import Mapping, Sequence

from tsslbp.figures.canvas import Picture
from tsslbp.report.answers import WHAT, opening, reservations, run_commits, run_dates, verdict_groups
from tsslbp.report.document import sections
from tsslbp.report.rows import ResultRow
from tsslbp.report.studies.findings import NO_STUDIES, Studies
from tsslbp.report.tables.formats import html_environment
from tsslbp.report.tables.results import verdict_cell

PAPER = "https://arxiv.org/abs/2002.10085"


def results_page(
    experiment: str,
    rows: Sequence[ResultRow],
    pictures: Mapping[str, Sequence[Picture]],
    studies: Studies = NO_STUDIES,
    repository: str | None = None,
) -> str:
    """The page as HTML; everything that comes from records or settings is escaped.

    Args:
        experiment: its name.
        rows: as `rows.make_rows` gives them.
        pictures: as `gallery.draw_pictures` gives them.
        studies: as `findings.make_studies` gives them.
        repository: where the code is, a URL or a path from the page on; None for no link.
    """
    return (
        html_environment()
        .get_template("results.html")
        .render(
            experiment=experiment,
            what=WHAT,
            opening=opening(rows),
            reservations=reservations(rows),
            verdicts=[(verdict_cell(group[0]), [row.model for row in group]) for group in verdict_groups(rows)],
            dates=run_dates(rows),
            commits=run_commits(rows),
            paper=PAPER,
            repository=repository,
            sections=sections(rows, studies, pictures),
            embed=_embed,
        )
    )


def _embed(picture: Picture) -> str:
    return f"data:image/png;base64,{base64.b64encode(picture.png).decode('ascii')}"
