"""What MLflow is told of a model."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.record_builders import make_record
from tests.support.tracking_helpers import active_runs, client_of, expected, history
from tsslbp.settings import digest
from tsslbp.tracking import ModelContext, Store, import_records


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
def test_beside_whole_seeds_one_that_has_begun_is_in_no_mean(store: Store) -> None:
    record, provenance = make_record(seeds=(0, 1))
    begun = record.seeds[1].model_copy(update={"history": record.seeds[1].history[:1]})
    origin = provenance.seeds[1].model_copy(update={"seconds": provenance.seeds[1].seconds[:1]})
    uneven = record.model_copy(update={"seeds": (record.seeds[0], begun)})
    import_records(store, [(uneven, provenance.model_copy(update={"seeds": (provenance.seeds[0], origin)}))])
    parent = active_runs(store)["digits-mlp"]
    assert (parent.data.metrics["best_mean"], parent.data.metrics["finished_seeds"]) == (record.seeds[0].best, 1)
    assert "1 seed × 3 epochs; unfinished, in no mean: 1." in parent.data.tags["mlflow.note.content"]


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
