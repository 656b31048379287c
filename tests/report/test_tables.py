"""Every format shows the same rows; what was run differently says so; foreign text cannot break a table."""

import csv
import io
import re
from dataclasses import replace
from itertools import pairwise
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.report_builders import make_run, mixed_runs
from tsslbp.report import numbers
from tsslbp.report.answers import answer, run_commits, run_dates
from tsslbp.report.escape import escape_markdown, escape_tex
from tsslbp.report.readme import readme_table
from tsslbp.report.rows import make_rows
from tsslbp.report.tables.evidence import published_checks
from tsslbp.report.texts import results_csv, results_markdown, results_tex

REQUIRED = {
    *("dataset", "model", "architecture", "time_steps", "recipe", "seeds", "epochs", "best_mean", "best_std", "best_max"),
    *("final_mean", "final_std", "published_mean", "published_std", "published_best", "verdict", "study"),
    *("code_digest", "device", "hours", "versions", "data_checksum", "git_commit", "synaptic_operations", "dense_operations"),
}
FORMATS = (results_csv, results_markdown, results_tex, readme_table)


@pytest.fixture(scope="module")
def rows(base):
    return make_rows(base, mixed_runs(base))


def table(rows):
    return {line["model"]: line for line in csv.DictReader(io.StringIO(results_csv(rows)))}


def test_csv_has_a_row_per_model_in_the_order_of_the_settings(base, rows):
    lines = table(rows)
    assert list(lines) == list(base.models)
    assert set(lines["mnist-cnn"]) >= REQUIRED


def test_csv_holds_what_the_records_say_in_full_precision(base, rows):
    record = mixed_runs(base)["mnist-cnn"][0]
    line = table(rows)["mnist-cnn"]
    bests = [seed.best for seed in record.seeds]
    assert float(line["best_mean"]) == fmean(bests)
    assert float(line["best_max"]) == max(bests)
    assert float(line["final_mean"]) == fmean(seed.final for seed in record.seeds)
    assert float(line["difference"]) == pytest.approx(float(line["best_mean"]) - 99.50)
    assert float(line["difference_low"]) < float(line["difference"]) < float(line["difference_high"])
    assert (line["seeds"], line["epochs"], line["data_checksum"]) == ("5", "100", record.data.checksum)
    assert (line["code_digest"], line["study"], line["settings"]) == (record.code, "protocol", "")


def test_csv_is_empty_where_nothing_ran(rows):
    line = table(rows)["cifar10-wide"]
    assert line["verdict"] == "not run"
    assert {line[name] for name in ("best_mean", "best_std", "best_max", "final_mean", "final_std", "hours", "published_mean")} == {""}
    assert (line["seeds"], line["published_best"]) == ("0", "91.41")


@pytest.mark.parametrize("write", FORMATS)
def test_shortened_rows_say_so(rows, write):
    text = write(rows)
    assert text.count("subset") >= 1
    if write is results_csv:
        assert "2 of 5 seeds; 12 of 100 epochs; seed 2 failed: out of memory" in text
    else:
        assert re.search(r"2 of 5 \S+ 12 of 100, subset", text)


def test_a_full_row_has_no_note_and_a_failed_seed_is_named(rows):
    notes = {row.model: row.note for row in rows}
    assert notes["mnist-cnn"] == ""
    assert "seed 2 failed: out of memory" in notes["nmnist-cnn-t30"]
    assert "1 of 5 seeds" in notes["fashion-mlp"]


@pytest.mark.parametrize("write", FORMATS)
def test_equal_input_gives_equal_bytes(base, write):
    once, again = (write(make_rows(base, mixed_runs(base))) for _ in range(2))
    assert once == again


@pytest.mark.parametrize("write", FORMATS)
def test_without_any_run_every_format_still_shows_what_is_published(base, write):
    text = write(make_rows(base, {}))
    assert text.count("not run") >= len(base.models)
    assert re.search(r"99\.50?", text)


def test_runs_of_an_older_code_say_so_everywhere(base):
    runs = mixed_runs(base)
    rows = make_rows(base, runs, lambda record, provenance: record.model != "fashion-mlp")
    lines = table(rows)
    assert {key: lines[key]["present_code"] for key in runs} == {"mnist-cnn": "True", "nmnist-cnn-t30": "True", "fashion-mlp": "False"}
    assert {line["present_code"] for key, line in lines.items() if key not in runs} == {""}
    assert answer(rows)[2:] == (
        "Training failed: nmnist-cnn-t30 (1 of 3 seeds).",
        "Not the official data: nmnist-cnn-t30 (1,000 of the 60,000 training recordings).",
        "The method's code has changed since these were run: fashion-mlp.",
    )
    assert answer(make_rows(base, runs)) == answer(rows)[:-1]
    for write in (results_csv, results_markdown, results_tex):
        assert write(rows).count("older state of the method's code") == 1
    assert "older state" not in results_csv(make_rows(base, runs))


def test_seeds_that_failed_alike_share_a_note(base):
    failed = {1: "epoch 3: layer 3 never fired; rates: 0.1", 4: "epoch 3: layer 3 never fired; rates: 0.2", 5: "epoch 1: not finite"}
    row = make_rows(base, {"mnist-cnn": make_run(base, "mnist-cnn", seeds=(0,), failed=failed)})[0]
    assert row.origin.failure_notes == ("seeds 1, 4 failed: epoch 3: layer 3 never fired", "seed 5 failed: epoch 1: not finite")


def test_dates_and_commits_are_those_of_the_runs(base, rows):
    assert run_dates(rows) == "2026-01-01 to 2026-01-04"
    assert run_commits(rows) == rows[0].origin.git_commit[:10]
    edited = [replace(row, origin=replace(row.origin, git_commit=f"{'a' * 40}, {'b' * 40}+changes")) for row in rows if row.was_run]
    assert run_commits(edited) == "aaaaaaaaaa, bbbbbbbbbb+changes"
    nothing = make_rows(base, {})
    assert (run_dates(nothing), run_commits(nothing)) == ("", "")


def cells(line: str) -> list[str]:
    return re.split(r"(?<!\\)\|", line.strip().strip("|"))


@pytest.mark.parametrize("write", [results_markdown, readme_table])
def test_markdown_tables_are_rectangular(rows, write):
    lines = write(rows).splitlines()
    for above, below in pairwise(lines):
        if above.startswith("|") and below.startswith("|"):
            assert len(cells(above)) == len(cells(below))


@given(st.text(max_size=40))
def test_no_text_can_leave_its_markdown_cell(text):
    escaped = escape_markdown(text)
    assert "\n" not in escaped and len(cells(f"|{escaped} |x|")) == 2
    assert not re.search(r"(?<!\\)(\\\\)*[<`]", escaped)


@given(st.text(max_size=40))
def test_no_text_can_leave_its_latex_cell(text):
    escaped = escape_tex(text)
    bare = re.sub(r"\\[&%$#_{}]|\\text[a-z]+\{\}|\$(\\times|\\pm|\\surd|-)\$", "", escaped)
    assert not set(bare) & set("\\&%$#_{}~^")
    assert bare.isprintable() or not bare


def test_latex_braces_and_columns_balance(rows):
    text = re.sub(r"\\[{}]", "", results_tex(rows))
    assert text.count("{") == text.count("}")
    body = [line for line in text.splitlines() if line.endswith(r"\\") and line.startswith(tuple(row.model for row in rows))]
    assert len(body) == len(rows) + 6 + 3  # and those that can be checked, and the three that ran, in the table of origins
    assert {len(re.findall(r"(?<!\\)&", line)) for line in body[: len(rows)]} == {8}


def test_numbers_have_two_decimals_and_a_true_sign():
    assert [numbers.signed(value) for value in (-0.03, 0.004, -0.004, 1.0, None)] == ["−0.03", "0.00", "0.00", "+1.00", "–"]
    assert (numbers.number(99.5), numbers.number(None)) == ("99.50", "–")


def test_markdown_names_the_impossible_cell(rows):
    assert [row.model for row, check in published_checks(rows) if not check.possible] == ["fashion-mlp"]
    line = next(line for line in results_markdown(rows).splitlines() if "impossible" in line)
    assert "fashion-mlp" in line and "89.92" in line


def test_a_verdict_on_unlike_runs_stands_in_parentheses(base, rows):
    judgements = {row.model: row.judgement for row in rows}
    assert judgements["nmnist-cnn-t30"] == "too few samples"
    (fewer,) = [row for row in make_rows(base, {"mnist-cnn": make_run(base, "mnist-cnn", seeds=(0, 1), plateau=95)}) if row.was_run]
    assert fewer.judgement == "(lower)"
    assert judgements["mnist-cnn"] in ("consistent", "higher", "lower")
    assert judgements["fashion-mlp"] == "too few runs"


def test_the_answer_counts_the_rows(base, rows):
    assert answer(rows)[0].startswith("3 of 7 rows were run, 1 in full")
    assert answer(rows)[0].endswith("; not run: nmnist-cnn-t100, fashion-cnn, cifar10-cnn, cifar10-wide.")
    assert answer(make_rows(base, {}))[0] == "None of the 7 rows has been run yet."
    nothing_to_compare = make_rows(base, {"cifar10-wide": make_run(base, "cifar10-wide", epochs=150)})
    assert "nothing to compare with" in answer(nothing_to_compare)[1]
    short = make_rows(base, {"mnist-cnn": make_run(base, "mnist-cnn")})
    assert "none in full" in answer(short)[0] and "none of them can be judged" in answer(short)[1]


def test_the_answer_counts_the_verdicts_of_full_rows_only(base):
    runs = {
        "mnist-cnn": make_run(base, "mnist-cnn", epochs=100, plateau=50.0),
        "fashion-mlp": make_run(base, "fashion-mlp", epochs=100, plateau=99.9),
        "cifar10-wide": make_run(base, "cifar10-wide", epochs=150),
        "fashion-cnn": make_run(base, "fashion-cnn", plateau=20.0),
    }
    expected = "1 higher (fashion-mlp); 1 lower (mnist-cnn); 1 without published runs to compare with (cifar10-wide), by"
    assert expected in answer(make_rows(base, runs))[1]


def test_a_full_row_without_spread_is_not_called_unpublished(base):
    record, provenance = make_run(base, "fashion-mlp", epochs=100)
    seeds = tuple(record.seeds[0].model_copy(update={"seed": seed.seed}) for seed in record.seeds)
    runs = {
        "fashion-mlp": (record.model_copy(update={"seeds": seeds}), provenance),
        "mnist-cnn": make_run(base, "mnist-cnn", epochs=100),
    }
    assert "1 without an interval to judge by (fashion-mlp), by" in answer(make_rows(base, runs))[1]


def test_what_stood_in_for_official_data_is_said_of_every_such_row(base):
    part, copies = "100 of the 10,000 test recordings", "5,000 training and 1,000 test images from lossy copies"
    runs = {
        "cifar10-cnn": make_run(base, "cifar10-cnn", seeds=(0,), epochs=9, subset=(copies,)),
        "nmnist-cnn-t30": make_run(base, "nmnist-cnn-t30", subset=(part,)),
        "cifar10-wide": make_run(base, "cifar10-wide", seeds=(0,), epochs=4, subset=(copies,)),
        "mnist-cnn": make_run(base, "mnist-cnn", epochs=100),
    }
    said = f"Not the official data: nmnist-cnn-t30 ({part}); cifar10-cnn, cifar10-wide ({copies})."
    rows = make_rows(base, runs)
    assert said in answer(rows) and said in readme_table(rows)
    assert not any("official data:" in sentence for sentence in answer(make_rows(base, {"mnist-cnn": runs["mnist-cnn"]})))
