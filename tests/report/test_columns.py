"""A column is one entry of a list, and then it is in every format; so are a wide cell, a note and a code."""

import csv
import io

import pytest
from rich.console import Console

from tests.support.report_builders import make_run, mixed_runs, settings
from tsslbp.report.frame import COLUMNS, aggregate, runs_frame
from tsslbp.report.page import results_page
from tsslbp.report.readme import readme_table
from tsslbp.report.rows import make_rows
from tsslbp.report.tables import results
from tsslbp.report.tables.column import Cell, Column, Table
from tsslbp.report.tables.column import plain as plain_cell
from tsslbp.report.tables.formats import csv_table, html_environment, latex_table, markdown_table, terminal_table
from tsslbp.report.tables.results import RESULTS, results_table
from tsslbp.report.texts import results_csv, results_markdown, results_tex


@pytest.fixture(scope="module")
def rows():
    return make_rows(settings(), mixed_runs(settings()))


def printed(table, width=80):
    console = Console(file=io.StringIO(), width=width)
    console.print(terminal_table(table))
    return console.file.getvalue()


def test_a_new_column_is_one_entry_and_then_it_is_everywhere(rows, monkeypatch):
    """The entry stands for what a change to tables/results.py would be; the value is one that the rows have already."""
    added = (*RESULTS, Column("seeds_asked", "Asked", lambda row: row.protocol_seeds * 1111))
    monkeypatch.setattr(results, "RESULTS", added)
    lines = list(csv.DictReader(io.StringIO(results_csv(rows))))
    assert {line["seeds_asked"] for line in lines} == {"5555"}
    texts = [
        results_markdown(rows),
        results_tex(rows),
        results_page("tsslbp", rows, {}),
        readme_table(rows),
        printed(results_table(rows), 120),
    ]
    for text in texts:
        assert "Asked" in text and text.count("5555") == len(rows)


def table(**changes):
    columns = [
        Column("name", "Name", lambda line: line[0], lambda name: Cell(name, ("below",))),
        Column("sum", "Sum & more", lambda line: line[1], kind="number"),
        Column("code", "Code", lambda line: line[2], kind="code", formats=frozenset({"html", "markdown", "latex"})),
    ]
    lines = {"A|group": [("one", 1.5, "c0de")], "other": [("two", None, "")]}
    return Table(**{"name": "t", "caption": "Two lines.", "columns": columns, "groups": lines, "group": "Kind", **changes})


def test_markdown_has_groups_first_and_notes_last():
    lines = markdown_table(table(note=lambda line: "mind *this*" if line[0] == "two" else "")).splitlines()
    assert lines == [
        "| Kind | Name | Sum & more | Code | Note |",
        "|:--|:--|--:|:--|:--|",
        r"| A\|group | **one**<br>below | 1.5 | `c0de` |  |",
        r"| other | **two**<br>below | – | – | mind \*this\* |",
    ]


def test_latex_has_groups_as_headings_and_notes_below():
    text = latex_table(table(note=lambda line: "50 %" if line[0] == "two" else ""), "All & sundry.")
    assert r"\caption{All \& sundry.}" in text and r"\label{tab:tssl-bp-t}" in text
    assert r"\begin{tabular}{@{}lrl@{}}" in text and r"Name & Sum \& more & Code \\" in text
    assert r"\multicolumn{3}{@{}l}{\textit{A|group}} \\".replace("A|group", r"A\textbar{}group") in text
    assert r"one & 1.5 & \texttt{c0de} \\" in text
    assert r"\textit{other, two}: below; 50 \%." in text


def test_csv_has_values_as_they_are():
    assert csv_table(table().columns, table().lines) == "name,sum\none,1.5\ntwo,\n"


def test_html_marks_headers_groups_and_what_has_nothing_to_show():
    macro = html_environment().get_template("table.html").module.render
    text = str(macro(table(is_faint=lambda line: line[1] is None, note=lambda line: "<b>" if line[0] == "one" else "")))
    assert 'role="region" aria-label="Two lines." tabindex="0"' in text and "<caption><span>Two lines.</span></caption>" in text
    assert '<th scope="rowgroup" colspan="3"><span>A|group</span></th>' in text
    assert '<th scope="row" class="first">one<small>below</small></th>' in text.replace("\n", "")
    assert "<code>c0de</code>" in text and "&lt;b&gt;" in text and text.count('class="faint"') == 1


def test_the_terminal_shows_the_first_line_of_a_cell():
    text = printed(table(), 40)
    assert "one" in text and "below" not in text and "c0de" not in text
    assert max(map(len, text.splitlines())) <= 40


def test_what_is_not_there_is_a_dash():
    assert [plain_cell(value).text for value in (None, "", 0, "x")] == ["–", "–", "0", "x"]


def test_names_in_csv_and_headings_for_readers_are_unique():
    names = [column.name for column in RESULTS]
    assert len(names) == len(set(names))
    for target in ("html", "terminal", "readme"):
        shown = [column.heading for column in RESULTS if target in column.formats]
        assert len(shown) == len(set(shown)) and all(shown), target


def test_the_frame_has_a_line_per_seed_and_its_aggregate_a_model_per_entry():
    protocol = settings()
    uneven, _ = make_run(protocol, "mnist-cnn", seeds=(0, 1), epochs=9)
    short, provenance = make_run(protocol, "mnist-cnn", seeds=(0, 1), epochs=4)
    runs = {
        "fashion-mlp": make_run(protocol, "fashion-mlp", seeds=(3,)),
        "mnist-cnn": (uneven.model_copy(update={"seeds": (uneven.seeds[0], short.seeds[1])}), provenance),
        "cifar10-cnn": make_run(protocol, "cifar10-cnn", seeds=(), failed={0: "boom"}),
    }
    frame = runs_frame(runs)
    assert list(frame.columns) == list(COLUMNS) and list(frame["model"]) == ["fashion-mlp", "mnist-cnn", "mnist-cnn"]
    found = aggregate(frame)
    assert list(found) == ["fashion-mlp", "mnist-cnn"]
    both = found["mnist-cnn"]
    assert (both.seeds, both.epochs, both.longest) == (2, 4, 9)
    assert both.bests == (uneven.seeds[0].best, short.seeds[1].best)
    assert both.best.mean == sum(both.bests) / 2 and found["fashion-mlp"].best.std is None
    assert aggregate(runs_frame({})) == {}
