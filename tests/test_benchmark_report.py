"""The benchmark's files say the same, and what one has to know to trust them."""

import csv
import os

import pytest

from benchmarks.cases import Sweep, changed, network_cases
from benchmarks.machine import Conditions, ProcessorTime
from benchmarks.measurement import Measurement
from benchmarks.report import Results, markdown
from benchmarks.roster import DENSE, OURS, PEERS
from benchmarks.scaling import points, straight_line
from benchmarks.table import csv_text
from benchmarks.worker import Findings


def measured(case, entry, seconds, mode="train", peak=3_000_000) -> Measurement:
    return Measurement(case, entry, mode, seconds, 1, "", Findings((0.1,), "made", 1_000_000, peak))


def test_the_tables_and_the_csv_say_the_same(settings):
    (case,) = network_cases(settings, ["mnist-cnn"])
    measurements = [measured(case, OURS, (0.02, 0.025, 0.03)), measured(case, DENSE, (0.02,)), measured(case, PEERS[0], (0.05,))]
    text = markdown(Results(Conditions((("machine", "a"),), 0.0), measurements))
    rows = {row["contestant"]: row for row in csv.DictReader(csv_text(measurements).splitlines())}
    ours = rows["tsslbp"]
    assert float(ours["seconds_median"]) == 0.025
    assert float(ours["seconds_first_quartile"]) == pytest.approx(0.0225)
    assert float(ours["samples_per_second"]) == pytest.approx(2000)
    line = next(line for line in text.splitlines() if line.startswith("| mnist-cnn: "))
    assert [cell.strip() for cell in line.split("|")[2:4]] == ["2,000 [1,818, 2,222]", "1,000 [1,000, 1,000]"]
    assert line.rstrip("| ").endswith("2.00")  # 0.05 / 0.025
    limit = next(line for line in text.splitlines() if line.startswith("| mnist-cnn | 25.0"))
    assert limit.split("|")[5].strip() == "1.25"
    assert "do not trust" not in text


def test_a_disturbed_or_shortened_run_says_so():
    text = markdown(Results(Conditions((), 0.0, others=0.2), [], shortened=True))
    assert "do not trust these numbers" in text
    assert "A shortened run" in text


def test_what_other_programs_take_is_what_is_left_of_the_busy_time():
    cores = os.cpu_count() or 1
    before, after = ProcessorTime(0, 100, 10), ProcessorTime(10, 100 + 7 * cores, 10 + 5 * cores)
    assert before.others_until(after) == pytest.approx(0.2)


def test_a_straight_line_is_recognised_and_a_bend_measured():
    line = straight_line([1, 2, 4], [5.0, 7.0, 11.0])
    assert (line.offset, line.slope, line.deviation) == pytest.approx((3, 2, 0), abs=1e-9)
    assert straight_line([1, 2, 4, 8], [1, 4, 16, 64]).deviation > 0.3


def test_the_points_of_a_sweep_come_with_their_dense_limit(settings):
    cases = tuple((value, changed(settings, "mnist-cnn", f"s-{value}", {"batch_size": value})) for value in (1, 2))
    found = points(Sweep("s", "batch", cases), [measured(cases[0][1], OURS, (0.1,)), measured(cases[0][1], DENSE, (0.05,))])
    assert [(point.value, point.seconds, point.memory, point.dense.median) for point in found] == [(1, 0.1, 2_000_000, 0.05)]
