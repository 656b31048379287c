"""Which model of a row is registered, under which name, and that it scales its input as it was trained."""

from pathlib import Path

import pytest
from mlflow.models import Model

from tests.support.record_builders import make_provenance, make_record, make_seed, of_weights
from tests.support.tracking_helpers import active_runs, client_of
from tests.tracking.network_files import DATASETS, network_bytes, write_network
from tsslbp.storage.records import ModelRecord, Provenance
from tsslbp.tracking import ModelContext, Store, import_records
from tsslbp.tracking.models import registered_name

KEY = "digits-mlp"
CONTEXT = ModelContext(dataset=DATASETS["digits"])
pytestmark = pytest.mark.usefixtures("quick_pictures")


@pytest.fixture
def report(store: Store, tmp_path: Path):
    """Log a row as the report does, with its networks here; returns the store."""
    weights = {"best.safetensors": write_network(tmp_path / "best")}

    def log(record: ModelRecord, provenance: Provenance, context: ModelContext = CONTEXT) -> Store:
        record = of_weights(record, network_bytes())
        record = record.model_copy(update={"settings": {**record.settings, "time_steps": 5}})
        import_records(store, [(record, provenance)], lambda _model, _seed: weights, {KEY: context})
        return store

    return log


def test_a_seed_that_the_row_leaves_out_is_never_its_best_model(report) -> None:
    record, provenance = make_record(seeds=(1, 2))
    begun = make_seed(0).model_copy(update={"history": make_seed(0).history[-1:]})  # as good as a whole one, and better than the others
    begun = begun.model_copy(update={"history": (begun.history[0].model_copy(update={"epoch": 1}),)})
    uneven = record.model_copy(update={"seeds": (begun, *record.seeds)})
    store = report(uneven, provenance.model_copy(update={"seeds": (make_provenance(0, 1), *provenance.seeds)}))
    assert begun.best > max(seed.best for seed in record.seeds)
    (version,) = client_of(store).search_model_versions()
    assert version.run_id == active_runs(store)[f"{KEY} seed 1"].info.run_id


@pytest.mark.parametrize("experiment", ["a/b: c", "it's", 'say "a"', "ümlaut%"])
def test_an_experiment_of_any_name_registers_its_model_and_is_reported_again(report, experiment: str) -> None:
    for _ in range(2):
        store = report(*make_record(experiment=experiment))
        (model,) = client_of(store).search_registered_models()
        assert len(client_of(store).search_model_versions()) == 1
    assert client_of(store).get_model_version_by_alias(model.name, "best")
    assert active_runs(store, experiment)


@pytest.mark.parametrize(
    ("experiment", "name"),
    [("tsslbp", "tsslbp-m-0123456789"), ("A b_c.d+e-1", "A b_c.d+e-1-m-0123456789"), ("a/b:c'", "a-b-c--m-0123456789")],
)
def test_what_no_registered_model_can_be_called_is_a_hyphen(experiment: str, name: str) -> None:
    assert registered_name(experiment, "m", "0123456789abcdef") == name


@pytest.mark.parametrize("recorded", [{"mean": [0.25], "std": [0.5]}, None])
def test_a_model_scales_its_input_as_it_was_trained(report, recorded: dict | None) -> None:
    record, provenance = make_record(seeds=(0,))
    if recorded is not None:
        record = record.model_copy(update={"settings": {**record.settings, "dataset_settings": recorded}})
    now = DATASETS["digits"].model_copy(update={"mean": (0.9,), "std": (0.1,)})
    store = report(record, provenance, ModelContext(dataset=now))
    (path,) = (store.folder / "mlartifacts").rglob("MLmodel")
    assert Model.load(path.parent).flavors["python_function"]["config"] == (recorded or {"mean": [0.9], "std": [0.1]})
