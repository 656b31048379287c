"""The parts of a document that the report writes: each stands between two markers, and a test fails where one is older than the records."""

import re
import textwrap
from collections.abc import Mapping, Sequence

from tsslbp.report.answers import answer
from tsslbp.report.beginnings import beginnings
from tsslbp.report.escape import escape_markdown
from tsslbp.report.examination import examinations
from tsslbp.report.origin import Run
from tsslbp.report.rows import ResultRow
from tsslbp.report.studies.answers import caution, variant_answers
from tsslbp.report.studies.findings import Studies
from tsslbp.report.studies.recipes import recipe_answers
from tsslbp.report.studies.summaries import recipes_summary, variant_summaries
from tsslbp.report.tables.formats import markdown_table
from tsslbp.report.tables.results import results_table

TABLE = "results"

LEGEND = (
    "Test accuracy in percent, mean ± sample stddev over seeds. Published and reproduced: best epoch of each run, chosen on test data. "
    "Difference: of the means, in points, with its 95 % Welch interval. Samples: the 95 % interval that so few mean for the last epoch, "
    "which nobody chose. SynOps: synaptic operations per inference; “dense”: the first layer's for still images. In parentheses: other "
    "seeds, epochs, data or settings than the protocol's; “subset”, “too few samples”: not the official data; “too few runs”: fewer than "
    "two, or no published mean. T: time steps. Recipe: a state of the authors' code, see [deviations](docs/deviations.md)."
)


def readme_table(rows: Sequence[ResultRow]) -> str:
    """The answer and a short Markdown table of the rows, without markers."""
    return "\n\n".join((escape_markdown(" ".join(answer(rows))), markdown_table(results_table(rows), "readme"), LEGEND))


def readme_parts(rows: Sequence[ResultRow], studies: Studies, runs: Mapping[str, Run]) -> dict[str, str]:
    """All parts by the name in their markers: the table, rows that need explaining or have only begun, what the studies found, and how far that goes.

    Args:
        rows: of the pipeline.
        studies: what its studies found.
        runs: the records that the rows were made from, by model.
    """
    short, answers = variant_summaries(studies.ablation), variant_answers(studies.ablation)
    return {
        TABLE: readme_table(rows),
        "examined": _items(examinations(rows, runs)),
        "begun": _items(beginnings(rows, runs)),
        "recipes": _items((*recipes_summary(studies.recipes), *recipe_answers(studies.recipes))),
        "intervals": "\n\n".join(map(escape_markdown, caution(studies.ablation))),
        **{f"variant {name}": _items([*filter(None, [short.get(name)]), *sentences]) for name, sentences in answers.items()},
    }


def _items(sentences: Sequence[str]) -> str:
    return "\n".join(f"- {escape_markdown(sentence)}" for sentence in sentences)


def markers(name: str) -> tuple[str, str]:
    """The comments before and after a part."""
    return f"<!-- {name}:begin -->", f"<!-- {name}:end -->"


def splice(document: str, parts: Mapping[str, str]) -> str:
    """The document with each part between its markers, which stay; a part is indented as its first marker is.

    Raises:
        ValueError: the document has a place for none of the parts, or for one that there is not; or a marker is missing, appears twice,
            or the end comes before the beginning.
    """
    unknown = [name for name in re.findall(r"<!-- ([^>]+):begin -->", document) if name not in parts]
    if unknown:
        raise ValueError(f"no part is called {', '.join(unknown)}; the parts are: {', '.join(parts)}")
    places = [name for name in parts if any(marker in document for marker in markers(name))]
    if not places:
        wanted = " or ".join(markers(name)[0] for name in parts)
        raise ValueError(f"expected {wanted}, each with its end; put the two lines where the part belongs")
    for name in places:
        document = _replaced(document, *markers(name), parts[name])
    return document


def _replaced(document: str, begin: str, end: str, text: str) -> str:
    if document.count(begin) != 1 or document.count(end) != 1 or document.index(begin) > document.index(end):
        raise ValueError(f"expected {begin} and after it {end}, once each; put the two lines where the part belongs")
    before, rest = document.split(begin)
    line = before.rpartition("\n")[2]
    indent = line[: len(line) - len(line.lstrip())]
    return f"{before}{begin}\n{textwrap.indent(text, indent)}\n{indent}{end}{rest.split(end)[1]}"
