"""What stays of an implementation that fails on its way, and what is said of those that cannot be measured at all."""

import csv

import pytest

from benchmarks.machine import Conditions
from benchmarks.page.csv_table import csv_text
from benchmarks.page.report import markdown
from benchmarks.page.results import Results
from benchmarks.processes import turns
from benchmarks.processes.commands import Findings, Turn
from benchmarks.processes.job import Job, WorkerError
from benchmarks.roster import COMPILED, NOT_COMPILED, OURS, PEERS
from tests.benchmarks.builders import small

EFFORT = turns.Effort(1, 1, 0.0, repeats=0)


class FakeWorker:
    """Answers at once, but fails at one command."""

    def __init__(self, fails_at):
        self._fails_at = fails_at
        self._asked = []

    def send(self, *command):
        self._asked.append(command)

    def receive(self):
        command = self._asked.pop()
        if command[: len(self._fails_at)] == self._fails_at:
            raise WorkerError("broken")
        answers = {"warm_up": (0.01, 1), "turn": Turn(0.02, 0.0), "findings": Findings((0.1,), "synthetic", 1, 2_000_001)}
        return answers.get(command[0])

    def ask(self, *command):
        self.send(*command)
        return self.receive()

    def dismiss(self):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


def measured(settings, monkeypatch, *fails_at):
    """This project beside a library that fails at a command."""
    jobs = [Job(small(settings), entry, 1) for entry in (OURS, NOT_COMPILED[0])]
    monkeypatch.setattr(turns, "start", lambda job: FakeWorker(fails_at if job.entry is not OURS else ("never",)))
    return turns.measure(jobs, EFFORT, lambda _: lambda _: None)


def page(measurements) -> str:
    return markdown(Results(Conditions((("machine", "Zen"),), 0.0), measurements))


@pytest.mark.parametrize("fails_at", [("warm_up", "infer"), ("turn", "infer")])
def test_training_stays_where_inference_fails(fails_at, settings, monkeypatch):
    monkeypatch.setattr("benchmarks.roster.version", lambda _: "1.0")
    found = measured(settings, monkeypatch, *fails_at)
    of_peer = [(m.mode, m.seconds, m.note) for m in found if m.entry is not OURS]
    assert of_peer == [("infer", (), "failed in inference: broken"), ("train", (0.02,), "")]
    text = page(found)
    inference = text[text.index("## Inference") : text.index("## Memory")]
    assert f"| {NOT_COMPILED[0].title} 1.0 | failed |" in inference
    assert "failed in inference: broken" in text[text.index("## How each ran") :]
    rows = [row for row in csv.DictReader(csv_text(found).splitlines()) if row["implementation"] != "tsslbp" and row["mode"] == "train"]
    assert [(row["seconds_median"], row["peak_memory_bytes"]) for row in rows] == [("0.02", "")]


def test_both_modes_stay_where_only_memory_and_rates_are_unknown(settings, monkeypatch):
    found = measured(settings, monkeypatch, "findings")
    of_peer = [(m.mode, m.seconds, m.note) for m in found if m.entry is not OURS]
    assert of_peer == [("train", (), "failed: broken"), ("train", (0.02,), ""), ("infer", (0.02,), "")]
    text = page(found)
    assert "memory:" not in text  # nothing is known of it: it is not the smaller
    assert "| 0 |" not in text[text.index("## Memory") : text.index("## How each ran")]


def test_training_that_fails_is_filed_under_training(settings, monkeypatch):
    found = measured(settings, monkeypatch, "turn", "train")
    assert [(m.mode, m.note) for m in found if m.entry is not OURS] == [("train", "failed: broken")]


def test_without_a_compiler_the_page_says_what_was_not_measured(settings, monkeypatch):
    monkeypatch.setattr(turns, "compiler", lambda: None)
    monkeypatch.setattr("benchmarks.roster.compiler", lambda: None)
    monkeypatch.setattr("benchmarks.roster.version", lambda _: "1.0")
    case, entry = small(settings), COMPILED[0]
    assert entry.takes_part(case)
    ready, _, notes = turns.find_settings([Job(case, entry, 1)], turns.QUICK)
    assert not ready
    assert [m.note for m in notes] == ["not measured: torch.compile needs a C++ compiler"]
    text = page(notes)
    assert f"| {entry.title} 1.0 | not measured |" in text
    assert notes[0].note in text


def test_the_hint_for_jax_works_without_its_environment(tmp_path, monkeypatch):
    entry = next(entry for entry in PEERS if entry.on_jax)
    monkeypatch.setattr(turns, "JAX_ENVIRONMENT", tmp_path)
    assert turns.install(entry) == "make bench"
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/python").write_text("")
    assert turns.install(entry) == ".venv-jax/bin/python -m pip install --no-deps -r requirements-jax.txt"
