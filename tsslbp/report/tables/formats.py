"""How a table looks as CSV, Markdown, LaTeX, HTML and on a terminal: the markup of each format is written once, here."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from tsslbp.report.escape import escape_markdown, escape_tex
from tsslbp.report.numbers import MISSING
from tsslbp.report.tables.column import Cell, Column, Format, Table

if TYPE_CHECKING:
    from rich.table import Table as TerminalTable

Item = TypeVar("Item")


def csv_table(columns: Sequence[Column[Item]], lines: Sequence[Item]) -> str:
    """Values as they are: empty for None, and a float so that it reads back as the same float."""
    shown = [column for column in columns if "csv" in column.formats]
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([column.name for column in shown])
    writer.writerows([column.value(line) for column in shown] for line in lines)
    return buffer.getvalue()


def markdown_table(table: Table[Any], target: Format = "markdown") -> str:
    """A table with the groups as its first column and, in "markdown", the notes as its last."""
    columns = table.shown(target)
    notes = target == "markdown" and any(table.note(line) for line in table.lines)
    head = [*([table.group] if table.group else []), *(column.heading for column in columns), *(["Note"] if notes else [])]
    rules = [
        *([":--"] if table.group else []),
        *("--:" if column.kind == "number" else ":--" for column in columns),
        *([":--"] if notes else []),
    ]
    rows = [_markdown_row(head), f"|{'|'.join(rules)}|"]
    for group, lines in table.groups.items():
        for line in lines:
            cells = [_markdown_cell(column.of(line), column, first=index == 0) for index, column in enumerate(columns)]
            before, after = [escape_markdown(group)] if table.group else [], [escape_markdown(table.note(line))] if notes else []
            rows.append(_markdown_row([*before, *cells, *after]))
    return "\n".join(rows)


def _markdown_row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _markdown_cell(cell: Cell, column: Column[Any], *, first: bool) -> str:
    if column.kind == "code" and cell.text != MISSING:
        return " ".join((f"`{cell.text}`", *map(escape_markdown, cell.details)))
    text = escape_markdown(cell.text)
    return "<br>".join((f"**{text}**" if first and cell.details else text, *map(escape_markdown, cell.details)))


def latex_table(table: Table[Any], caption: str) -> str:
    r"""A `table*` that needs booktabs and graphicx; what the first column says in small letters, and the notes, stand below it."""
    columns = table.shown("latex")
    sides = "".join("r" if column.kind == "number" else "l" for column in columns)
    lines = [
        r"\begin{table*}",
        r"\centering",
        rf"\caption{{{escape_tex(caption)}}}",
        rf"\label{{tab:tssl-bp-{table.name}}}",
        r"\resizebox{\textwidth}{!}{%",
        rf"\begin{{tabular}}{{@{{}}{sides}@{{}}}}",
        r"\toprule",
        " & ".join(escape_tex(column.heading) for column in columns) + r" \\",
    ]
    for group, members in table.groups.items():
        heading = [rf"\multicolumn{{{len(columns)}}}{{@{{}}l}}{{\textit{{{escape_tex(group)}}}}} \\"] if group else []
        lines += [r"\midrule", *heading, *(_latex_row(columns, line) for line in members)]
    lines += [r"\bottomrule", r"\end{tabular}}", *_latex_notes(table, columns), r"\end{table*}"]
    return "\n".join(lines) + "\n"


def _latex_row(columns: Sequence[Column[Any]], line: Any) -> str:
    first, *others = (column.of(line) for column in columns)
    texts = [escape_tex(first.text), *(escape_tex(" ".join((cell.text, *cell.details))) for cell in others)]
    code = [column.kind == "code" for column in columns]
    return " & ".join(rf"\texttt{{{text}}}" if is_code else text for text, is_code in zip(texts, code, strict=True)) + r" \\"


def _latex_notes(table: Table[Any], columns: Sequence[Column[Any]]) -> list[str]:
    """One line per row of the table that has more to say than fits into it."""
    notes = []
    for group, members in table.groups.items():
        for line in members:
            first = columns[0].of(line)
            note = "; ".join(part for part in (*first.details, table.note(line)) if part)
            if note:
                label = f"{group}, {first.text}" if group else first.text
                notes.append(rf"\textit{{{escape_tex(label)}}}: {escape_tex(note)}.")
    return ["", r"\smallskip", r"\begin{minipage}{\textwidth}\scriptsize", *notes, r"\end{minipage}"] if notes else []


def terminal_table(table: Table[Any]) -> "TerminalTable":
    """A table for `rich` that keeps to the terminal's width: the last column is folded where it must be."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table as TerminalTable

    columns = table.shown("terminal")
    drawn = TerminalTable(box=SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        drawn.add_column(column.heading, no_wrap=column is not columns[-1])
    for line in table.lines:
        drawn.add_row(*(column.of(line).text for column in columns))
    return drawn


def html_environment() -> Environment:
    """Jinja over `templates/`, where table.html is the markup of every table; each value is escaped."""
    return Environment(
        loader=FileSystemLoader(Path(__file__).parent.parent / "templates"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
