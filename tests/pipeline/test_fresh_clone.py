"""The report is made of what is in git: a clone without data, weights or a database makes every committed file again, to the byte."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from stages.report import gather, repository_link
from tests.support.in_process import run_stage
from tests.support.paths import ROOT
from tests.support.report_builders import make_run, settings, study_settings
from tsslbp.data.events import bin_events, stabilize
from tsslbp.figures.raster import Raster
from tsslbp.figures.raster_file import FILE_NAME, save_raster
from tsslbp.report.write import write_reports
from tsslbp.settings import load_settings
from tsslbp.storage.record_files import write_record


def tracked(*paths: str) -> list[Path]:
    listed = subprocess.run(["git", "ls-files", *paths], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [Path(line) for line in listed.splitlines() if (ROOT / line).exists()]


def is_generated(path: Path) -> bool:
    """Whether the report stage writes this file of reports/."""
    return path.parts[1].startswith(("results.", "ablation.csv", "confusion.csv", "figures"))


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Path:
    """What git has of settings and records, with records that nobody measured in place of those there are; and their report."""
    clone = tmp_path_factory.mktemp("reported")
    for path in tracked("params.yaml", "studies"):
        (clone / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, clone / path)
    base, studies = settings(), study_settings()
    write_record(clone / "reports/runs/fashion-mlp", *make_run(base, "fashion-mlp", seeds=(0, 1), epochs=12, plateau=89.4))
    write_record(
        clone / "reports/studies/recipes/runs/fashion-mlp-2020-10", *make_run(studies["recipes"], "fashion-mlp-2020-10", seeds=(0, 1))
    )
    for key in ("fashion-mlp-2021-03", "fashion-mlp-surrogate"):
        write_record(clone / "reports/studies/ablation/runs" / key, *make_run(studies["ablation"], key, seeds=(0, 1)))
    events = np.zeros(9, dtype=[("x", "i2"), ("y", "i2"), ("p", "u1"), ("t", "i4")])
    events["t"] = np.arange(9) * 9000
    spikes = {"1: out": np.eye(9, dtype=bool)}
    save_raster(clone / "reports" / FILE_NAME, Raster(events, stabilize(events), bin_events(events, 9), spikes, 3000, "Made up."))
    shutil.copy(empty_database, clone / "mlflow.db")
    assert run_stage(clone, "report") == 0
    return clone


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.slow
def test_a_clone_makes_every_file_again(reported: Path, tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> None:
    first = files(reported / "reports")
    other = tmp_path_factory.mktemp("clone") / "of another name"
    shutil.copytree(
        reported, other, ignore=shutil.ignore_patterns("mlflow.db*", "mlartifacts", "results.*", "ablation.csv", "confusion.csv", "figures")
    )
    shutil.copy(empty_database, other / "mlflow.db")
    assert run_stage(other, "report") == 0
    assert files(other / "reports") == first
    figures = {
        "comparison",
        "recipes",
        "ablation-fashion-mlp",
        "learning-fashion-mlp",
        "confusion-fashion-mlp",
        "firing-fashion-mlp",
        "raster",
    }
    assert {name for name in first if name.startswith("figures/")} == {
        "figures/recording.gif",
        *(f"figures/{name}.png" for name in figures),
    }


@pytest.mark.slow
def test_mlflow_has_the_runs_of_the_studies_in_experiments_of_their_own(reported: Path) -> None:
    from tests.support.tracking_helpers import active_runs
    from tsslbp.tracking import tracking_store

    store = tracking_store(reported)
    assert set(active_runs(store, "tsslbp")) == {f"fashion-mlp, 12 epochs{seed}" for seed in ("", " seed 0", " seed 1")}
    assert "fashion-mlp-2020-10, 12 epochs seed 1" in active_runs(store, "tsslbp-recipes")
    assert "fashion-mlp-surrogate, 12 epochs seed 0" in active_runs(store, "tsslbp-ablation")
    assert not list(reported.glob("studies/**/mlflow.db"))


def test_the_committed_report_is_the_one_that_the_committed_records_give(tmp_path: Path) -> None:
    """Renew it with `make report`."""
    for path in tracked("params.yaml", "studies", "reports"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, tmp_path / path)
    base = load_settings(tmp_path / "params.yaml")
    found = gather(tmp_path / "params.yaml", base, tmp_path)
    shutil.copytree(
        tmp_path / "reports",
        tmp_path / "again",
        ignore=shutil.ignore_patterns("runs", "studies", "results.*", "ablation.csv", "confusion.csv", "figures"),
    )
    link = repository_link(ROOT, base.folders.reports)
    write_reports(base.experiment, found.rows, found.runs, tmp_path / "again", found.studies, link)
    again = files(tmp_path / "again")
    committed = {str(Path(*path.parts[1:])) for path in tracked("reports") if is_generated(path)}
    assert committed == {name for name in again if is_generated(Path("reports") / name)}
    for name in committed:
        assert (ROOT / "reports" / name).read_bytes() == again[name], name
