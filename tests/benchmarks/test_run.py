"""A whole run that goes wrong: what was measured before is written, and what cannot go well is refused at the start."""

import csv

import pytest

from benchmarks import row_of_table, run
from benchmarks.__main__ import main
from benchmarks.roster import LOWER_BOUND, NOT_COMPILED, OURS
from stages.display import ScreenProgress
from tests.benchmarks.builders import measured


@pytest.fixture(autouse=True)
def every_job_takes_20_ms(monkeypatch):
    def done(group, _effort, _progress):
        return [measured(job.case, job.entry, (0.02,)) for job in group.jobs], []

    monkeypatch.setattr(run, "_measured", done)


def start(settings, folder, cases, entries=(OURS, LOWER_BOUND)):
    plan = run.Plan(settings, cases, entries, threads=1)
    return run.run(plan, folder / "report", folder / "unfinished", [], ScreenProgress())


def cases_of(folder) -> list[str]:
    return [row["case"] for row in csv.DictReader((folder / "results.csv").open())]


@pytest.mark.parametrize("error", [ValueError("seed 0 failed"), RuntimeError("no such thing"), SystemExit(3)])
def test_whatever_stops_a_run_the_complete_cases_are_written(error, settings, tmp_path, monkeypatch):
    def fail(*_):
        raise error

    monkeypatch.setattr(run, "measure_row", fail)
    with pytest.raises(type(error)):
        start(settings, tmp_path, ["mnist-cnn", "row-of-the-table"])
    assert cases_of(tmp_path / "unfinished") == ["mnist-cnn"] * 2
    assert "A shortened run" in (tmp_path / "unfinished/results.md").read_text()
    assert not (tmp_path / "report").exists()


def test_a_row_whose_process_is_killed_is_one_line(settings, monkeypatch):
    class Killed:
        def __init__(self, *_):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def submit(self, *_):
            raise row_of_table.BrokenProcessPool("gone")

    monkeypatch.setattr(row_of_table, "ProcessPoolExecutor", Killed)
    with pytest.raises(ValueError, match="row-of-the-table: its process was ended"):
        row_of_table.measure_row(settings, threads=1, turns=1, repeats=0, share=0.001)


def test_a_file_in_the_place_of_the_folder_is_refused_before_anything_is_measured(settings, tmp_path, monkeypatch):
    (tmp_path / "report").write_text("")
    monkeypatch.setattr(run, "_measured", lambda *_: pytest.fail("measured"))
    with pytest.raises(ValueError, match="report: cannot be a folder"):
        start(settings, tmp_path, ["mnist-cnn"])
    assert not (tmp_path / "unfinished").exists()


def test_a_chart_that_cannot_be_drawn_takes_no_numbers_along(settings, tmp_path, monkeypatch):
    def fail(_):
        raise RuntimeError("no font")

    monkeypatch.setattr("benchmarks.page.charts.pictures", fail)
    with pytest.raises(RuntimeError, match="no font"):
        start(settings, tmp_path, ["mnist-cnn"])
    assert cases_of(tmp_path / "report") == ["mnist-cnn"] * 2


def test_what_none_of_the_implementations_takes_part_in_is_said_and_left_out(settings, tmp_path, capsys):
    assert start(settings, tmp_path, ["mnist-cnn", "scaling-time", "row-of-the-table"], [NOT_COMPILED[0]])
    said = capsys.readouterr().err
    assert "none of --implementations takes part in scaling-time" in said
    assert "none of --implementations takes part in row-of-the-table" in said
    assert cases_of(tmp_path / "report") == ["mnist-cnn"]


@pytest.mark.parametrize("cases", [["scaling-time", "scaling-batch"], ["row-of-the-table"]])
def test_nothing_to_measure_is_one_line(cases, tmp_path, capsys, monkeypatch):
    arguments = ["--quick", "--cases", *cases, "--implementations", NOT_COMPILED[0].name, "--output", str(tmp_path / "out")]
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"benchmarks: nothing to measure: none of --implementations takes part in {cases[0]}")
    assert len(error.splitlines()) == 1
    assert not (tmp_path / "out").exists()
