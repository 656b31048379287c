"""Run records and MLflow side by side."""

import pytest

from tests.support.record_builders import make_provenance, make_record
from tests.support.tracking_helpers import active_runs, changed, expected, who
from tsslbp.storage.records import Provenance
from tsslbp.tracking import LiveLog, ModelContext, Store, TrackingError, accuracies, complete, import_records, verify

pytestmark = pytest.mark.usefixtures("quick_pictures")


def test_accuracies_come_by_run_id(store: Store) -> None:
    record, provenance = make_record(epochs=2)
    import_records(store, [(record, provenance)])
    table = accuracies(store, "quickstart", [record.seeds[1].run_id])
    assert list(table.columns) == ["run_id", "model", "seed", "epoch", "test_accuracy"]
    assert [tuple(row) for row in table[["model", "seed", "epoch", "test_accuracy"]].to_numpy()] == [
        ("digits-mlp", 1, epoch, accuracy) for epoch, accuracy in expected(record, 1)
    ]
    with pytest.raises(TrackingError, match=f"does not know run {'0' * 32}"):
        accuracies(store, "quickstart", ["0" * 32])


def test_a_difference_is_named_with_both_numbers(store: Store) -> None:
    record, provenance = make_record()
    import_records(store, [(record, provenance)])
    verify(store, [record])
    with pytest.raises(
        TrackingError, match=r"digits-mlp seed 0 \(run \w{32}\), epoch 2: test accuracy 87\.0 % in MLflow, 87\.01 % in the run"
    ):
        verify(store, [changed(record, 2, 87.01)])


def test_an_epoch_that_one_side_lacks_is_a_difference(store: Store) -> None:
    import_records(store, [make_record(epochs=3)])
    with pytest.raises(TrackingError, match=r"epoch 4: test accuracy missing in MLflow"):
        verify(store, [make_record(epochs=4)[0]])
    with pytest.raises(TrackingError, match=r"epoch 3: .* missing in the run record"):
        verify(store, [make_record(epochs=2)[0]])


@pytest.mark.parametrize("others", [(1,), ()])
def test_a_failed_seed_whose_log_broke_off_is_marked_as_failed(store: Store, others: tuple[int, ...]) -> None:
    record, provenance = make_record(seeds=others)
    failed = make_provenance(0, epochs=2).model_copy(update={"failed": "epoch 3: nan", "run_id": who().run_id})
    provenance = provenance.model_copy(update={"seeds": (failed, *provenance.seeds)})
    with LiveLog(store, pytest.fail) as log:
        log.start(who())
    assert active_runs(store)["digits-mlp seed 0"].info.status == "RUNNING"
    for _ in range(2):
        import_records(store, [(record, provenance)])
        runs = active_runs(store)
        assert {name: run.info.status for name, run in runs.items()} == {
            "digits-mlp": "FAILED",
            "digits-mlp seed 0": "FAILED",
            **{f"digits-mlp seed {seed}": "FINISHED" for seed in others},
        }
        assert runs["digits-mlp seed 0"].data.tags["tsslbp.failure"] == "epoch 3: nan"
        assert "epoch 3: nan" in runs["digits-mlp"].data.tags["tsslbp.failure"]


def test_an_older_record_does_not_say_which_run_of_a_seed_failed(store: Store) -> None:
    record, provenance = make_record(seeds=(1,))
    failed = make_provenance(0).model_copy(update={"failed": "epoch 3: nan"})
    import_records(store, [(record, provenance.model_copy(update={"seeds": (failed, *provenance.seeds)}))])
    assert set(active_runs(store)) == {"digits-mlp", "digits-mlp seed 1"}


def test_only_training_replaces_other_numbers(store: Store) -> None:
    record, provenance = make_record()
    import_records(store, [(record, provenance)])
    other = changed(record, 2, 12.5)
    import_records(store, [(other, provenance)])
    verify(store, [record])
    complete(store, other, provenance)
    verify(store, [other])
    assert len(active_runs(store)) == 3


def test_a_raised_number_of_epochs_is_logged(store: Store) -> None:
    contexts = {"digits-mlp": ModelContext(protocol_epochs=4)}
    import_records(store, [make_record(epochs=2)], contexts=contexts)
    record, provenance = make_record(epochs=4)
    import_records(store, [(record, provenance)], contexts=contexts)
    verify(store, [record])
    assert active_runs(store)["digits-mlp seed 0"].data.params["epochs"] == "4"


def test_failed_seeds_show_on_the_parent(store: Store) -> None:
    record, provenance = make_record(seeds=(0,))
    failed = make_provenance(1).model_copy(update={"failed": "the loss is not a number"})
    complete(store, record, Provenance(seeds=(*provenance.seeds, failed)))
    parent = active_runs(store)["digits-mlp"]
    assert (parent.info.status, parent.data.tags["tsslbp.failure"]) == ("FAILED", "seed 1: the loss is not a number")
    complete(store, *make_record(seeds=(0, 1)))
    parent = active_runs(store)["digits-mlp"]
    assert parent.info.status == "FINISHED"
    assert "tsslbp.failure" not in parent.data.tags
