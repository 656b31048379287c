"""The measurement of full-size recordings: what it makes can be read, differs, and is measured as it says."""

import csv
import zipfile
from pathlib import Path

import numpy as np
import pytest

from benchmarks.full_size.__main__ import main
from benchmarks.full_size.parts import JITTER_US, MOVE, Archives, start_up
from benchmarks.row_of_table import write_data
from stages.display import ScreenProgress
from tests.support.paths import ROOT
from tsslbp.data.events import EVENT, read_events, write_events
from tsslbp.settings import Settings


@pytest.fixture
def archive(tmp_path) -> Path:
    """Two recordings that stay clear of the sensor's edge."""
    generator = np.random.default_rng(0)
    path = tmp_path / "Train.zip"
    with zipfile.ZipFile(path, "w") as made:
        for label in (3, 7):
            events = np.zeros(400, EVENT)
            events["x"], events["y"] = generator.integers(MOVE, 34 - MOVE, (2, 400))
            events["p"], events["t"] = generator.integers(0, 2, 400), np.sort(generator.integers(JITTER_US, 300_000, 400))
            made.writestr(f"Train/{label}/0000{label}.bin", write_events(events))
    return path


def test_recordings_are_repeated_but_never_the_same(archive, tmp_path):
    made = Archives.make(archive, tmp_path, {"train": 7, "test": 2}, ScreenProgress())
    with zipfile.ZipFile(tmp_path / "train.zip") as repeated:
        contents = [read_events(repeated.read(name)) for name in repeated.namelist()]
    assert made.sizes == {"train": 7, "test": 2}
    assert len({content.tobytes() for content in contents}) == 7
    for content in contents:
        assert len(content) == 400
        assert (np.diff(content["t"]) >= 0).all()


@pytest.mark.slow
def test_everything_is_measured_and_written(archive, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments = ["--archive", str(archive), "--params", str(ROOT / "params.yaml"), "--share", "0.001", "--output", "out"]
    assert main(arguments) == 0
    with (tmp_path / "out/full-size.csv").open() as file:
        measured = {row["what"]: float(row["value"]) for row in csv.DictReader(file)}
    assert next(iter(measured.values())) == 70  # recordings: a thousandth of 60,000 and 10,000
    memory = [value for what, value in measured.items() if "peak memory" in what]
    assert 100 < memory[0] < memory[1] < 10_000  # MB, T = 30 and T = 100
    text = (tmp_path / "out/full-size.md").read_text()
    assert f"{memory[1]:,.1f} MB" in text
    assert r"python -m benchmarks.full\_size --archive" in text
    assert not list((tmp_path / "data").iterdir())


@pytest.fixture
def small_images(tmp_path, settings) -> Settings:
    """A project with a few synthetic images in the place of Fashion-MNIST, and settings that read them."""
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    write_data(tmp_path / "data/processed/fashion_mnist", settings.dataset("fashion_mnist"), 0.01)
    return settings


@pytest.mark.slow
def test_start_up_is_measured_until_the_terminal_shows_the_first_step(small_images, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    seconds = start_up(small_images, Path("params.yaml"), "fashion-mlp")
    assert 1 < seconds < 120


@pytest.mark.slow
def test_a_stage_that_ends_before_its_first_step_is_an_error_that_shows_why(settings, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    with pytest.raises(ValueError, match=r"(?s)before its first step: .*data\.json"):
        start_up(settings, Path("params.yaml"), "fashion-mlp")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["--share", "2"], "--share: got 2.0; allowed"), (["--archive", "none.zip"], "none.zip: missing; run the download")],
)
def test_wrong_arguments_are_one_line(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["--params", str(ROOT / "params.yaml"), *arguments]) == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(("share", "folder"), [("1", "reports"), ("0.001", ".scratch")])
def test_the_committed_numbers_are_of_the_full_size_alone(share, folder, tmp_path, monkeypatch):
    monkeypatch.setattr("benchmarks.full_size.__main__.measure", lambda *_: [])
    monkeypatch.chdir(tmp_path)
    assert main(["--params", str(ROOT / "params.yaml"), "--share", share]) == 0
    assert [path.parent for path in tmp_path.rglob("full-size.csv")] == [tmp_path / folder / "benchmark"]
