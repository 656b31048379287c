"""The raster's file: what goes in comes out, the same bytes for the same recording; and the stage that makes it from data and a network."""

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from tests.support.data_builders import event_dataset, preprocess_small, write_recordings
from tests.support.in_process import run_stage, train
from tests.support.paths import ROOT
from tsslbp.data.events import bin_events, read_events, stabilize
from tsslbp.figures.raster import Raster, draw_raster
from tsslbp.figures.raster_file import FILE_NAME, load_raster, save_raster
from tsslbp.method.network import SpikingNetwork
from tsslbp.spikes import layer_spikes


@pytest.fixture
def recording() -> Raster:
    rng = np.random.default_rng(0)
    events = np.zeros(90, dtype=[("x", "i2"), ("y", "i2"), ("p", "u1"), ("t", "i4")])
    events["t"], events["x"], events["p"] = np.sort(rng.integers(0, 60_000, 90)), rng.integers(0, 34, 90), rng.integers(0, 2, 90)
    layers = {"1: 3C5": rng.random((20, 37)) < 0.2, "2: out": rng.random((20, 10)) < 0.1}
    return Raster(events, stabilize(events), bin_events(events, 20), layers, 3000, "Data: made up, n = 1.")


def test_a_recording_comes_back_as_it_was(recording: Raster, tmp_path: Path) -> None:
    save_raster(tmp_path / FILE_NAME, recording)
    found = load_raster(tmp_path / FILE_NAME)
    for name in ("raw", "stabilized", "binned"):
        np.testing.assert_array_equal(getattr(found, name), getattr(recording, name))
    assert list(found.layers) == list(recording.layers)
    for name, spikes in recording.layers.items():
        np.testing.assert_array_equal(found.layers[name], spikes)
    assert (found.window_us, found.source) == (3000, recording.source)
    assert draw_raster(found).png == draw_raster(recording).png


def test_equal_recordings_are_equal_files(recording: Raster, tmp_path: Path) -> None:
    for name in ("one", "two"):
        save_raster(tmp_path / name, recording)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


@pytest.mark.parametrize("damage", ["cut", "text", "pickle", "empty"])
def test_a_damaged_file_is_named_with_what_to_do(recording: Raster, tmp_path: Path, damage: str) -> None:
    path = tmp_path / FILE_NAME
    save_raster(path, recording)
    if damage == "pickle":
        np.savez(path, about=np.array([object()]))
    else:
        path.write_bytes({"cut": path.read_bytes()[:300], "text": b"no archive", "empty": b""}[damage])
    with pytest.raises(ValueError, match=rf"{FILE_NAME}: is damaged .*python -m stages\.raster"):
        load_raster(path)


def test_the_spikes_of_a_layer_are_those_that_its_firing_rate_counts() -> None:
    generator = torch.Generator().manual_seed(1)
    network = SpikingNetwork("4C5-P2-30", (2, 34, 34), time_steps=12, tau_m=8.0, tau_s=4.0, conv_gain=3.0, generator=generator).eval()
    events = (torch.rand(12, 2, 2, 34, 34, generator=generator) < 0.1).float()
    spikes = layer_spikes(network, events)
    assert [each.shape for each in spikes] == [(12, 2, 4 * 30 * 30), (12, 2, 30), (12, 2, 10)]
    torch.testing.assert_close(torch.stack([each.double().mean() for each in spikes]), torch.stack(network.firing_rates))
    assert spikes[0].any()
    trace = network(events)
    assert torch.equal(trace[0] > 0, spikes[-1][0])  # a trace is above zero from the first spike on
    with pytest.raises(ValueError, match=r"expected \(T, B, C, H, W\)"):
        layer_spikes(network, events[0])


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Thirteen random recordings, and a network for them that is too small to be slow."""
    settings = yaml.safe_load((ROOT / "quickstart/params.yaml").read_text().replace("quickstart/", ""))
    settings["datasets"]["ndigits"] |= {"train_samples": 13, "test_samples": 7}
    settings["models"] = {
        "events": settings["models"]["ndigits-cnn"]
        | {"architecture": "4C5-P2-5", "padding": 0, "time_steps": 10, "threshold": 0.2, "conv_gain": 3.0}
    }
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(settings))
    dataset = event_dataset()
    write_recordings(tmp_path / "raw", dataset)
    preprocess_small(dataset, tmp_path)
    for name in ("raw", "processed"):
        shutil.move(tmp_path / name, tmp_path / "data" / name / "ndigits")
    return tmp_path


def test_the_stage_takes_the_recording_through_a_network_that_it_trains(project: Path) -> None:
    assert run_stage(project, "raster", "--model", "events", "--epochs", "1", "--recording", "2") == 0
    found = load_raster(project / "reports" / FILE_NAME)
    np.testing.assert_array_equal(found.stabilized, stabilize(found.raw))
    np.testing.assert_array_equal(found.binned, bin_events(found.stabilized, 10, 3000))
    assert {name: spikes.shape for name, spikes in found.layers.items()} == {
        "1: 4C5": (10, 4 * 30 * 30),
        "2: 5": (10, 5),
        "3: out": (10, 10),
    }
    assert "events, which was not run, but with some trained for this picture alone: 1 epoch of seed 0" in found.source
    assert not (project / "checkpoints").exists() and not (project / ".scratch").exists()
    assert not (project / "reports/runs").exists()


@pytest.mark.slow
def test_the_stage_takes_the_weights_of_a_model_that_was_run(project: Path, empty_database: Path) -> None:
    shutil.copy(empty_database, project / "mlflow.db")
    text = (project / "params.yaml").read_text()
    (project / "params.yaml").write_text(text.replace("epochs: 6", "epochs: 1"))
    assert train(project, "events") == 0
    assert "with the weights of events, seed 0, after epoch 1 " in source_of(project)
    same = (project / "params.yaml").read_text()
    (project / "params.yaml").write_text(re.sub("tau_m: [0-9.]+", "tau_m: 4.5", same))
    assert run_stage(project, "raster", "--model", "events") == 1, "of another network than the caption names"
    (project / "params.yaml").write_text(same)
    best, in_git = project / "checkpoints/events/seed-0-best.safetensors", project / "reports/weights/events.safetensors"
    in_git.parent.mkdir()
    in_git.write_bytes(best.read_bytes())
    shutil.rmtree(project / "checkpoints")
    assert "with the weights of events, seed 0, at its best epoch, 1 " in source_of(project)
    in_git.write_bytes(b"")
    words = "not with the weights of the table's events, which were not at hand, but with some trained for this picture alone: 1 epoch "
    assert words in source_of(project, "--epochs", "1")


def source_of(project: Path, *arguments: str) -> str:
    """The end of the caption of the picture that the stage makes."""
    assert run_stage(project, "raster", "--model", "events", *arguments) == 0
    return load_raster(project / "reports" / FILE_NAME).source


def test_the_raster_in_git_does_not_call_a_row_not_run_of_which_there_is_a_record() -> None:
    source = load_raster(ROOT / "reports" / FILE_NAME).source
    rows = [folder.name for folder in (ROOT / "reports/runs").iterdir() if (folder / "record.json").exists()]
    assert not [key for key in rows if f"the table's {key}, which was not run" in source]


def test_make_brings_the_data_first() -> None:
    done = subprocess.run(["make", "--no-print-directory", "--dry-run", "raster"], cwd=ROOT, capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert lines[-2:] == ["[ -d data/processed/nmnist ] || dvc repro preprocess@nmnist", "python -m stages.raster"]
    assert any("git init" in line for line in lines)  # DVC needs a repository


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--model", "event"), "unknown model 'event'; allowed: events"),
        (("--model", "events", "--recording", "7"), "--recording 7: data/raw/ndigits/Test.zip has 7, numbered from 0"),
    ],
)
def test_what_cannot_be_drawn_is_one_message(
    project: Path, arguments: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_stage(project, "raster", *arguments) == 1
    assert message in capsys.readouterr().err
    assert not (project / "reports" / FILE_NAME).exists()


def test_a_model_without_events_has_no_raster(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(ROOT / "params.yaml", tmp_path)
    assert run_stage(tmp_path, "raster", "--model", "mnist-cnn") == 1
    assert "--model mnist-cnn: its dataset mnist has no events" in capsys.readouterr().err


def test_recordings_are_read_as_they_were_written(project: Path) -> None:
    """The first test recording of the archive is number 1, whatever its place in there."""
    run_stage(project, "raster", "--model", "events", "--epochs", "1")
    found = load_raster(project / "reports" / FILE_NAME)
    import zipfile

    with zipfile.ZipFile(project / "data/raw/ndigits/Test.zip") as archive:
        name = next(name for name in archive.namelist() if name.endswith("/00001.bin"))
        np.testing.assert_array_equal(found.raw, read_events(archive.read(name)))
    assert name in found.source
