"""What the stage `export` says of a network's input: what was true when it was trained."""

from pathlib import Path

import pytest

from tests.support.in_process import run_stage
from tests.support.project import MODEL, Project
from tests.support.record_builders import make_record, of_weights
from tsslbp.method.build import NETWORK, build_network, network_options
from tsslbp.settings import load_settings
from tsslbp.storage.checkpoints import save_weights
from tsslbp.storage.record_files import FINISHED, write_record

nir = pytest.importorskip("nir")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project with weights that nobody trained, and none of their records."""
    project = Project(tmp_path / "project")
    settings = load_settings(project.params)
    model, recipe, dataset = settings.model(MODEL), settings.recipe_of(MODEL), settings.dataset_of(MODEL)
    weights = project.folder / f"checkpoints/{MODEL}/seed-0-best.safetensors"
    save_weights(weights, build_network(model, recipe, dataset, seed=0).state_dict(), {NETWORK: network_options(model, recipe, dataset)})
    project.change("mean: [0.3065]", "mean: [0.5]")
    return project


def exported_mean(project: Project) -> list[float]:
    assert run_stage(project.folder, "export", "--model", MODEL, "--format", "nir") == 0
    return nir.read(project.folder / f"{MODEL}.nir").metadata["mean"]


@pytest.mark.parametrize("folder", [f"reports/runs/{MODEL}", f"checkpoints/{MODEL}/{FINISHED}"])
def test_a_network_is_exported_with_the_scaling_of_its_training(project: Project, folder: str) -> None:
    record, provenance = make_record(seeds=(0,))
    scaled = {**record.settings, "dataset_settings": {"mean": [0.3065], "std": [0.37]}}
    weights = (project.folder / f"checkpoints/{MODEL}/seed-0-best.safetensors").read_bytes()
    write_record(project.folder / folder, of_weights(record.model_copy(update={"settings": scaled}), weights), provenance)
    assert exported_mean(project) == pytest.approx([0.3065])


def test_beside_a_record_of_other_weights_or_none_the_settings_count(project: Project) -> None:
    assert exported_mean(project) == pytest.approx([0.5])
    record, provenance = make_record(seeds=(0,))
    scaled = {**record.settings, "dataset_settings": {"mean": [0.3065], "std": [0.37]}}
    write_record(project.folder / f"reports/runs/{MODEL}", record.model_copy(update={"settings": scaled}), provenance)
    assert exported_mean(project) == pytest.approx([0.5])
