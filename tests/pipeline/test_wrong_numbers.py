"""Numbers that go wrong, through the real stages: told where they do, that seed marked as failed, the others trained."""

import csv
import re
import shutil

import pytest

from tests.support import in_process
from tests.support.in_process import run_stage
from tests.support.poison import poison
from tests.support.project import MODEL, Project, results
from tests.support.tracking_helpers import active_runs, history
from tsslbp.storage.record_files import read_record
from tsslbp.tracking import tracking_store

pytestmark = pytest.mark.usefixtures("quick_pictures")
EXPERIMENT = "tsslbp-quickstart"
RATES = r"firing rates of the layers: [01]\.\d{4}, [01]\.\d{4}"


def train(project: Project, code: int = 0) -> None:
    assert in_process.train(project.folder, MODEL) == code


def statuses(project: Project) -> dict[str, str]:
    return {name: run.info.status for name, run in active_runs(tracking_store(project.folder), EXPERIMENT).items()}


def test_a_loss_that_is_no_number_fails_its_seed_at_its_epoch_and_no_other(project, monkeypatch, capsys):
    poison(monkeypatch, seed=0, epoch=2)
    train(project)
    printed = capsys.readouterr()
    (line,) = [line for line in printed.err.splitlines() if "FAILED" in line]
    assert line.startswith(f"warning: {MODEL} seed 0 FAILED: epoch 2, sample ")
    assert "nan" in line
    assert re.search(RATES, line)
    assert f"{MODEL} seed 1: best" in printed.out
    assert (
        f"once the cause is gone, `python -m stages.fit --params params.yaml --model {MODEL} --seeds 0` trains what failed" in printed.out
    )
    record, provenance = read_record(project.folder / "reports/runs" / MODEL)
    assert [seed.seed for seed in record.seeds] == [1]
    assert [bool(seed.failed) for seed in provenance.seeds] == [True, False]
    assert [bool(seed.run_id) for seed in provenance.seeds] == [True, False]


def test_mlflow_and_the_table_show_the_failed_seed_and_where(project, monkeypatch):
    poison(monkeypatch, seed=0, epoch=3)
    train(project)
    assert statuses(project) == {MODEL: "FAILED", f"{MODEL} seed 0": "FAILED", f"{MODEL} seed 1": "FINISHED"}
    store = tracking_store(project.folder)
    failed = active_runs(store, EXPERIMENT)[f"{MODEL} seed 0"]
    assert [epoch for epoch, _ in history(store, failed)] == [1, 2]
    _, provenance = read_record(project.folder / "reports/runs" / MODEL)
    assert provenance.seeds[0].run_id == failed.data.tags["tsslbp.run_id"]  # so the report finds it where the live log had given up
    assert any("epoch 3" in value and "firing rates" in value for value in failed.data.tags.values())
    assert run_stage(project.folder, "report") == 0
    with (project.folder / "reports/results.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert row["seeds"] == "1"
    assert "seed 0" in row["note"]


def test_a_seed_that_failed_is_made_up_for_once_its_cause_is_gone(project, prepared, tmp_path, monkeypatch):
    with monkeypatch.context() as broken:
        poison(broken, seed=0, epoch=2)
        train(project)
    train(project)
    assert set(statuses(project).values()) == {"FINISHED"}
    assert not any(seed.failed for seed in read_record(project.folder / "reports/runs" / MODEL)[1].seeds)
    whole = Project(tmp_path / "whole")
    shutil.copytree(prepared.folder, whole.folder, dirs_exist_ok=True)
    train(whole)
    assert results(project.folder) == results(whole.folder)


def test_a_network_that_stays_silent_fails_with_its_firing_rates(project, capsys):
    project.change("threshold: 1.0", "threshold: 1000.0")
    train(project, code=1)
    err = capsys.readouterr().err
    for seed in (0, 1):
        assert (
            f"{MODEL} seed {seed} FAILED: epoch 3: layer 1 never fired on the test set for 3 epochs; firing rates of the layers: 0.0000, "
            in err
        )
    assert f"{MODEL}: every seed failed" in err
    assert statuses(project) == dict.fromkeys((MODEL, f"{MODEL} seed 0", f"{MODEL} seed 1"), "FAILED")
    assert not (project.folder / "reports/runs" / MODEL).exists()  # a failure replaces nothing by itself
    assert run_stage(project.folder, "train", "--model", MODEL) == 0
    record, provenance = read_record(project.folder / "reports/runs" / MODEL)
    assert record.seeds == ()
    assert all("never fired" in (seed.failed or "") for seed in provenance.seeds)
    assert run_stage(project.folder, "report") == 0
    assert "seeds 0, 1 failed: epoch 3" in (project.folder / "reports/results.md").read_text()
