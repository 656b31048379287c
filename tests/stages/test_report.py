"""Stage `report`: what it refuses to write."""

import re
import subprocess
import sys

import pytest

from tests.support.in_process import run_stage, train
from tests.support.paths import ROOT
from tests.support.project import MODEL
from tests.support.tracking_helpers import changed
from tsslbp.storage.record_files import read_record, write_record


@pytest.mark.usefixtures("quick_pictures")
def test_a_record_that_differs_from_mlflow_stops_the_report_before_it_writes(project, capsys):
    assert train(project.folder, MODEL) == 0
    runs = project.folder / "reports/runs" / MODEL
    record, provenance = read_record(runs)
    write_record(runs, changed(record, 2, 12.5), provenance)
    assert run_stage(project.folder, "report") == 1
    said = capsys.readouterr().err
    assert re.search(rf"{MODEL} seed 0 \(run \w+\), epoch 2: test accuracy [\d.]+ % in MLflow, 12\.5 % in the run", said), said
    assert not (project.folder / "reports/results.csv").exists()


def test_a_study_has_no_report_of_its_own():
    command = [sys.executable, "-m", "stages.report", "--params", "studies/recipes/params.yaml"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    assert "a study has no report of its own; python -m stages.report --params params.yaml shows it" in done.stderr
