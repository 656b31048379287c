"""The report as results.md, results.tex, results.csv, ablation.csv and confusion.csv.

The same rows give the same bytes. The CSVs hold full precision; the others show two decimals, like the published tables.
"""

import csv
import io
from collections.abc import Mapping, Sequence

import numpy as np

from tsslbp.report.answers import WHAT, answer, run_commits, run_dates
from tsslbp.report.document import Section, sections
from tsslbp.report.escape import escape_markdown
from tsslbp.report.origin import Run
from tsslbp.report.rows import ResultRow
from tsslbp.report.studies.findings import NO_STUDIES, Studies
from tsslbp.report.tables.comparisons import ABLATION
from tsslbp.report.tables.formats import csv_table, latex_table, markdown_table
from tsslbp.report.tables.results import results_table


def results_csv(rows: Sequence[ResultRow], studies: Studies = NO_STUDIES) -> str:
    """One line per model and recipe; accuracies in percent and differences in points, empty where there is no number."""
    recipes = [each.row for each in studies.recipes if not each.from_base]
    lines = [line for row in rows for line in (row, *(other for other in recipes if other.model == row.model))]
    return csv_table(results_table(lines).columns, lines)


def ablation_csv(studies: Studies) -> str:
    """One line per variant; accuracies in percent and differences in points, empty where there is no number."""
    return csv_table(ABLATION, studies.ablation)


def confusion_csv(rows: Sequence[ResultRow], runs: Mapping[str, Run]) -> str:
    """One line per model, true class and predicted class: test samples after the last epoch, over the seeds that count; for `dvc plots`."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["model", "true_class", "taken_for", "samples"])
    for row in rows:
        seeds = row.counted(runs[row.model]) if row.model in runs else ()
        matrices = [seed.confusion for seed in seeds if seed.confusion]
        counts = np.array(matrices, np.int64).sum(axis=0) if matrices else np.zeros((0, 0), np.int64)
        names = row.class_names or [str(index) for index in range(len(counts))]
        writer.writerows([row.model, names[true], names[taken], count] for (true, taken), count in np.ndenumerate(counts))
    return text.getvalue()


def results_markdown(rows: Sequence[ResultRow], studies: Studies = NO_STUDIES) -> str:
    """All sections as Markdown, without pictures."""
    opening = [*answer(rows), *([f"Runs of {run_dates(rows)}, commit {run_commits(rows)}."] if run_dates(rows) else [])]
    parts = ["# Results", escape_markdown(WHAT), escape_markdown(" ".join(opening)), *map(_markdown_section, sections(rows, studies, {}))]
    return "\n\n".join(parts) + "\n"


def _markdown_section(section: Section) -> str:
    items = "\n".join(f"- {escape_markdown(item)}" for item in section.items)
    terms = "\n".join(f"- **{term}**: {escape_markdown(meaning)}" for term, meaning in section.terms)
    parts = [
        f"## {section.heading}",
        *map(escape_markdown, section.text),
        items,
        *([markdown_table(section.table)] if section.table else []),
        terms,
    ]
    return "\n\n".join(part for part in parts if part)


def results_tex(rows: Sequence[ResultRow], studies: Studies = NO_STUDIES) -> str:
    r"""The tables of all sections, to be \input; they need the packages booktabs and graphicx."""
    tables = [_latex_section(section, answer(rows)) for section in sections(rows, studies, {}) if section.table]
    return "\n".join(["% Needs \\usepackage{booktabs} and \\usepackage{graphicx}. \\input this file.", *tables])


def _latex_section(section: Section, opening: Sequence[str]) -> str:
    """The section's table; its caption is the table's own and, as the case may be, the report's answer or the section's."""
    assert section.table is not None
    told = opening if section.name == "tables" else section.items
    return latex_table(section.table, " ".join((section.table.caption, *told)))
