"""The measurement of full-size recordings: what it makes can be read, differs, and is measured as it says."""

import zipfile
from pathlib import Path

import numpy as np
import pytest

from benchmarks.full_size import main
from benchmarks.full_size_parts import JITTER_US, MOVE, Archives
from stages.progress import ScreenProgress
from tsslbp.data.events import EVENT, read_events, write_events

ROOT = Path(__file__).parent.parent


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


def test_a_missing_archive_and_a_wrong_share_are_one_line(tmp_path, capsys):
    assert main(["--archive", str(tmp_path / "none.zip"), "--params", str(ROOT / "params.yaml"), "--share", "2"]) == 1
    assert "--share: got 2.0; allowed" in capsys.readouterr().err
