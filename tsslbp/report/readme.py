"""The parts of a README that the report writes: each stands between two markers, and a test fails where one is older than the records."""

from collections.abc import Mapping, Sequence

from tsslbp.report import render
from tsslbp.report.rows import Row
from tsslbp.report.studies.ablation import ablation_answers
from tsslbp.report.studies.findings import NO_STUDIES, Studies
from tsslbp.report.studies.recipes import recipe_answers
from tsslbp.report.tables import context

TABLE = "results"
INDENT = "   "
"""Of what stands under an item of a numbered list."""


def readme_table(rows: Sequence[Row]) -> str:
    """A short Markdown table of the rows, without markers."""
    return render.markdown("readme.md", **context(rows)).strip()


def readme_parts(rows: Sequence[Row], studies: Studies = NO_STUDIES) -> dict[str, str]:
    """All parts by the name in their markers: the table, and what either study found as list items."""
    return {
        TABLE: readme_table(rows),
        "recipes": _items(recipe_answers(studies.recipes), INDENT),
        "ablation": _items(ablation_answers(studies.ablation)),
    }


def _items(sentences: Sequence[str], indent: str = "") -> str:
    return "\n".join(f"{indent}- {render.escape_markdown(sentence)}" for sentence in sentences)


def markers(name: str) -> tuple[str, str]:
    """The comments before and after a part."""
    return f"<!-- {name}:begin -->", f"<!-- {name}:end -->"


def splice(readme: str, parts: Mapping[str, str]) -> str:
    """The README with each part between its markers, which stay. The table must have a place; the other parts may.

    Raises:
        ValueError: a marker is missing, stands there twice, or the end comes before the beginning.
    """
    for name, text in parts.items():
        begin, end = markers(name)
        if name != TABLE and begin not in readme and end not in readme:
            continue
        if readme.count(begin) != 1 or readme.count(end) != 1 or readme.index(begin) > readme.index(end):
            raise ValueError(f"expected {begin} and after it {end}, once each; put the two lines where the part belongs")
        before, rest = readme.split(begin)
        after = rest.split(end)[1]
        indent = before.rpartition("\n")[2]
        readme = f"{before}{begin}\n{text}\n{indent}{end}{after}"
    return readme
