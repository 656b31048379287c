"""What DVC shows of the runs: curves and confusion matrices of every model, and a table of metrics that fits a terminal."""

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from tests.support.paths import ROOT
from tests.support.record_builders import make_record
from tests.support.report_builders import make_run
from tests.support.report_builders import settings as protocol
from tsslbp.report.rows import make_rows
from tsslbp.report.texts import confusion_csv
from tsslbp.settings import load_settings
from tsslbp.storage.record_files import write_record

PIPELINES = {"dvc.yaml": "params.yaml", "quickstart/dvc.yaml": "quickstart/params.yaml"}
TEMPLATES = {path.stem: path for path in (ROOT / ".dvc/plots").glob("*.json")}


def plots(pipeline: str) -> dict[str, dict]:
    """The entries of a pipeline's section of plots, by name."""
    return {name: plot for entry in yaml.safe_load((ROOT / pipeline).read_text())["plots"] for name, plot in entry.items()}


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_every_model_has_its_curves_and_every_plot_a_file_that_the_pipeline_writes(pipeline):
    settings = load_settings(ROOT / PIPELINES[pipeline])
    found = plots(pipeline)
    curves = {f"{what} of {key}" for key in settings.models for what in ("accuracy", "loss")}
    assert set(found) == {*curves, "confusion matrices"}
    folder = (ROOT / pipeline).parent
    histories = {settings.folders.runs / key / "history.csv" for key in settings.models}
    written = {(folder / path).relative_to(ROOT) for plot in found.values() for path in plot["y"]}
    assert written == {*histories, settings.folders.reports / "confusion.csv"}
    for name, plot in found.items():
        assert plot["template"] in TEMPLATES
        assert all(name.endswith(f" of {Path(path).parent.name}") for path in plot["y"] if path.endswith("history.csv"))


@pytest.mark.parametrize("path", TEMPLATES.values(), ids=TEMPLATES)
def test_a_template_shows_the_states_that_are_compared_side_by_side(path):
    template = json.loads(path.read_text())
    assert template["data"] == {"values": "<DVC_METRIC_DATA>"}
    assert template["facet"]["column"]["field"] == "rev"


def test_the_columns_that_are_plotted_are_in_the_files(tmp_path):
    write_record(tmp_path, *make_record())
    columns = set(next(csv.reader((tmp_path / "history.csv").open())))
    curves = {(plot["x"], *plot["y"].values()) for name, plot in plots("dvc.yaml").items() if name != "confusion matrices"}
    assert {column for names in curves for column in names} | {"seed"} <= columns


def test_confusion_counts_the_samples_of_all_seeds_with_the_names_of_their_classes():
    base = protocol()
    runs = {"fashion-mlp": make_run(base, "fashion-mlp", seeds=(0, 1))}
    lines = list(csv.DictReader(io.StringIO(confusion_csv(make_rows(base, runs), runs))))
    matrices = np.array([seed.confusion for seed in runs["fashion-mlp"][0].seeds])
    assert {line["model"] for line in lines} == {"fashion-mlp"}
    assert [int(line["samples"]) for line in lines] == matrices.sum(0).flatten().tolist()
    names = base.datasets["fashion_mnist"].class_names
    assert [(line["true_class"], line["taken_for"]) for line in lines[:2]] == [(names[0], names[0]), (names[0], names[1])]
    plot = plots("dvc.yaml")["confusion matrices"]
    assert {plot["x"], *plot["y"].values(), "model", "samples"} == set(lines[0])


def test_without_runs_the_file_of_confusions_has_its_header_alone():
    base = protocol()
    assert confusion_csv(make_rows(base, {}), {}) == "model,true_class,taken_for,samples\n"


def dvc(*arguments: str) -> str:
    command = [sys.executable, "-m", "dvc", *arguments]
    environment = {**os.environ, "DVC_NO_ANALYTICS": "1", "COLUMNS": "120"}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout


@pytest.mark.slow
def test_dvc_draws_the_plots():
    spec = json.loads(dvc("plots", "show", "--show-vega", "dvc.yaml::accuracy of fashion-mlp"))
    spec = spec[0] if isinstance(spec, list) else spec
    assert spec["spec"]["encoding"]["y"]["field"] == "test_accuracy"
    assert {value["seed"] for value in spec["data"]["values"]} == {"0", "1", "2", "3", "4"}


@pytest.mark.slow
def test_dvcs_table_of_metrics_fits_120_columns():
    lines = dvc("metrics", "show").splitlines()
    assert len(lines) > 20
    assert max(map(len, lines)) <= 120


def test_what_the_quickstart_makes_is_not_seen_by_git_and_dvc_may_keep_its_lock_file():
    """`make quickstart` puts the lock file out of sight when DVC is done: DVC refuses one that git ignores."""

    def ignored(path: str) -> bool:
        return subprocess.run(["git", "check-ignore", "--quiet", path], cwd=ROOT, check=False).returncode == 0

    settings = load_settings(ROOT / "quickstart/params.yaml")
    made = [settings.folders.reports / "results.html", settings.folders.runs / "digits-mlp/record.json", settings.folders.data / "raw"]
    assert all(ignored(str(path)) for path in (*made, "quickstart/.dvc.lock"))
    assert not ignored("quickstart/dvc.lock")
    lines = subprocess.run(["make", "--dry-run", "quickstart"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "mv quickstart/dvc.lock quickstart/.dvc.lock" in lines
