"""The train stage as a user runs it: resumed, evaluated, started twice, given wrong input."""

import shutil
import signal
import time

import pytest

from tests.support.in_process import prepare, printed_by
from tests.support.project import MODEL, Project
from tsslbp.method.products import onednn_is_there

EPOCHS = 20  # so many that a signal in the first one does not come too late


@pytest.fixture(scope="module")
def trained(tmp_path_factory, empty_database):
    """A project whose model was trained without a break."""
    project = Project(tmp_path_factory.mktemp("whole") / "project", empty_database, EPOCHS)
    prepare(project.folder)
    project.output = train(project)
    return project


def train(project):
    """Train the model and publish what it came to; returns all that was printed."""
    return printed_by(project.folder, "fit", "--model", MODEL) + printed_by(project.folder, "train", "--model", MODEL)


@pytest.fixture
def project(trained, tmp_path, empty_database):
    """A project with the same data, in which nothing was trained."""
    fresh = Project(tmp_path / "project", empty_database, EPOCHS)
    shutil.copytree(trained.folder / "data", fresh.folder / "data")
    return fresh


def test_every_epoch_is_a_plain_line_and_seeds_end_with_their_accuracies(trained):
    assert f"{MODEL} seed 0 epoch 1/{EPOCHS}: loss" in trained.output
    assert f"{MODEL} seed 1: best" in trained.output
    assert "\x1b" not in trained.output


@pytest.mark.slow
@pytest.mark.parametrize("kill", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_stage_goes_on_and_ends_the_same(project, trained, kill):
    process = project.start("fit", "--model", MODEL)
    for line in process.stdout:
        if f"seed 1 epoch 1/{EPOCHS}" in line:
            process.send_signal(kill)
            break
    _, err = process.communicate(timeout=300)
    assert process.returncode == (130 if kill == signal.SIGINT else -kill)
    assert ("interrupted; the same command goes on" in err) == (kill == signal.SIGINT)
    assert not (project.folder / "reports/runs").exists()
    again = train(project)
    assert "seed 0 epoch" not in again
    assert f"seed 1 epoch 1/{EPOCHS}" not in again  # the line of an epoch comes when its checkpoint is written
    assert project.results() == trained.results()


def test_saved_weights_are_tested_by_the_documented_command(trained):
    out = printed_by(trained.folder, "train", "--model", MODEL, "--evaluate", f"checkpoints/{MODEL}/seed-0-final.safetensors")
    final = next(line for line in trained.output.splitlines() if "seed 0: best" in line).split("final ")[1].split(" ")[0]
    assert f"{final} % of 360 test samples" in out


def test_weights_of_another_network_are_refused(trained, tmp_path, empty_database):
    trained.change("architecture: 60", "architecture: 61")
    try:
        out = printed_by(trained.folder, "train", "--model", MODEL, "--evaluate", f"checkpoints/{MODEL}/seed-0-final.safetensors", code=1)
    finally:
        trained.change("architecture: 61", "architecture: 60")
    assert f"is of another network than {MODEL} has now: architecture 60 in place of 61" in out


def test_a_second_start_says_that_the_model_is_being_trained(project):
    project.change(f"epochs: {EPOCHS}", "epochs: 400")
    first = project.start("fit", "--model", MODEL)
    try:
        for line in first.stdout:
            if "epoch 1/400" in line:
                break
        out = project.run("fit", "--model", MODEL, code=1)
        assert f"training of {MODEL} is already at work in another process" in out
    finally:
        first.kill()
        first.communicate()


@pytest.mark.slow
def test_changed_settings_use_no_old_checkpoint(project):
    train(project)
    before = project.results()
    project.change("learning_rate: 0.0005", "learning_rate: 0.001")
    out = train(project)
    assert f"seed 0 epoch 1/{EPOCHS}" in out
    assert project.results()["seed-0-final.safetensors"] != before["seed-0-final.safetensors"]
    project.change("learning_rate: 0.001", "learning_rate: 0.0005")
    assert "epoch" not in train(project).replace("(epoch", "(")
    assert project.results() == before


@pytest.mark.slow
def test_an_added_seed_is_all_that_is_trained(project, trained):
    shutil.copytree(trained.folder / ".scratch", project.folder / ".scratch")
    project.change("seeds: [0, 1]", "seeds: [0, 1, 7]")
    out = train(project)
    assert f"seed 7 epoch 1/{EPOCHS}" in out
    assert "seed 0 epoch" not in out
    assert "seed 1 epoch" not in out
    for name, content in trained.results().items():
        if name.startswith("seed-"):
            assert project.results()[name] == content


def test_a_damaged_checkpoint_is_named_and_nothing_is_overwritten(project, trained):
    shutil.copytree(trained.folder / ".scratch", project.folder / ".scratch")
    checkpoint = next((project.folder / ".scratch" / MODEL).glob("*/seed-0.pt"))
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    out = printed_by(project.folder, "fit", "--model", MODEL, code=1)
    assert f"{checkpoint.relative_to(project.folder)}: is damaged" in out
    assert checkpoint.stat().st_size == 1000


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (f"epochs: {EPOCHS}", f"epohcs: {EPOCHS}", "epohcs: unknown setting"),
        (f"epochs: {EPOCHS}", "epochs: three", "epochs: got 'three'"),
        ("    dataset: digits\n", "    dataset: dgits\n", "dataset: got 'dgits'; allowed: digits, ndigits"),
        ("seeds: [0, 1]", "seeds: [1, 1]", "1 appears more than once"),
    ],
)
def test_wrong_settings_are_one_message(project, old, new, message):
    project.change(old, new)
    assert message in printed_by(project.folder, "fit", "--model", MODEL, code=1)


@pytest.mark.skipif(not onednn_is_there(), reason="this PyTorch has no oneDNN operator for dense products")
def test_products_that_this_processor_lacks_are_one_message(project, monkeypatch):
    monkeypatch.setattr("tsslbp.experiment.onednn_takes", lambda precision: precision == "float32")
    project.change("products: auto", "products: onednn")
    project.change("precision: float32", "precision: bf16")
    out = printed_by(project.folder, "fit", "--model", MODEL, code=1)
    assert f"execution.products: got 'onednn', which has no bf16 on this processor, the precision of {MODEL}; set auto or blas" in out


def test_missing_data_say_which_stage_to_run(tmp_path, empty_database):
    out = printed_by(Project(tmp_path / "project", empty_database).folder, "fit", "--model", MODEL, code=1)
    assert "preprocess" in out


@pytest.mark.slow
def test_a_server_that_is_down_costs_no_epoch(project, trained, monkeypatch):
    monkeypatch.setenv("PROJECT_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    started = time.monotonic()
    out = train(project)
    assert "warning: " in out
    assert "127.0.0.1:9" in out
    assert time.monotonic() - started < 120
    assert project.results() == trained.results()
