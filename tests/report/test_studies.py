"""What the studies add to every format of the report, from the same numbers."""

import csv
import io
import re
from itertools import pairwise

import pytest

from tests.support.report_builders import sample_studies, study_runs
from tsslbp.report.departures import OLDER_CODE
from tsslbp.report.gallery import draw_pictures
from tsslbp.report.numbers import paired
from tsslbp.report.page import results_page
from tsslbp.report.rows import make_rows
from tsslbp.report.studies.findings import make_studies
from tsslbp.report.texts import ablation_csv, results_csv, results_markdown, results_tex


@pytest.fixture(scope="module")
def studies():
    return sample_studies()


@pytest.fixture(scope="module")
def whole(base, base_runs, studies):
    """Rows and studies, as the stage has them."""
    runs = study_runs(studies)
    return make_rows(base, base_runs), make_studies({name: (study, runs[name]) for name, study in studies.items()}, base, base_runs)


def test_csv_has_one_row_per_model_and_recipe(whole):
    lines = list(csv.DictReader(io.StringIO(results_csv(*whole))))
    pairs = [(line["model"], line["recipe"]) for line in lines]
    assert len(set(pairs)) == len(pairs) == 7 + 3
    assert pairs.index(("mnist-cnn", "2020-10")) == pairs.index(("mnist-cnn", "2021-03")) + 1
    assert next(line for line in lines if line["model"] == "mnist-cnn")["epochs"] == "100"
    other = next(line for line in lines if line["recipe"] == "2020-10")
    assert other["study"] == "recipes" and "gradient 2020-10" in other["settings"]


def test_ablation_csv_has_one_row_per_variant(whole):
    lines = list(csv.DictReader(io.StringIO(ablation_csv(whole[1]))))
    assert len({(line["model"], line["variant"]) for line in lines}) == len(lines) == 17
    real = next(line for line in lines if line["variant"] == "surrogate alone")
    assert float(real["difference_low"]) < float(real["difference"]) < float(real["difference_high"]) < 0
    assert (real["effect"], real["pairs"], real["epochs"]) == ("real", "5", "15")


def estimates(text: str) -> set[str]:
    """Every interval that stands in a text, those of differences with the estimate before them."""
    plain = (
        text.replace("$-$", "−")
        .replace("\u00a0", " ")
        .replace("<small>[", " [")
        .replace("<br>", " ")
        .replace("\\[", "[")
        .replace("\\]", "]")
    )
    return set(re.findall(r"(?:[+−]\d+\.\d\d )?\[[+−]?\d+\.\d\d, [+−]?\d+\.\d\d\]", plain))


def test_every_format_has_the_same_numbers(whole):
    texts = [results_markdown(*whole), results_page("tsslbp", whole[0], {}, whole[1]), results_tex(*whole)]
    markdown, page, printed = map(estimates, texts)
    assert markdown == page
    looks = {paired(look) for each in whole[1].ablation if each.pairs for look in (each.pairs.early, each.pairs.last)}
    assert page - looks <= printed <= page, "only the further looks at a difference are left out of print"
    assert sum(each[0] in "+−" for each in printed) >= 2 + 5


def test_markdown_tables_are_rectangular(whole):
    for above, below in pairwise(results_markdown(*whole).splitlines()):
        if above.startswith("|") and below.startswith("|"):
            assert len(re.findall(r"(?<!\\)\|", above)) == len(re.findall(r"(?<!\\)\|", below))


def test_latex_rows_have_as_many_cells_as_columns(whole):
    text = results_tex(*whole)
    tables = re.findall(r"\\begin\{tabular\}\{(?:@\{\})?([lr]+)(?:@\{\})?\}(.*?)\\end\{tabular\}", text, re.DOTALL)
    assert len(tables) == text.count(r"\begin{tabular}") == 5
    for table in tables:
        body = table[1].split("\\midrule", 1)[1]
        for line in body.splitlines():
            if line.endswith(r"\\") and "multicolumn" not in line:
                assert len(re.findall(r"(?<!\\)&", line)) == len(table[0]) - 1, line


def test_the_page_shows_both_studies_and_their_pictures(whole, base_runs):
    pictures = draw_pictures(whole[0], {"mnist-cnn": base_runs["mnist-cnn"], **base_runs}, whole[1])
    assert [picture.name for picture in pictures["recipes"]] == ["recipes"]
    assert [picture.name for picture in pictures["ablation"]] == ["ablation-fashion-mlp", "ablation-mnist-cnn"]
    for picture in (*pictures["recipes"], *pictures["ablation"]):
        for fact in ("n = ", "ommit ", "Data: "):
            assert fact in picture.caption
    page = results_page("tsslbp", whole[0], pictures, whole[1])
    assert page.count("<table") == 5
    assert page.index('id="tables"') < page.index('id="recipes"') < page.index('id="ablation"') < page.index('id="learning"')
    tables = re.findall(r'<table class="(recipes|ablation)">(.*?)</table>', page, re.DOTALL)
    assert [name for name, _ in tables] == ["recipes", "ablation"]
    for name, body in tables:
        rows = re.findall(r"<tr.*?</tr>", body, re.DOTALL)
        assert sum('scope="row"' in row for row in rows) == {"recipes": 3 + 3, "ablation": 17}[name]
        widths = {sum(map(int, re.findall(r'colspan="(\d+)"', row))) + len(re.findall(r"<t[hd](?![^>]*colspan)", row)) for row in rows}
        assert len(widths) == 1, name


def test_studies_that_were_not_run_say_so_in_every_format(base, studies):
    nothing = make_studies({name: (study, {}) for name, study in studies.items()}, base, {})
    rows = make_rows(base, {})
    for text in (results_markdown(rows, nothing), results_tex(rows, nothing), results_page("tsslbp", rows, {}, nothing)):
        assert "fashion-mlp, published" in text
        assert "Not run: unchanged; surrogate alone" in text
    assert draw_pictures(rows, {}, nothing) == {}
    assert ablation_csv(nothing).count("not run") == 17


def test_a_pipeline_without_studies_has_no_word_of_them(whole):
    text = results_markdown(whole[0])
    assert "recipe gives" not in text and "each part of the method" not in text


def test_studies_of_an_older_code_say_so(base, base_runs, studies):
    runs = study_runs(studies)
    whole = {name: (study, runs[name]) for name, study in studies.items()}
    found = make_studies(whole, base, base_runs, lambda record, provenance: record.model != "fashion-mlp-surrogate")
    assert [each.name for each in found.ablation if OLDER_CODE in each.note] == ["surrogate alone"]
    every = make_studies(whole, base, base_runs, lambda record, provenance: False)
    assert all((OLDER_CODE in each.note) == each.row.was_run for each in (*every.recipes, *every.ablation))
