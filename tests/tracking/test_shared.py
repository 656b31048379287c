"""Several checkouts on one store: each has runs of its own, and no run that another one logged is ever changed or deleted."""

import json
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mlflow.entities import Run, ViewType

from tests.support.record_builders import make_epoch, make_record
from tests.support.tracking_helpers import active_runs, changed, client_of, who
from tsslbp.tracking import LiveLog, Store, TrackingError, complete, import_records, mlflow_runs, tracking_store, verify
from tsslbp.tracking.checkout import FILE, own_checkout
from tsslbp.tracking.experiments import experiment_id
from tsslbp.tracking.store import Connection, connect

pytestmark = pytest.mark.usefixtures("quick_pictures")


@pytest.fixture
def checkouts(store: Store, tmp_path: Path) -> tuple[Store, Store]:
    """Two checkouts that log to one database, which lies in neither."""
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    first, second = (tracking_store(tmp_path / name, store.uri) for name in ("first", "second"))
    return first, second


def all_runs(store: Store) -> list[Run]:
    client = client_of(store)
    experiment = client.get_experiment_by_name("quickstart").experiment_id
    return list(client.search_runs([experiment], run_view_type=ViewType.ALL))


def state(store: Store, checkout: Store) -> list[Any]:
    """Everything that MLflow holds of one checkout's runs, deleted ones too."""
    client, own = client_of(store), connect(checkout).checkout
    runs = [run for run in all_runs(store) if run.data.tags["tsslbp.checkout"] == own]
    files = [[file.path for file in client.list_artifacts(run.info.run_id)] for run in runs]
    return [[run.info.to_proto().SerializeToString(), run.data.metrics, run.data.params, run.data.tags] for run in runs] + files


def test_equal_settings_in_two_checkouts_are_two_runs_and_each_verifies_its_own(checkouts: tuple[Store, Store]) -> None:
    first, second = checkouts
    record, provenance = make_record()
    other = changed(record, 2, 12.5)
    complete(first, record, provenance)
    before = state(first, first)
    complete(second, other, provenance)
    verify(first, [record])
    verify(second, [other])
    complete(first, record, provenance)
    assert state(first, first) == before
    assert len(all_runs(first)) == 6
    assert all(run.info.lifecycle_stage == "active" for run in all_runs(first))


def test_a_training_touches_no_run_of_another_checkout(checkouts: tuple[Store, Store]) -> None:
    first, second = checkouts
    record, provenance = make_record(seeds=(0,))
    complete(first, record, provenance)
    before = state(first, first)
    with LiveLog(second, pytest.fail) as log:
        log.start(who())
        log.epoch(who(), make_epoch(1), 100.0)
        log.fail(who(), "not enough memory")
        log.finish(who(), changed(record, 3, 1.0).seeds[0], {})
        log.model(changed(record, 3, 1.0), provenance)
    assert state(first, first) == before
    verify(first, [record])


def test_several_checkouts_name_their_data_at_the_same_moment(store: Store, tmp_path: Path) -> None:
    """MLflow looks for a dataset and then writes it; of those who find none, all but one fail."""
    connections = [connect(tracking_store(tmp_path / f"{number}", store.uri)) for number in range(4)]
    experiment = experiment_id(connections[0], "quickstart")
    all_at_once = threading.Barrier(len(connections))

    def name_data(connection: Connection) -> None:
        for number in range(10):
            run = replace(who(), parameters={**who().parameters, "data_checksum": f"{number}"}, run_id=f"{number}")
            found = mlflow_runs.ensure(connection, experiment, replace(run, seed=None), 0)
            all_at_once.wait(60)
            mlflow_runs._add_dataset(connection.client, found, run)

    with ThreadPoolExecutor(len(connections)) as people:
        list(people.map(name_data, connections))
    assert sorted(run.inputs.dataset_inputs[0].dataset.digest for run in all_runs(store)) == sorted("0123456789" * len(connections))


def test_a_report_does_not_take_another_checkouts_run(checkouts: tuple[Store, Store]) -> None:
    first, second = checkouts
    record, provenance = make_record(seeds=(0,))
    complete(first, record, provenance)
    with pytest.raises(TrackingError, match=r"does not know run .* of this checkout"):
        verify(second, [record])


def test_runs_without_an_owner_stay_as_they_are(store: Store) -> None:
    """What versions before this one logged: under other names, by nobody in particular."""
    client, record = client_of(store), make_record(seeds=(0,))
    experiment = client.create_experiment("quickstart", artifact_location=store.artifacts)
    old = client.create_run(experiment, tags={"tsslbp.run_id": record[0].seeds[0].run_id}, run_name="old")
    client.log_metric(old.info.run_id, "test_accuracy", 1.0, step=1)
    complete(store, *record)
    verify(store, [record[0]])
    runs = active_runs(store)
    assert set(runs) == {"old", "digits-mlp", "digits-mlp seed 0"}
    assert set(runs["old"].data.metrics) == {"test_accuracy"}
    assert "test_accuracy" not in runs["digits-mlp seed 0"].data.metrics


@pytest.mark.parametrize("deleted_by", ["the pipeline", "a person"])
def test_a_restored_experiment_keeps_the_right_run(store: Store, deleted_by: str) -> None:
    client = client_of(store)
    record, provenance = make_record(seeds=(0,))
    wrong = changed(record, 2, 12.5)
    complete(store, wrong, provenance)
    if deleted_by == "a person":  # as the report advises
        client.delete_run(active_runs(store)["digits-mlp seed 0"].info.run_id)
    complete(store, record, provenance)
    right = active_runs(store)["digits-mlp seed 0"].info.run_id
    client.delete_experiment(client.get_experiment_by_name("quickstart").experiment_id)
    import_records(store, [(record, provenance)])
    verify(store, [record])
    assert active_runs(store)["digits-mlp seed 0"].info.run_id == right


def test_a_restored_experiment_brings_no_replaced_run_back(store: Store) -> None:
    client = client_of(store)
    record, provenance = make_record()
    complete(store, changed(record, 2, 12.5), provenance)
    complete(store, record, provenance)
    client.delete_experiment(client.get_experiment_by_name("quickstart").experiment_id)
    # Seed 0, whose run had been replaced, is no longer asked for.
    import_records(store, [make_record(seeds=(1,))])
    assert [run.data.tags.get("tsslbp.replaced") for run in active_runs(store).values()] == [None] * len(active_runs(store))


def test_a_checkout_keeps_its_id_and_a_copy_gets_another(tmp_path: Path) -> None:
    first = own_checkout(tmp_path / "first")
    assert own_checkout(tmp_path / "first") == first
    moved = (tmp_path / "first").rename(tmp_path / "moved")
    assert own_checkout(moved) == first
    shutil.copytree(moved, tmp_path / "copy")
    copy = own_checkout(tmp_path / "copy")
    assert copy.id != first.id
    assert copy.former == (first.id,)
    assert own_checkout(tmp_path / "copy") == copy
    assert own_checkout(moved) == first


@pytest.mark.parametrize("damage", ["", "no JSON", "[]", json.dumps({"id": "a"})])
def test_a_damaged_id_is_replaced(tmp_path: Path, damage: str) -> None:
    first = own_checkout(tmp_path)
    (tmp_path / FILE).write_text(damage)
    second = own_checkout(tmp_path)
    assert second.id != first.id
    assert own_checkout(tmp_path) == second


def test_an_id_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    (tmp_path / FILE).mkdir()
    with pytest.raises(TrackingError, match=r"mlflow\.db\.checkout: cannot be read or written") as error:
        import_records(tracking_store(tmp_path), [make_record()])
    assert len(str(error.value).splitlines()) == 1


def test_a_copied_project_goes_on_with_the_runs_in_its_own_database(store: Store) -> None:
    record, provenance = make_record(seeds=(0,))
    import_records(store, [(record, provenance)])
    copy = tracking_store(Path(shutil.copytree(store.folder, store.folder.with_name("copy"))))
    assert connect(copy).checkout != connect(store).checkout
    import_records(copy, [(record, provenance)])
    verify(copy, [record])
    assert set(active_runs(copy)) == {"digits-mlp", "digits-mlp seed 0"}


def test_a_copied_project_has_runs_of_its_own_on_a_server(store: Store, checkouts: tuple[Store, Store]) -> None:
    first, _ = checkouts
    record, provenance = make_record(seeds=(0,))
    complete(first, record, provenance)
    before = state(first, first)
    copy = tracking_store(Path(shutil.copytree(first.project, first.project.with_name("copy"))), store.uri)
    complete(copy, changed(record, 2, 12.5), provenance)
    assert state(first, first) == before
    assert len(all_runs(first)) == 4
