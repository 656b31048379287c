"""A project with a past ends like one without: nothing of older settings, data or code reaches the new results."""

import csv
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import MagicMock, patch

import pytest

from tests.support import in_process
from tests.support.in_process import prepare, run_stage
from tests.support.project import MODEL, Project
from tests.support.tracking_helpers import client_of
from tsslbp.data.images import IMAGE_FILES
from tsslbp.storage import meaning
from tsslbp.storage.record_files import read_record
from tsslbp.storage.records import ModelRecord
from tsslbp.tracking import tracking_store

pytestmark = pytest.mark.usefixtures("quick_pictures")
EXPERIMENT = "tsslbp-quickstart"


def train(project: Project, model: str = MODEL) -> None:
    assert in_process.train(project.folder, model) == 0


def report(project: Project) -> list[dict[str, str]]:
    """Run the report stage; the rows of its table, without the time that training took."""
    assert run_stage(project.folder, "report") == 0
    with (project.folder / "reports/results.csv").open() as file:
        return [{name: value for name, value in row.items() if name != "hours"} for row in csv.DictReader(file)]


def record_of(project: Project, model: str = MODEL) -> ModelRecord:
    return read_record(project.folder / "reports/runs" / model)[0]


def results(project: Project, model: str = MODEL) -> dict[str, bytes]:
    """What has to be equal for equal settings: what was measured, and the weights of every seed that it names."""
    runs, weights = project.folder / "reports/runs" / model, project.folder / "checkpoints" / model
    seeds = [seed.seed for seed in record_of(project, model).seeds]
    files = [runs / name for name in ("metrics.json", "history.csv", "record.json")]
    files += [weights / f"seed-{seed}-{which}.safetensors" for seed in seeds for which in ("best", "final")]
    return {path.name: path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Project:
    """A project that was trained and reported."""
    project = Project(tmp_path_factory.mktemp("past") / "project", empty_database)
    prepare(project.folder)
    train(project)
    report(project)
    return project


@pytest.fixture
def project(past: Project, tmp_path: Path) -> Project:
    """The same project with all that it left behind."""
    copy = Project(tmp_path / "project")
    shutil.copytree(past.folder, copy.folder, dirs_exist_ok=True)
    return copy


@pytest.fixture
def fresh(tmp_path: Path) -> Callable[[Project], Project]:
    """A project with another one's settings and data and no past."""

    def make(like: Project) -> Project:
        made = Project(tmp_path / "fresh")
        shutil.copy(like.params, made.params)
        shutil.copytree(like.folder / "data", made.folder / "data")
        return made

    return make


@contextmanager
def without_mlflow() -> Iterator[None]:
    """For the project that is compared with: MLflow takes most of its time, and decides none of what is compared."""
    with patch("tsslbp.tracking.LiveLog", MagicMock()), patch("tsslbp.tracking.import_records"), patch("tsslbp.tracking.verify"):
        yield


def setting(old: str, new: str) -> Callable[[Project, pytest.MonkeyPatch], None]:
    return lambda project, _: project.change(old, new)


def other_pixel(project: Project, _: pytest.MonkeyPatch) -> None:
    """One pixel of one training image differs by one."""
    images = project.folder / "data/raw/digits" / IMAGE_FILES[0]
    data = bytearray(images.read_bytes())
    data[-400] ^= 1
    images.write_bytes(data)
    assert run_stage(project.folder, "preprocess", "--dataset", "digits") == 0


def other_method(_: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if one of the files that decide the numbers had been edited."""
    monkeypatch.setattr(meaning, "code_meaning", lambda *_: "0" * 32)


CHANGES = {
    "learning rate": setting("learning_rate: 0.0005", "learning_rate: 0.001"),
    "recipe": setting("target_filterings: 2", "target_filterings: 1"),
    "clipping": setting("clip_norm: 1.0", "clip_norm: 0.5"),
    "scaling": setting("mean: [0.3065]", "mean: [0.3]"),
    "threads": setting("threads: 1 #", "threads: 2 #"),
    "fewer epochs": setting("epochs: 3", "epochs: 2"),
    "more epochs": setting("epochs: 3", "epochs: 4"),
    "a seed more": setting("seeds: [0, 1]", "seeds: [0, 1, 7]"),
    "a seed less": setting("seeds: [0, 1]", "seeds: [1]"),
    "experiment": setting(f"experiment: {EXPERIMENT}", "experiment: other"),
    "data": other_pixel,
    "method": other_method,
}
KEEPS_RUNS = {"a seed more", "a seed less"}


@pytest.mark.slow
@pytest.mark.parametrize("change", CHANGES)
def test_a_project_with_a_past_ends_like_one_without(project, past, fresh, change, monkeypatch):
    CHANGES[change](project, monkeypatch)
    train(project)
    table = report(project)
    without = fresh(project)
    with without_mlflow():
        train(without)
        assert results(project) == results(without)
        assert table == report(without)
    runs = {name: {seed.run_id for seed in record_of(one).seeds} for name, one in (("past", past), ("now", project))}
    assert bool(runs["past"] & runs["now"]) == (change in KEEPS_RUNS)


@pytest.mark.slow
def test_the_models_run_in_mlflow_sums_up_the_present_seeds(project):
    project.change("learning_rate: 0.0005", "learning_rate: 0.001")
    train(project)
    client = client_of(tracking_store(project.folder))
    found = client.search_runs([client.get_experiment_by_name(EXPERIMENT).experiment_id], f"attributes.run_name = '{MODEL}'")
    parents = {parent.data.params["learning_rate"]: parent.data.metrics for parent in found}
    metrics = json.loads((project.folder / "reports/runs" / MODEL / "metrics.json").read_text())
    assert set(parents) == {"0.0005", "0.001"}, "each of the settings has a run of its own"
    assert parents["0.001"]["best_mean"] == metrics["best_mean"] != parents["0.0005"]["best_mean"]
    assert parents["0.001"]["final_mean"] == metrics["final_mean"]


def test_restored_settings_bring_the_old_results_back_without_training(project, past, capsys):
    before, table = results(project), report(project)
    project.change("learning_rate: 0.0005", "learning_rate: 0.001")
    train(project)
    assert results(project) != before
    capsys.readouterr()
    project.change("learning_rate: 0.001", "learning_rate: 0.0005")
    train(project)
    assert "epoch 1/3" not in capsys.readouterr().out
    assert results(project) == before == results(past)
    assert report(project) == table


@pytest.mark.slow
def test_a_renamed_model_leaves_its_old_results_behind(project, fresh):
    project.change(f"  {MODEL}:", "  renamed:")
    (row,) = report(project)
    assert (row["model"], row["verdict"], row["best_mean"]) == ("renamed", "not run", "")
    train(project, "renamed")
    table, without = report(project), fresh(project)
    with without_mlflow():
        train(without, "renamed")
        assert table == report(without)
    assert results(project, "renamed") == results(without, "renamed")


def test_numbers_of_settings_that_have_changed_since_say_so(project):
    (before,) = report(project)
    project.change("learning_rate: 0.0005", "learning_rate: 0.001")
    (row,) = report(project)
    assert "other settings" not in before["note"]
    assert "other settings than params.yaml has now: learning_rate" in row["note"]
    assert row["best_mean"] == before["best_mean"]
