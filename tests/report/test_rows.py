"""A row says how its runs differ from the protocol and from the present settings, on what they ran, and which seeds failed."""

from tests.support.report_builders import make_run
from tsslbp.report.answers import answer
from tsslbp.report.gallery import draw_pictures
from tsslbp.report.readme import readme_table
from tsslbp.report.rows import make_rows
from tsslbp.report.texts import confusion_csv
from tsslbp.storage.summary import metrics


def _uneven(base, most):
    """Four seeds of so many epochs, and one of 40."""
    long, provenance = make_run(base, "mnist-cnn", epochs=most)
    short, _ = make_run(base, "mnist-cnn", epochs=40)
    return long.model_copy(update={"seeds": (*long.seeds[:4], short.seeds[4])}), provenance


def test_uneven_seeds_count_the_epochs_that_all_have(base):
    row = make_rows(base, {"mnist-cnn": _uneven(base, 60)})[0]
    assert (row.epochs, row.extent, row.departures) == (40, "5 × 40–60 of 100", ("40 to 60 of 100 epochs",))


def test_beside_whole_seeds_one_that_has_begun_does_not_count(base):
    record, provenance = _uneven(base, 100)
    row = make_rows(base, {"mnist-cnn": (record, provenance)})[0]
    assert (row.epochs, row.extent, row.departures) == (100, "4 of 5 × 100", ("4 of 5 seeds",))
    assert "seed 4 left out, after 40 of 100 epochs" in row.note
    assert row.bests == tuple(seed.best for seed in record.seeds[:4])
    assert record.seeds[4].run_id not in row.origin.run_ids


def test_seeds_that_were_on_the_way_to_more_epochs_are_not_whole_once_fewer_are_asked_for(base):
    """Otherwise the mean would be over the best of 60 epochs and the best of 100."""
    record, provenance = _uneven(base, 100)
    fewer = base.model_copy(update={"models": base.models | {"mnist-cnn": base.model("mnist-cnn").model_copy(update={"epochs": 30})}})
    fewer = fewer.model_copy(update={"published": {}})
    (row,) = [row for row in make_rows(fewer, {"mnist-cnn": (record, provenance)}) if row.was_run]
    assert row.bests == tuple(seed.best for seed in record.seeds[:4])
    assert metrics(record)["best_mean"] == row.best.mean


def test_names_of_classes_that_are_of_another_number_give_way_to_numbers(base):
    run = make_run(base, "fashion-mlp", epochs=3)
    few = base.datasets["fashion_mnist"].model_copy(update={"class_names": ("a", "b"), "classes": 2})
    changed = base.model_copy(update={"datasets": base.datasets | {"fashion_mnist": few}})
    rows = make_rows(changed, {"fashion-mlp": run})
    assert "fashion-mlp,9,9," in confusion_csv(rows, {"fashion-mlp": run})
    assert draw_pictures(rows, {"fashion-mlp": run})["confusion"]


def test_where_fewer_epochs_are_asked_for_than_were_published_a_seed_that_ran_these_is_whole(base):
    """The table, `dvc metrics show` and MLflow then say the same mean."""
    asked = base.model_copy(update={"models": base.models | {"mnist-cnn": base.model("mnist-cnn").model_copy(update={"epochs": 30})}})
    long, provenance = make_run(asked, "mnist-cnn", epochs=30)
    begun, _ = make_run(asked, "mnist-cnn", epochs=2)
    record = long.model_copy(update={"seeds": (*long.seeds[:4], begun.seeds[4])})
    (row,) = [row for row in make_rows(asked, {"mnist-cnn": (record, provenance)}) if row.was_run]
    assert (row.extent, row.departures) == ("4 of 5 × 30 of 100", ("4 of 5 seeds", "30 of 100 epochs"))
    assert "seed 4 left out, after 2 of 30 epochs" in row.note
    assert row.best is not None and row.best.mean == metrics(record)["best_mean"]


def test_pictures_and_confusions_are_of_the_seeds_that_count(base):
    record, provenance = _uneven(base, 100)
    whole = record.model_copy(update={"seeds": record.seeds[:4]}), provenance.model_copy(update={"seeds": provenance.seeds[:4]})
    shown = []
    for run in ((record, provenance), whole):
        runs = {"mnist-cnn": run}
        rows = make_rows(base, runs)
        shown.append((confusion_csv(rows, runs), draw_pictures(rows, runs)))
    assert set(shown[0][1]) >= {"learning", "confusion", "firing"}
    assert shown[0] == shown[1]


def test_settings_that_changed_since_the_run_are_named(base):
    record, provenance = make_run(base, "mnist-cnn", epochs=100)
    older = record.model_copy(update={"settings": {**record.settings, "learning_rate": 0.1, "epochs": 7}})
    row = make_rows(base, {"mnist-cnn": (older, provenance)})[0]
    assert row.departures == ("other settings than params.yaml has now: learning_rate",)
    assert not row.follows_protocol


def test_scaling_and_seeds_that_changed_since_the_run_are_named(base):
    record, provenance = make_run(base, "mnist-cnn", epochs=100)
    scaled = base.model_copy(update={"datasets": {**base.datasets, "mnist": base.dataset("mnist").model_copy(update={"mean": (0.5,)})}})
    (row,) = [row for row in make_rows(scaled, {"mnist-cnn": (record, provenance)}) if row.was_run]
    assert row.departures == ("other settings than params.yaml has now: dataset_settings",)
    reseeded = base.model_copy(update={"seeds": (0, 1, 2, 3, 14)})
    (row,) = [row for row in make_rows(reseeded, {"mnist-cnn": (record, provenance)}) if row.was_run]
    assert row.departures == ("other settings than params.yaml has now: seeds",)
    assert row.judgement == f"({row.comparison.verdict})"


def test_other_settings_of_events_than_the_runs_are_named_where_the_record_has_them(base):
    record, provenance = make_run(base, "nmnist-cnn-t30", epochs=100)
    other = base.dataset("nmnist").model_copy(update={"first_us": 105_000, "last_us": 210_000})
    settings = base.model_copy(update={"datasets": {**base.datasets, "nmnist": other}})
    older = {**record.settings, "dataset_settings": base.identity("nmnist-cnn-t30")["dataset"]}
    for now, run, named in (
        (base, record, ()),
        (settings, record, ("other settings than params.yaml has now: dataset_settings",)),
        (settings, record.model_copy(update={"settings": older}), ()),
    ):
        (row,) = [row for row in make_rows(now, {"nmnist-cnn-t30": (run, provenance)}) if row.was_run]
        assert row.departures == named


def test_a_row_whose_epoch_was_chosen_on_held_out_samples_is_not_the_protocols(base):
    model = base.model("mnist-cnn").model_copy(update={"selection": "held-out"})
    settings = base.model_copy(update={"models": {"mnist-cnn": model}})
    (row,) = make_rows(settings, {"mnist-cnn": make_run(settings, "mnist-cnn", epochs=100)})
    assert row.departures == ("epoch chosen on held-out training samples",)
    assert not row.follows_protocol


def test_the_device_of_a_row_says_how_many_threads(base):
    record, provenance = make_run(base, "fashion-mlp")
    one, *others = provenance.seeds
    mixed = provenance.model_copy(update={"seeds": (one.model_copy(update={"threads": 1}), *others)})
    row = next(row for row in make_rows(base, {"fashion-mlp": (record, mixed)}) if row.model == "fashion-mlp")
    assert row.origin.device == f"{one.device}, 1 thread; {one.device}, {others[0].threads} threads"


def test_the_device_of_a_row_says_which_library_of_products(base):
    """Two processors of one name need not have the same instructions, and so not the same library."""
    record, provenance = make_run(base, "fashion-mlp")
    known = ("onednn", "blas", None, "blas", "blas")
    seeds = tuple(seed.model_copy(update={"products": each}) for seed, each in zip(provenance.seeds, known, strict=True))
    row = next(row for row in make_rows(base, {"fashion-mlp": (record, provenance.model_copy(update={"seeds": seeds}))}) if row.was_run)
    place = f"{seeds[0].device}, {seeds[0].threads} threads"
    assert row.origin.device == f"{place}, oneDNN; {place}, BLAS; {place}"


def test_a_gpu_has_its_own_library_of_products(base):
    record, provenance = make_run(base, "fashion-mlp")
    seeds = tuple(seed.model_copy(update={"products": "onednn", "device": "cuda, a GPU", "threads": 1}) for seed in provenance.seeds)
    row = next(row for row in make_rows(base, {"fashion-mlp": (record, provenance.model_copy(update={"seeds": seeds}))}) if row.was_run)
    assert row.origin.device == "cuda, a GPU, 1 thread"


def test_a_failure_keeps_its_reason_but_not_the_folders(base):
    run = make_run(base, "mnist-cnn", failed={7: "OSError: /home/someone/project/x.py\nsee https://example.org/a/b " + "y" * 300})
    note = make_rows(base, {"mnist-cnn": run})[0].note
    assert "seed 7 failed: OSError: x.py see https://example.org/a/b" in note
    assert "someone" not in note and len(note) < 250


def test_a_model_whose_every_seed_failed_was_not_run(base):
    row = make_rows(base, {"mnist-cnn": make_run(base, "mnist-cnn", seeds=(), failed={0: "boom"})})[0]
    assert (row.comparison.verdict, row.was_run) == ("not run", False)
    assert row.note == "0 of 5 seeds; seed 0 failed: boom"
    assert answer([row]) == (
        "None of the 1 rows has been run yet.",
        "The tables show the published numbers alone.",
        "Training failed: mnist-cnn (1 of 1 seeds).",
    )


def test_more_epochs_than_published_are_no_protocol(base):
    """The best of 200 has more to choose from than the published best of 100, whether params.yaml still asks for so many or not."""
    longer = base.model_copy(update={"models": {"mnist-cnn": base.model("mnist-cnn").model_copy(update={"epochs": 200})}})
    run = make_run(longer, "mnist-cnn", epochs=200)
    for settings in (longer, base):
        row = make_rows(settings, {"mnist-cnn": run})[0]
        assert row.departures == ("more epochs to choose from than the published runs: 200 instead of 100",)
        assert not row.follows_protocol and not row.has_whole_seeds
        assert row.judgement == f"({row.comparison.verdict})"


def test_a_row_is_labelled_with_the_settings_that_ran(base):
    """Numbers of five steps are no numbers of ten, whatever params.yaml says by now; the README, which has no notes, names the row."""
    changed = base.model("mnist-cnn").model_copy(update={"time_steps": 10, "architecture": "12C5-P2-300", "recipe": "2020-10"})
    settings = base.model_copy(update={"models": {**base.models, "mnist-cnn": changed}})
    rows = make_rows(settings, {"mnist-cnn": make_run(base, "mnist-cnn", epochs=100)})
    assert (rows[0].time_steps, rows[0].architecture, rows[0].recipe) == (5, "15C5-P2-40C5-P2-300", "2021-03")
    assert "T = 5, recipe 2021-03" in readme_table(rows) and "T = 10," not in readme_table(rows)
    assert "Of other settings than params.yaml has now: mnist-cnn." in readme_table(rows)
    assert make_rows(settings, {})[0].time_steps == 10
