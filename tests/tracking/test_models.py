"""Trained networks as MLflow models: loaded by MLflow's own loader, registered under a name of the checkout's own, without a pickle."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path
from urllib.request import urlopen

import mlflow
import numpy as np
import pytest
import torch

from tests.support.paths import ROOT
from tests.support.record_builders import make_record, of_weights
from tests.support.servers import free_port, running, wait_until
from tests.support.tracking_helpers import active_runs, client_of
from tests.tracking.network_files import DATASETS, network_bytes, write_network
from tsslbp.method.batches import ImageBatches
from tsslbp.method.build import load_network
from tsslbp.storage.records import ModelRecord, Provenance
from tsslbp.tracking import ModelContext, Store, complete, import_records, tracking_store
from tsslbp.tracking.models import REQUIREMENTS, Sample, packed_library, write_model

KEY = "digits-mlp"


def trained(seeds: tuple[int, ...] = (0, 1)) -> tuple[ModelRecord, Provenance]:
    record, provenance = make_record(seeds=seeds)
    record = of_weights(record, network_bytes())
    return record.model_copy(update={"settings": {**record.settings, "time_steps": 5}}), provenance


CONTEXT = ModelContext(dataset=DATASETS["digits"])


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    return write_network(tmp_path / "best")


@pytest.fixture
def logged(store: Store, weights: Path, quick_pictures: None) -> Store:
    """A store with a row of two seeds, whose networks are here."""
    complete(store, *trained(), lambda _model, _seed: {"best.safetensors": weights}, CONTEXT)
    return store


def load(store: Store, uri: str) -> mlflow.pyfunc.PyFuncModel:
    """As a user does, with MLflow told where the store is; no other test is to find it told so."""
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(store.uri)
    try:
        return mlflow.pyfunc.load_model(uri)
    finally:
        mlflow.set_tracking_uri(before)


def registered(store: Store) -> dict[str, list[str]]:
    """The runs of all versions of each registered model, the oldest first."""
    client = client_of(store)
    found: dict[str, list[str]] = {model.name: [] for model in client.search_registered_models()}
    for version in sorted(client.search_model_versions(), key=lambda each: int(each.version)):
        found[version.name].append(version.run_id)
    return found


def test_each_finished_seed_has_a_model_that_computes_what_its_network_does(logged: Store, weights: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (7, 784))
    dataset = DATASETS["digits"]
    split = type("Split", (), {"images": images.reshape(7, 1, 28, 28).astype(np.uint8), "labels": np.zeros(7, np.uint8)})
    (x, _), *_ = ImageBatches(split, dataset.mean, dataset.std, 7).in_order()
    expected = load_network(weights)(x).sum(0).detach().numpy()
    for name in (f"{KEY} seed 0", f"{KEY} seed 1"):
        model = load(logged, f"runs:/{active_runs(logged)[name].info.run_id}/model")
        given = model.predict(images)
        np.testing.assert_allclose(given.filter(like="score").to_numpy(), expected, rtol=1e-5)
        assert given["class"].tolist() == expected.argmax(1).tolist()


def test_a_model_of_events_takes_them_step_by_step(tmp_path: Path) -> None:
    weights = write_network(tmp_path / "best", "ndigits")
    write_model(tmp_path / "model", weights, Sample(DATASETS["ndigits"], time_steps=6))
    events = np.random.default_rng(0).integers(0, 2, (3, 6, 2, 34, 34))
    expected = load_network(weights)(torch.from_numpy(events).float().transpose(0, 1)).sum(0).detach().numpy()
    given = mlflow.pyfunc.load_model(str(tmp_path / "model")).predict(events.reshape(3, -1))
    np.testing.assert_allclose(given.filter(like="score").to_numpy(), expected, rtol=1e-5)


def test_it_has_signature_example_and_requirements_and_no_pickle(tmp_path: Path, weights: Path) -> None:
    sample = Sample(DATASETS["digits"], 5)
    write_model(tmp_path / "model", weights, sample)
    model = mlflow.models.Model.load(tmp_path / "model")
    assert model.signature == sample.signature()
    np.testing.assert_array_equal(model.load_input_example(str(tmp_path / "model")), sample.example())
    assert (tmp_path / "model/requirements.txt").read_text().splitlines()[0] == f"torch=={torch.__version__.partition('+')[0]}"
    files = [path for path in (tmp_path / "model").rglob("*") if path.is_file()]
    assert not [path for path in files if path.suffix in (".pkl", ".pth", ".pt") or path.read_bytes()[:1] == b"\x80"]


def test_its_requirements_name_no_build_which_pypi_does_not_have(tmp_path: Path, weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tsslbp.tracking.models.version", lambda name: "2.14.1+cpu" if name == "torch" else metadata.version(name))
    write_model(tmp_path / "model", weights, Sample(DATASETS["digits"], 5))
    assert (tmp_path / "model/requirements.txt").read_text().splitlines()[0] == "torch==2.14.1"


def test_its_requirements_are_the_librarys_and_mlflows() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert {re.split("[>=]", line)[0] for line in project["dependencies"]} | {"mlflow", "pandas"} == set(REQUIREMENTS)


@pytest.mark.parametrize(("numbers", "dataset", "highest"), [(256, "digits", 255), (-1, "digits", 255), (2, "ndigits", 1)])
def test_numbers_that_no_sample_has_are_refused(tmp_path: Path, numbers: int, dataset: str, highest: int) -> None:
    write_model(tmp_path / "model", write_network(tmp_path / "best", dataset), sample := Sample(DATASETS[dataset], 2))
    model = mlflow.pyfunc.load_model(str(tmp_path / "model"))
    with pytest.raises(ValueError, match=f"expected whole numbers from 0 to {highest}"):
        model.predict(np.full((1, sample.length), numbers))


def test_the_best_seeds_model_is_registered_and_found_by_its_alias(logged: Store) -> None:
    (name,) = registered(logged)
    assert re.fullmatch(f"quickstart-{KEY}-[0-9a-f]{{10}}", name)
    best = active_runs(logged)[f"{KEY} seed 0"].info.run_id  # seed 1 is a tenth of a percent worse, see record_builders
    assert registered(logged) == {name: [best]}
    assert load(logged, f"models:/{name}@best").metadata.run_id == load(logged, f"runs:/{best}/model").metadata.run_id


@pytest.mark.usefixtures("quick_pictures")
def test_logging_again_adds_nothing_and_new_weights_are_a_new_version(logged: Store, tmp_path: Path, weights: Path) -> None:
    (before,) = registered(logged).values()
    record, provenance = trained()
    import_records(logged, [(record, provenance)], lambda _model, _seed: {"best.safetensors": weights}, {KEY: CONTEXT})
    assert list(registered(logged).values()) == [before]
    other = write_network(tmp_path / "other", seed=1)
    complete(logged, of_weights(record, network_bytes(1)), provenance, lambda _model, _seed: {"best.safetensors": other}, CONTEXT)
    ((name, versions),) = registered(logged).items()
    assert versions == before * 2
    assert client_of(logged).get_model_version_by_alias(name, "best").version in ("2", 2)
    sent = next((logged.folder / "mlartifacts" / before[0]).rglob("model/artifacts/best.safetensors"))
    assert sent.read_bytes() == other.read_bytes()


@pytest.mark.usefixtures("quick_pictures")
def test_files_of_a_model_that_somebody_removed_come_back(logged: Store, weights: Path) -> None:
    run = active_runs(logged)[f"{KEY} seed 1"].info.run_id
    folder = next((logged.folder / "mlartifacts" / run).rglob("model"))
    for name in ("MLmodel", "artifacts/best.safetensors"):
        (folder / name).unlink()
        import_records(logged, [trained()], lambda _model, _seed: {"best.safetensors": weights}, {KEY: CONTEXT})
        assert (folder / name).exists()


@pytest.mark.usefixtures("quick_pictures")
def test_another_checkout_registers_under_a_name_of_its_own(logged: Store, tmp_path: Path, weights: Path) -> None:
    other = tracking_store(tmp_path / "another", logged.uri)
    complete(other, *trained(), lambda _model, _seed: {"best.safetensors": weights}, CONTEXT)
    assert [len(versions) for versions in registered(logged).values()] == [1, 1]


@pytest.mark.usefixtures("quick_pictures")
def test_an_experiment_with_fewer_epochs_registers_nothing(store: Store, weights: Path) -> None:
    context = ModelContext(protocol_epochs=100, dataset=DATASETS["digits"])
    complete(store, *trained(), lambda _model, _seed: {"best.safetensors": weights}, context)
    assert f"{KEY}, 3 epochs seed 0" in active_runs(store)
    assert registered(store) == {}


@pytest.mark.usefixtures("quick_pictures")
def test_a_report_adds_the_models_once_the_weights_are_here(store: Store, weights: Path) -> None:
    complete(store, *trained(), context=CONTEXT)
    assert registered(store) == {}
    import_records(store, [trained()], lambda _model, _seed: {"best.safetensors": weights}, {KEY: CONTEXT})
    assert [len(versions) for versions in registered(store).values()] == [1]


def test_a_moved_project_takes_its_registered_models_along(logged: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    moved = tracking_store(logged.folder.rename(logged.folder.with_name("moved")))
    monkeypatch.setattr("mlflow.tracking._tracking_service.utils._artifact_repos_cache", {}, raising=False)
    import_records(moved, [trained()], contexts={KEY: CONTEXT})
    (name,) = registered(moved)
    assert load(moved, f"models:/{name}@best").predict(np.zeros((1, 784), np.int64))["class"].shape == (1,)


def test_equal_libraries_are_packed_to_equal_bytes_and_can_be_imported(tmp_path: Path) -> None:
    assert packed_library() == packed_library()
    (tmp_path / "tsslbp.zip").write_bytes(packed_library())
    code = "import sys; sys.path.insert(0, 'tsslbp.zip'); import tsslbp; print(tsslbp.__file__, tsslbp.load_network.__name__)"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=without_checkout(), capture_output=True, text=True, check=True)
    assert "tsslbp.zip" in done.stdout


def without_checkout() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


@pytest.mark.slow
@pytest.mark.usefixtures("quick_pictures")
def test_on_a_server_two_checkouts_have_a_registered_model_each_and_it_loads(tmp_path: Path, weights: Path, empty_database: Path) -> None:
    port = free_port()
    shutil.copy(empty_database, tmp_path / "server.db")
    files = ("--backend-store-uri", f"sqlite:///{tmp_path}/server.db", "--artifacts-destination", tmp_path / "artifacts")
    with running("mlflow", "server", "--host", "127.0.0.1", "--port", port, "--workers", 1, *files, is_read=False):
        wait_until(lambda: urlopen(f"http://127.0.0.1:{port}/health", timeout=2).status == 200, "the server is up", 180)
        for person in ("ann", "bob", "ann"):
            own = tracking_store(tmp_path / person, f"http://127.0.0.1:{port}")
            complete(own, *trained(), lambda _model, _seed: {"best.safetensors": weights}, CONTEXT)
        assert [len(versions) for versions in registered(own).values()] == [1, 1]
        for name in registered(own):
            assert len(load(own, f"models:/{name}@best").predict(np.zeros((2, 784), np.int64))) == 2


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["csv", "json"])
def test_mlflows_command_predicts_a_file_of_one_image_from_any_folder(tmp_path: Path, weights: Path, kind: str) -> None:
    write_model(tmp_path / "model", weights, sample := Sample(DATASETS["digits"], 5))
    image = tmp_path / f"image.{kind}"
    row = ",".join(map(str, sample.example()[0]))
    image.write_text(f"{','.join(f'pixel_{index}' for index in range(784))}\n{row}\n" if kind == "csv" else f'{{"inputs": [[{row}]]}}')
    command = [
        shutil.which("mlflow") or "mlflow",
        "models",
        "predict",
        "-m",
        "model",
        "-i",
        image.name,
        "-t",
        kind,
        "--env-manager",
        "local",
    ]
    done = subprocess.run(command, cwd=tmp_path, env=without_checkout(), capture_output=True, text=True, check=False)
    expected = mlflow.pyfunc.load_model(str(tmp_path / "model")).predict(sample.example())
    assert f'"class": {expected["class"][0]},' in done.stdout, done.stderr
    assert "Warning" not in done.stderr
