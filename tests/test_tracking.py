"""What MLflow is told of a model, and where it is kept."""

import os
import re
import shutil
import subprocess
import sys
from collections import OrderedDict
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.record_builders import make_record
from tests.tracking_helpers import active_runs, client_of, expected, history
from tsslbp.settings import digest
from tsslbp.tracking import ModelContext, Store, complete, import_records, tracking_store, verify
from tsslbp.tracking.pictures import model_files, seed_files
from tsslbp.tracking.store import locked


@pytest.mark.usefixtures("quick_pictures")
def test_a_model_becomes_one_parent_with_a_child_per_seed(store: Store) -> None:
    record, provenance = make_record(seeds=(0, 1, 7))
    import_records(store, [(record, provenance)])
    runs = active_runs(store)
    assert set(runs) == {"digits-mlp", "digits-mlp seed 0", "digits-mlp seed 1", "digits-mlp seed 7"}
    parent = runs.pop("digits-mlp")
    assert parent.data.tags["tsslbp.model"] == "digits-mlp"
    assert {run.data.tags["mlflow.parentRunId"] for run in runs.values()} == {parent.info.run_id}
    assert parent.data.metrics["best_mean"] == pytest.approx(sum(seed.best for seed in record.seeds) / 3)
    assert {run.info.status for run in (parent, *runs.values())} == {"FINISHED"}


@pytest.mark.usefixtures("quick_pictures")
def test_a_run_shows_parameters_origin_and_every_epoch(store: Store) -> None:
    record, provenance = make_record(seeds=(3,), epochs=4)
    import_records(store, [(record, provenance)])
    run = active_runs(store)["digits-mlp seed 3"]
    assert (
        run.data.params.items()
        >= {
            "dataset": "digits",
            "model": "digits-mlp",
            "seed": "3",
            "recipe": "2021-03",
            "loss.kind": "kernel",
            "loss.desired_train": "[0, 1]",
            "data_checksum": record.data.checksum,
        }.items()
    )
    assert run.data.tags["mlflow.source.git.commit"] == "a" * 40
    assert run.data.tags["subset"] == "half"
    assert run.data.tags["device"] == "cpu"
    assert run.data.tags["version.torch"] == "2.0"
    for name in ("loss/train", "accuracy/train", "accuracy/test", "firing_rate/1", "firing_rate/2", "speed/samples_per_second"):
        assert [step for step, _ in history(store, run, name)] == [1, 2, 3, 4]
    assert history(store, run) == expected(record, 3)
    assert history(store, run, "speed/samples_per_second")[0][1] == 500
    seed = record.seeds[0]
    assert (run.data.metrics["best"], run.data.metrics["best_epoch"], run.data.metrics["final"]) == (seed.best, seed.best_epoch, seed.final)


@pytest.mark.usefixtures("quick_pictures")
def test_runs_are_found_by_what_they_are(store: Store) -> None:
    import_records(store, [make_record(), make_record(seeds=(5,), model="other")])
    client = client_of(store)
    experiment = client.get_experiment_by_name("quickstart").experiment_id
    for query, found in {
        "params.dataset = 'digits' and params.recipe = '2021-03'": 5,
        "params.model = 'digits-mlp'": 3,
        "params.seed = '1'": 1,
        "tags.`mlflow.source.git.commit` = '" + "a" * 40 + "'": 3,
        "params.seed LIKE '%'": 3,
        "dataset.name = 'digits'": 3,
        "metrics.best > 0": 3,
    }.items():
        assert len(client.search_runs([experiment], query)) == found, query


@pytest.mark.usefixtures("quick_pictures")
def test_the_parent_shows_what_the_caller_knows(store: Store, tmp_path: Path) -> None:
    record, provenance = make_record()
    (tmp_path / "params.yaml").write_text("seeds: [0, 1]")
    context = ModelContext(metrics={"published_mean": 98.5}, tags={"verdict": "lower"}, files=(tmp_path / "params.yaml", tmp_path / "none"))
    import_records(store, [(record, provenance)], contexts={"digits-mlp": context})
    runs = active_runs(store)
    parent, seed = runs["digits-mlp"], runs["digits-mlp seed 0"]
    assert parent.data.metrics["published_mean"] == 98.5
    assert parent.data.tags["verdict"] == "lower"
    assert [file.path for file in client_of(store).list_artifacts(parent.info.run_id, "pipeline")] == ["pipeline/params.yaml"]
    description = parent.data.tags["mlflow.note.content"]
    for said in (
        "`400-400` on Digits, recipe 2021-03",
        "2 seeds × 3 epochs",
        "published mean: 98.50 %",
        "verdict: lower",
        "Not the official data",
    ):
        assert said in description
    assert seed.data.tags["mlflow.user"] == parent.data.tags["mlflow.user"] != ""
    assert "`400-400` on Digits" in seed.data.tags["mlflow.note.content"]
    assert "published_mean" not in seed.data.metrics
    import_records(store, [(record, provenance)], contexts={"digits-mlp": replace(context, tags={"verdict": "consistent"})})
    assert active_runs(store)["digits-mlp"].data.tags["verdict"] == "consistent"


@pytest.mark.usefixtures("quick_pictures")
def test_a_run_of_fewer_epochs_has_a_parent_of_its_own(store: Store) -> None:
    contexts = {"digits-mlp": ModelContext(protocol_epochs=4)}
    whole, short = make_record(epochs=4), make_record(epochs=2)
    other_ids = tuple(seed.model_copy(update={"run_id": digest(["short", seed.seed])}) for seed in short[0].seeds)
    import_records(store, [whole], contexts=contexts)
    before = active_runs(store)["digits-mlp"].data
    import_records(store, [(short[0].model_copy(update={"seeds": other_ids}), short[1])], contexts=contexts)
    runs = active_runs(store)
    assert set(runs) == {
        *("digits-mlp", "digits-mlp seed 0", "digits-mlp seed 1"),
        *("digits-mlp, 2 epochs", "digits-mlp, 2 epochs seed 0", "digits-mlp, 2 epochs seed 1"),
    }
    assert (runs["digits-mlp"].data.metrics, runs["digits-mlp"].data.tags) == (before.metrics, before.tags)
    assert runs["digits-mlp, 2 epochs"].data.metrics["best_mean"] < before.metrics["best_mean"]


@pytest.mark.usefixtures("quick_pictures")
def test_other_settings_have_a_parent_of_their_own(store: Store) -> None:
    record, provenance = make_record(seeds=(0,))
    other = record.model_copy(
        update={
            "settings": {**record.settings, "dropout": 0.2},
            "seeds": (record.seeds[0].model_copy(update={"run_id": digest("other")}),),
        }
    )
    import_records(store, [(record, provenance), (other, provenance)])
    client = client_of(store)
    experiment = client.get_experiment_by_name("quickstart").experiment_id
    parents = client.search_runs([experiment], "attributes.run_name = 'digits-mlp'")
    assert sorted(run.data.params["dropout"] for run in parents) == ["0.0", "0.2"]
    assert {run.data.metrics["finished_seeds"] for run in parents} == {1.0}


def test_pictures_and_existing_weights_are_artifacts(store: Store, tmp_path: Path) -> None:
    record, provenance = make_record(seeds=(0,))
    (tmp_path / "seed-0-best").write_bytes(b"weights")
    files = {"best.safetensors": tmp_path / "seed-0-best", "final.safetensors": tmp_path / "not there"}
    complete(store, record, provenance, lambda _model, _seed: files)
    run = active_runs(store)["digits-mlp seed 0"]
    folder = store.folder / "mlartifacts" / run.info.run_id / "artifacts"
    assert {path.name for path in folder.rglob("*") if path.is_file()} == {
        "confusion.png",
        "confusion.csv",
        "learning_curve.png",
        "best.safetensors",
    }
    assert (folder / "weights" / "best.safetensors").read_bytes() == b"weights"
    assert (folder / "confusion.csv").read_text() == "true class,predicted 0,predicted 1\n0,9,1\n1,2,8\n"
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in folder.glob("*.png"))


@pytest.mark.usefixtures("quick_pictures")
def test_weights_that_turn_up_later_are_added(store: Store, tmp_path: Path) -> None:
    records, weights = [make_record(seeds=(0,))], tmp_path / "final"
    import_records(store, records, lambda _model, _seed: {"final.safetensors": weights})
    weights.write_bytes(b"pulled later")
    import_records(store, records, lambda _model, _seed: {"final.safetensors": weights})
    run = active_runs(store)["digits-mlp seed 0"]
    assert [file.path for file in client_of(store).list_artifacts(run.info.run_id, "weights")] == ["weights/final.safetensors"]


@pytest.mark.usefixtures("quick_pictures")
def test_files_that_somebody_removed_come_back(store: Store, tmp_path: Path) -> None:
    (tmp_path / "best").write_bytes(b"weights")
    (tmp_path / "params.yaml").write_text("settings")
    contexts = {"digits-mlp": ModelContext(files=(tmp_path / "params.yaml",))}
    records = [make_record(seeds=(0,))]

    def log() -> dict[str, int]:
        import_records(store, records, lambda _model, _seed: {"best.safetensors": tmp_path / "best"}, contexts)
        return {
            str(path.relative_to(store.folder)): path.stat().st_size for path in (store.folder / "mlartifacts").rglob("*") if path.is_file()
        }

    before = log()
    assert len(before) == 6
    for name in before:
        (store.folder / name).unlink()
        assert log() == before, name
    cut_off = next(name for name in before if name.endswith("best.safetensors"))
    (store.folder / cut_off).write_bytes(b"wei")
    assert log() == before


def test_a_moved_project_keeps_its_artifacts(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    record, provenance = make_record(seeds=(0,))
    import_records(store, [(record, provenance)])
    moved = tracking_store(store.folder.rename(store.folder.with_name("moved to a 100% other # place")))
    # Folders move between processes; within one, MLflow remembers where a run's artifacts were.
    monkeypatch.setattr("mlflow.tracking._tracking_service.utils._artifact_repos_cache", OrderedDict())
    more, more_provenance = make_record(seeds=(0, 1))
    import_records(moved, [(more, more_provenance)])
    for name in ("digits-mlp seed 0", "digits-mlp seed 1"):
        run = active_runs(moved)[name]
        assert run.info.artifact_uri.startswith(str(moved.artifacts))
        picture = Path(client_of(moved).download_artifacts(run.info.run_id, "confusion.png"))
        assert picture.read_bytes().startswith(b"\x89PNG")
    assert not store.folder.exists()


def test_a_database_of_ones_own_has_its_artifacts_beside_it(tmp_path: Path) -> None:
    store = tracking_store(tmp_path, f"sqlite:///{tmp_path}/own/runs.db")
    assert store.database == tmp_path / "own" / "runs.db"
    assert store.artifacts == (tmp_path / "own" / "mlartifacts").as_uri()
    with locked(store):  # makes the folder, too
        assert store.folder.is_dir()


@pytest.mark.parametrize("name", ["my%20project", "100% my project", "why?", "a # b @ c: d"])
def test_a_folder_may_have_any_name(tmp_path: Path, empty_database: Path, name: str) -> None:
    """Both URIs that lead to it: the default one, and what a user writes, with escapes as SQLAlchemy reads them."""
    folder = tmp_path / name
    folder.mkdir()
    record = make_record(seeds=(0,))
    import_records(tracking_store(folder), [record])  # makes the database, too
    verify(tracking_store(folder, f"sqlite:///{quote(str(folder))}/mlflow.db"), [record[0]])
    assert [path.name for path in tmp_path.iterdir()] == [name], "something was written beside the folder"
    assert list((folder / "mlartifacts").rglob("confusion.csv"))


def test_importing_the_package_does_not_import_mlflow() -> None:
    code = "import sys, tsslbp.tracking; assert 'mlflow' not in sys.modules and 'matplotlib.pyplot' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[1])


USERS = {
    "the shell of a notebook": ({"MPLBACKEND": "module://matplotlib_inline.backend_inline"}, ""),
    "TeX for all text": ({}, "text.usetex: True\nfont.family: serif\nbackend: module://matplotlib_inline.backend_inline\n"),
}


@pytest.mark.parametrize("user", USERS)
def test_a_users_matplotlib_does_not_reach_our_pictures(user: str, tmp_path: Path, empty_database: Path) -> None:
    environment, settings = USERS[user]
    (tmp_path / "matplotlibrc").write_text(settings)
    (tmp_path / "project").mkdir()
    shutil.copy(empty_database, tmp_path / "project/mlflow.db")
    code = (
        "from pathlib import Path; from tests.record_builders import make_record; from tsslbp.tracking import import_records, tracking_store;"
        f"import_records(tracking_store(Path({str(tmp_path / 'project')!r})), [make_record(seeds=(0,))])"
    )
    everything = {**os.environ, "MPLCONFIGDIR": str(tmp_path), "MLFLOW_TRACKING_URI": "", **environment}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parents[1], env=everything, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    record, _ = make_record(seeds=(0,))
    sent = {path.name: path.read_bytes() for path in (tmp_path / "project/mlartifacts").rglob("*.png")}
    assert sent == {
        name: png
        for name, png in {**seed_files(record.seeds[0], "digits-mlp seed 0"), **model_files(record.seeds, "digits-mlp", None)}.items()
        if name.endswith("png")
    }


def test_nothing_imports_pyplot() -> None:
    """It keeps global state, is not safe outside of the main thread, and its import fails with a backend that is not there."""
    root = Path(__file__).parents[1]
    sources = [path for folder in ("tsslbp", "stages", "benchmarks") for path in (root / folder).rglob("*.py")]
    found = [
        str(path) for path in sources if re.search(r"^\s*(import|from) matplotlib.*pyplot|import pylab", path.read_text(), re.MULTILINE)
    ]
    assert sources
    assert found == []
