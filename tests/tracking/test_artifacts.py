"""What a run carries beside its numbers, pictures and weights: where they are kept, and that nothing around them changes a picture."""

import os
import re
import shutil
import subprocess
import sys
from collections import OrderedDict
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.support.paths import ROOT
from tests.support.record_builders import make_record, of_weights
from tests.support.tracking_helpers import active_runs, client_of
from tsslbp.tracking import ModelContext, Store, complete, import_records, tracking_store, verify
from tsslbp.tracking.pictures import model_files, seed_files
from tsslbp.tracking.store import locked


def test_pictures_and_existing_weights_are_artifacts(store: Store, tmp_path: Path) -> None:
    record, provenance = make_record(seeds=(0,))
    record = of_weights(record, b"weights")
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
    record, provenance = make_record(seeds=(0,))
    records, weights = [(of_weights(record, final=b"pulled later"), provenance)], tmp_path / "final"
    import_records(store, records, lambda _model, _seed: {"final.safetensors": weights})
    weights.write_bytes(b"pulled later")
    import_records(store, records, lambda _model, _seed: {"final.safetensors": weights})
    run = active_runs(store)["digits-mlp seed 0"]
    assert [file.path for file in client_of(store).list_artifacts(run.info.run_id, "weights")] == ["weights/final.safetensors"]


@pytest.mark.usefixtures("quick_pictures")
def test_weights_of_another_training_are_not_taken_for_the_records(store: Store, tmp_path: Path) -> None:
    """A record from git may lie beside the weights of an older training, and a network in git beside the record of a newer one."""
    record, provenance = make_record(seeds=(0,))
    record, other = of_weights(record, b"weights", b"weights"), tmp_path / "best"
    files = {"best.safetensors": other, "final.safetensors": tmp_path / "final"}
    other.write_bytes(b"of last year")
    (tmp_path / "final").write_bytes(b"weights")

    def logged() -> list[str]:
        import_records(store, [(record, provenance)], lambda _model, _seed: files)
        run = active_runs(store)["digits-mlp seed 0"]
        return [file.path for file in client_of(store).list_artifacts(run.info.run_id, "weights")]

    assert logged() == ["weights/final.safetensors"]
    other.write_bytes(b"weights")
    assert logged() == ["weights/best.safetensors", "weights/final.safetensors"]


@pytest.mark.usefixtures("quick_pictures")
def test_files_that_somebody_removed_come_back(store: Store, tmp_path: Path) -> None:
    (tmp_path / "best").write_bytes(b"weights")
    (tmp_path / "params.yaml").write_text("settings")
    contexts = {"digits-mlp": ModelContext(files=(tmp_path / "params.yaml",))}
    record, provenance = make_record(seeds=(0,))
    records = [(of_weights(record, b"weights"), provenance)]

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
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


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
        "from pathlib import Path; from tests.support.record_builders import make_record; from tsslbp.tracking import import_records, tracking_store;"
        f"import_records(tracking_store(Path({str(tmp_path / 'project')!r})), [make_record(seeds=(0,))])"
    )
    everything = {**os.environ, "MPLCONFIGDIR": str(tmp_path), "MLFLOW_TRACKING_URI": "", **environment}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=everything, capture_output=True, text=True, check=False)
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
    sources = [path for folder in ("tsslbp", "stages", "benchmarks") for path in (ROOT / folder).rglob("*.py")]
    found = [
        str(path) for path in sources if re.search(r"^\s*(import|from) matplotlib.*pyplot|import pylab", path.read_text(), re.MULTILINE)
    ]
    assert sources
    assert found == []
