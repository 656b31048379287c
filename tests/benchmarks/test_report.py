"""The benchmark's files say the same, and what one has to know to trust them."""

import csv

import pytest

from benchmarks import run
from benchmarks.cases import LayerCase, Sweep, changed, network_cases
from benchmarks.machine import Conditions
from benchmarks.measurement import Trial
from benchmarks.page.csv_table import csv_text
from benchmarks.page.report import markdown
from benchmarks.page.results import Results
from benchmarks.page.scaling import points, straight_line
from benchmarks.roster import COMPILED, LOWER_BOUND, LOWER_BOUND_ONCE, NOT_COMPILED, OURS, PEERS
from benchmarks.row_of_table import RowTime, Way
from benchmarks.row_of_table import csv_text as row_csv
from stages.display import ScreenProgress
from tests.benchmarks.builders import measured

CONDITIONS = Conditions((("machine", "Zen"), ("software", "torch 2")), 0.0)


def page(measurements, **changes) -> str:
    return markdown(Results(CONDITIONS, measurements, **changes))


def line_of(text: str, start: str) -> list[str]:
    line = next(line for line in text.splitlines() if line.startswith(start))
    return [cell.strip(" *") for cell in line.strip("|").split("|")]


def test_the_tables_and_the_csv_say_the_same(settings):
    (case,) = network_cases(settings, ["mnist-cnn"])
    measurements = [
        measured(case, OURS, (0.02, 0.025, 0.03)),
        measured(case, LOWER_BOUND, (0.02,)),
        measured(case, LOWER_BOUND_ONCE, (0.01,)),
    ]
    measurements += [measured(case, NOT_COMPILED[0], (0.05,)), measured(case, COMPILED[0], (0.0375,))]
    text = page(measurements)
    rows = {row["implementation"]: row for row in csv.DictReader(csv_text(measurements).splitlines())}
    ours = rows["tsslbp"]
    assert float(ours["seconds_median"]) == 0.025
    assert float(ours["seconds_first_quartile"]) == pytest.approx(0.0225)
    assert float(ours["samples_per_second"]) == pytest.approx(2000)
    assert line_of(text, "| TSSL-BP (this project) |")[1] == "2,000 [1,818, 2,222]"
    assert line_of(text, "| **this project, times the fastest library** |")[1] == "1.50"
    assert line_of(text, "| **this project, times the fastest library that is not compiled** |")[1] == "2.00"
    limits = line_of(text, "| mnist-cnn | 25.0")
    assert (limits[4], limits[5], limits[7]) == ("1.25", "1.88", "2.50")
    assert "do not trust" not in text


def test_a_compiled_library_stands_in_the_main_table_and_jax_beside_it(settings):
    (case,) = network_cases(settings, ["mnist-cnn"])
    on_jax = next(entry for entry in PEERS if entry.on_jax)
    text = page([measured(case, OURS, (0.03,)), measured(case, COMPILED[0], (0.05,)), measured(case, on_jax, (0.02,))])
    training = text[text.index("## Training") : text.index("## Inference")]
    assert "1,000 [1,000, 1,000]" in "".join(line_of(training, f"| {COMPILED[0].title}"))
    assert "2,500 [2,500, 2,500]" in "".join(line_of(training, f"| {on_jax.title}"))
    assert line_of(training, "| **this project, times the fastest library** |")[1] == "0.67"


def test_a_claim_names_machine_and_versions_and_what_is_slower_here_is_listed(settings):
    (case,) = network_cases(settings, ["mnist-cnn"])
    faster, slower = NOT_COMPILED[:2]
    text = page([measured(case, OURS, (0.03,)), measured(case, faster, (0.02,), peak=2_000_000), measured(case, slower, (0.05,))])
    said = text[text.index("## What it says") : text.index("## What is slower")]
    assert "Measured on Zen, torch 2:" in said
    assert f"0.67 times the fastest library, {faster.title}" in said
    behind = text[text.index("## What is slower") : text.index("## Training")]
    assert f"- mnist-cnn, training: {faster.title}" in behind
    assert "1.50 times as fast" in behind
    assert slower.title not in behind
    assert f"- mnist-cnn, memory: 2 MB, {faster.title} 1 MB" in behind


def test_memory_of_what_is_compiled_is_an_upper_bound_and_listed_where_even_that_is_less(settings):
    (case,) = network_cases(settings, ["mnist-cnn"])
    text = page([measured(case, OURS, (0.03,), peak=9_000_000), measured(case, COMPILED[0], (0.05,), peak=4_000_000)])
    behind = text[text.index("## What is slower") : text.index("## Training")]
    assert f"- mnist-cnn, memory: 8 MB, {COMPILED[0].title} ≤ 3 MB" in behind
    assert "≤ 3" in "".join(line_of(text[text.index("## Memory") :], f"| {COMPILED[0].title}"))


def test_where_nothing_is_slower_the_page_says_so(settings):
    (case,) = network_cases(settings, ["mnist-cnn"])
    text = page([measured(case, OURS, (0.03,)), measured(case, NOT_COMPILED[0], (0.05,))])
    assert "## What is slower here than elsewhere\n\nNothing that was measured.\n" in text


def test_where_this_project_was_not_measured_the_page_says_that(settings):
    one, other = network_cases(settings, ["mnist-cnn", "fashion-mlp"])
    alone = page([measured(one, NOT_COMPILED[0], (0.05,))])
    assert "## What is slower here than elsewhere\n\nThis project was not measured.\n" in alone
    partly = page([measured(one, NOT_COMPILED[0], (0.05,)), measured(other, OURS, (0.02,))])
    assert "## What is slower here than elsewhere\n\n- mnist-cnn: this project was not measured\n" in partly


def test_the_heading_of_what_was_tried_says_which_cases_were_compared_by_a_part(settings):
    one, large = network_cases(settings, ["mnist-cnn", "cifar10-cnn"])
    layer = LayerCase("linear-lif-512", 512, linear=True)
    trials = [Trial(case, NOT_COMPILED[0], (("LIF", 0.1), ("Leaky", 0.2))) for case in (one, large, layer)]
    text = page([measured(one, OURS, (0.03,))], trials=trials)
    assert "takes above a second; cifar10-cnn with a batch of 10, linear-lif-512 by its LIF layer alone:" in text
    assert "takes above a second:" in page([measured(one, OURS, (0.03,))], trials=trials[:1])


def test_disturbed_turns_are_flagged_where_they_are_and_counted_at_the_top(settings):
    (case,) = network_cases(settings, ["mnist-cnn"])
    text = page([measured(case, OURS, (0.02, 0.03), repeated=4, disturbed=1), measured(case, LOWER_BOUND, (0.02, 0.02))])
    assert "during 1 of 4 turns" in text
    assert line_of(text, "- mnist-cnn (")[0].endswith("†")
    assert line_of(text, "| TSSL-BP (this project) |")[1].endswith("†")
    assert not line_of(text, "| mnist-cnn | 25.0")[2].endswith("†")
    rows = {
        row["implementation"]: row
        for row in csv.DictReader(csv_text([measured(case, OURS, (0.02,), repeated=4, disturbed=1)]).splitlines())
    }
    assert (rows["tsslbp"]["turns_repeated"], rows["tsslbp"]["turns_disturbed"]) == ("4", "1")


def test_a_shortened_run_says_so():
    assert "A shortened run" in page([], shortened=True)


def test_the_row_of_the_table_is_extrapolated_openly():
    row = RowTime("mnist-cnn", 100, 240, Way(2, 1, (30.0, 36.0)), Way(1, 2, (20.0, 22.0)))
    text = page([], row=row)
    assert row.side_by_side.minutes(100) == pytest.approx(5 * 100 * 33 / 60)
    assert row.in_turn.minutes(100) == pytest.approx(10 * 100 * 21 / 60)
    assert "275 minutes with 2 seeds at a time and 1 thread each" in text
    assert "350 in turn with 2 threads: 0.79 times as long. Extrapolated from 240 training steps" in text
    side, turn = csv.DictReader(row_csv(row).splitlines())
    assert (side["way"], float(side["minutes"]), float(turn["minutes"])) == ("side by side", 275, 350)


def test_an_odd_number_of_slots_leaves_some_idle_in_the_last_round():
    assert Way(3, 1, (60.0,)).minutes(1) == 4  # ten seeds in four rounds of three


def test_a_straight_line_is_recognized_and_a_bend_measured():
    line = straight_line([1, 2, 4], [5.0, 7.0, 11.0])
    assert (line.offset, line.slope, line.deviation) == pytest.approx((3, 2, 0), abs=1e-9)
    assert straight_line([1, 2, 4, 8], [1, 4, 16, 64]).deviation > 0.3


def test_the_points_of_a_sweep_come_with_their_lower_bound(settings):
    cases = tuple((value, changed(settings, "mnist-cnn", f"s-{value}", {"batch_size": value})) for value in (1, 2))
    found = points(Sweep("s", "batch", cases), [measured(cases[0][1], OURS, (0.1,)), measured(cases[0][1], LOWER_BOUND, (0.05,))])
    assert [(point.value, point.seconds, point.memory, point.bound.median) for point in found] == [(1, 0.1, 2_000_000, 0.05)]


def test_an_interrupted_run_writes_the_cases_that_are_complete_beside_the_report(settings, tmp_path, monkeypatch):
    def interrupted_in_the_second(group, effort, progress):
        case = group.jobs[0].case
        if case.name == "mnist-cnn":
            raise KeyboardInterrupt
        return [measured(case, OURS, (0.02,)), measured(case, LOWER_BOUND, (0.01,))], []

    monkeypatch.setattr(run, "_measured", interrupted_in_the_second)
    plan = run.Plan(settings, ["fashion-mlp", "mnist-cnn"], [OURS, LOWER_BOUND], threads=1)
    with pytest.raises(KeyboardInterrupt):
        run.run(plan, tmp_path / "report", tmp_path / "unfinished", [], ScreenProgress())
    assert not (tmp_path / "report").exists()
    text = (tmp_path / "unfinished/results.md").read_text()
    assert "A shortened run" in text
    assert line_of(text, "| fashion-mlp | 20.0")[4] == "2.00"
    assert "mnist-cnn" not in text
