"""The real pipeline, end to end, through DVC in a copy of the project: what runs, what is left alone, what comes out."""

import csv
import json
import re
import shutil

import pytest

from tests.pipeline.project_copy import Copy
from tests.support.project import small_settings


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    return Copy(tmp_path_factory.mktemp("pipeline") / "project")


@pytest.fixture(scope="module")
def done(copy, empty_database):
    """The quickstart cut down to one small model and three epochs, and run."""
    shutil.copy(empty_database, copy.folder / "quickstart/mlflow.db")
    (copy.folder / "quickstart/params.yaml").write_text(small_settings(3, architecture="200"))
    copy.output = copy.run("dvc", "repro", "quickstart/dvc.yaml:report")
    return copy


def test_the_pipeline_runs_from_raw_data_to_the_table(done):
    with (done.folder / "quickstart/reports/results.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert row["model"] == "digits-mlp"
    assert (row["seeds"], row["epochs"]) == ("2", "3")
    assert float(row["best_mean"]) > 50  # chance is 10
    metrics = json.loads((done.folder / "quickstart/reports/runs/digits-mlp/metrics.json").read_text())
    assert metrics["best_mean"] == pytest.approx(float(row["best_mean"]))
    assert f"{metrics['best_mean']:.2f}" in (done.folder / "quickstart/reports/results.html").read_text()


def test_mlflow_holds_each_seed_once_with_every_epoch(done):
    from tsslbp.storage.record_files import read_record
    from tsslbp.tracking import accuracies, tracking_store, verify

    record, _ = read_record(done.folder / "quickstart/reports/runs/digits-mlp")
    store = tracking_store(done.folder / "quickstart")
    frame = accuracies(store, record.experiment, [seed.run_id for seed in record.seeds])
    assert sorted(zip(frame.seed.astype(int), frame.epoch, strict=True)) == [(seed, epoch) for seed in (0, 1) for epoch in (1, 2, 3)]
    verify(store, [record])


def test_a_second_run_does_nothing(done):
    out = done.run("dvc", "repro", "quickstart/dvc.yaml:report")
    assert "Running stage" not in out


def test_metrics_show_lists_the_accuracies(done):
    assert "best_mean" in done.run("dvc", "metrics", "show", "--md")


def test_the_graph_goes_one_way(copy):
    out = copy.run("dvc", "dag", "--mermaid")
    names = dict(re.findall(r'(node\d+)\["([^"]+)"\]', out))
    edges = {(names[a], names[b]) for a, b in re.findall(r"(node\d+)-->(node\d+)", out)}
    assert ("download@mnist", "preprocess@mnist") in edges
    assert ("preprocess@nmnist", "fit@nmnist-cnn-t30") in edges
    assert ("digest", "fit@nmnist-cnn-t30") in edges
    assert ("fit@cifar10-wide", "train@cifar10-wide") in edges
    assert ("train@cifar10-wide", "report") in edges
    order = {"download": 0, "preprocess": 1, "digest": 1, "fit": 2, "train": 3, "report": 4}
    for a, b in edges:
        before, after = (order[re.sub(r".*:", "", name).split("@")[0]] for name in (a, b))
        assert before < after


@pytest.mark.slow
def test_one_models_learning_rate_makes_that_model_alone_stale_and_a_constant_of_the_method_all(copy):
    """A lock file as after a full run is written from the pipeline's own state, so nothing has to be trained for this."""
    models = ["mnist-cnn", "fashion-mlp", "cifar10-wide"]
    for key in models:
        for path in (
            f"checkpoints/{key}/seed-0-final.safetensors",
            *(f"reports/runs/{key}/{n}" for n in ("history.csv", "record.json", "provenance.json", "metrics.json")),
        ):
            (copy.folder / path).parent.mkdir(parents=True, exist_ok=True)
            (copy.folder / path).write_text("{}")
    for dataset in ("mnist", "fashion_mnist", "cifar10"):
        (copy.folder / "data/processed" / dataset).mkdir(parents=True)
        (copy.folder / "data/processed" / dataset / "data.json").write_text("{}")
    copy.run("dvc", "repro", "digest")
    copy.run("dvc", "commit", "--force", *(f"{stage}@{key}" for key in models for stage in ("fit", "train")))
    trained = {f"train@{key}" for key in models}
    assert not copy.stale() & trained
    params = copy.folder / "params.yaml"
    before = params.read_text()
    section = before.index("  fashion-mlp:")
    params.write_text(before[:section] + before[section:].replace("learning_rate: 0.0005", "learning_rate: 0.0006", 1))
    assert copy.stale() & trained == {"train@fashion-mlp"}
    params.write_text(before)
    rules = copy.folder / "tsslbp/method/neuron/rules.py"
    code = rules.read_text()
    rules.write_text(code.replace("SURROGATE_WIDTH = 0.2", "SURROGATE_WIDTH = 0.2  # touched"))
    copy.run("dvc", "repro", "digest")
    assert not copy.stale() & trained
    rules.write_text(code.replace("SURROGATE_WIDTH = 0.2", "SURROGATE_WIDTH = 0.3"))
    copy.run("dvc", "repro", "digest")
    assert trained <= copy.stale()
