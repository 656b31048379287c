"""A row in parts: an interrupted training, seeds trained alone, and a record that another machine began."""

import shutil
from unittest.mock import Mock

import pytest

from tests.support.in_process import prepare, printed_by, train
from tests.support.poison import poison
from tests.support.project import MODEL, Project
from tests.support.row_parts import EPOCHS, RUNS, fit, machine, record_so_far, trained_here
from tsslbp.storage.record_files import read_record, write_record
from tsslbp.storage.records import Provenance

pytestmark = pytest.mark.usefixtures("without_log")
ELSEWHERE = "as recorded before on cpu, another machine's"


@pytest.fixture(scope="module")
def trained(tmp_path_factory, empty_database):
    """A project whose model was trained without a break."""
    project = Project(tmp_path_factory.mktemp("whole") / "project", empty_database, EPOCHS)
    prepare(project.folder)
    assert train(project.folder, MODEL) == 0
    return project


@pytest.fixture
def project(trained, tmp_path, empty_database):
    """A project with the same data, in which nothing was trained."""
    return machine(tmp_path / "project", trained, empty_database)


@pytest.fixture
def elsewhere(project, trained):
    """A project with nothing trained, and the record in git of both seeds from another machine, which one may change."""
    record, provenance = read_record(trained.folder / RUNS)
    runs = [run.model_copy(update={"device": "cpu, another machine's"}) for run in provenance.seeds]

    def write(seeds=record.seeds, runs=runs):
        write_record(project.folder / RUNS, record.model_copy(update={"seeds": tuple(seeds)}), Provenance(seeds=tuple(runs)))

    write()
    return project, record, runs, write


@pytest.mark.slow
def test_what_is_complete_so_far_is_recorded_and_training_goes_on_from_it(tmp_path, trained, empty_database):
    epochs = 20  # so many that a kill in the third one does not come too late
    whole, project = (machine(tmp_path / name, trained, empty_database) for name in ("whole", "project"))
    for each in (whole, project):
        each.change(f"epochs: {EPOCHS}", f"epochs: {epochs}")
    assert train(whole.folder, MODEL) == 0
    process = project.start("fit", "--model", MODEL)
    for line in process.stdout:
        if "seed 1 epoch 3/" in line:
            process.kill()
            break
    process.communicate()
    assert f"seed 0: {epochs} of {epochs} epochs" in record_so_far(project)
    record, provenance = read_record(project.folder / RUNS)
    of_whole, _ = read_record(whole.folder / RUNS)
    done = len(record.seeds[1].history)
    assert 3 <= done < epochs
    assert record.seeds[0] == of_whole.seeds[0]
    assert record.seeds[1].history == of_whole.seeds[1].history[:done]
    assert record.seeds[1].run_id != of_whole.seeds[1].run_id
    assert [len(seed.seconds) for seed in provenance.seeds] == [epochs, done]
    assert train(project.folder, MODEL) == 0
    assert project.results() == whole.results()


def test_where_no_epoch_is_complete_there_is_nothing_to_record(project):
    assert "no epoch is complete" in record_so_far(project, code=1)
    assert not (project.folder / "reports/runs").exists()


def test_seeds_trained_alone_on_two_machines_make_the_same_row(project, trained, tmp_path, empty_database):
    out = fit(project, 1)
    assert "seed 1: best" in out
    assert "seed 0" not in out
    assert f"`python -m stages.train --params params.yaml --model {MODEL} --so-far` records the seeds 1 beside the others" in out
    assert "no finished training" in printed_by(project.folder, "train", "--model", MODEL, code=1)
    record_so_far(project)
    other = machine(tmp_path / "other", trained, empty_database)
    shutil.copytree(project.folder / RUNS, other.folder / RUNS)
    fit(other, 0)
    out = record_so_far(other)
    assert "`python -m stages.report --params params.yaml` shows it" in out
    assert "goes on with the training" not in out  # all that was begun here is complete, and the other seed is another's
    assert "as recorded before on cpu" in out.split("seed 1: ")[1].splitlines()[0]
    assert "as recorded before" not in out.split("seed 0: ")[1].splitlines()[0]
    for name in ("record.json", "history.csv", "metrics.json"):
        assert (other.folder / RUNS / name).read_bytes() == (trained.folder / RUNS / name).read_bytes()


def test_seeds_trained_one_after_the_other_in_one_place_need_no_more_training(project, trained):
    for seed in (0, 1):
        fit(project, seed)
    assert " epoch 1/" not in printed_by(project.folder, "fit", "--model", MODEL)
    assert train(project.folder, MODEL) == 0
    assert project.results() == trained.results()
    record_so_far(project)  # of what is published already
    assert read_record(project.folder / f"checkpoints/{MODEL}/record") == read_record(project.folder / RUNS)


def test_of_seeds_that_have_begun_here_it_says_how_they_go_on(project):
    fit(project, 1, epochs=2)
    assert f"`python -m stages.fit --params params.yaml --model {MODEL} --seeds 1` goes on with the training" in record_so_far(project)


def test_a_seed_that_is_none_of_the_settings_is_refused(project):
    assert f"--seeds: got 7; allowed: 0, 1, the seeds of {MODEL} in params.yaml" in fit(project, 0, 7, code=1)
    assert not (project.folder / "checkpoints").exists()


def test_a_recorded_seed_gives_way_to_as_many_epochs_here(elsewhere, trained):
    project, record, _, write = elsewhere
    trained_here(project, trained, 0, 1)
    write([record.seeds[0], record.seeds[1].model_copy(update={"history": record.seeds[1].history[:5]})])
    assert ELSEWHERE not in record_so_far(project)
    again, provenance = read_record(project.folder / RUNS)
    assert again == record
    assert "another machine" not in str(provenance)


def test_a_recorded_seed_with_more_epochs_than_here_stays(elsewhere):
    project, record, runs, _ = elsewhere
    fit(project, 0, epochs=3)
    shutil.rmtree(project.folder / "checkpoints")
    assert record_so_far(project).count(ELSEWHERE) == 2
    again, provenance = read_record(project.folder / RUNS)
    assert again == record
    assert list(provenance.seeds) == runs
    assert not (project.folder / "checkpoints").exists(), "weights that are not those of the record"


def test_a_seed_that_failed_elsewhere_stays_on_record(elsewhere, trained):
    project, record, runs, write = elsewhere
    trained_here(project, trained, 0)
    write(record.seeds[:1], [runs[0], runs[1].model_copy(update={"failed": "the loss became nan"})])
    assert f"{MODEL} seed 1: FAILED: the loss became nan, {ELSEWHERE}" in record_so_far(project)
    again, provenance = read_record(project.folder / RUNS)
    assert again.seeds == record.seeds[:1]
    assert provenance.seeds[1].failed == "the loss became nan"


def test_a_seed_on_record_as_failed_stays_until_it_gets_past_its_failure(elsewhere):
    project, record, runs, write = elsewhere
    failed = runs[0].model_copy(update={"failed": "epoch 4: the loss became nan", "seconds": runs[0].seconds[:3]})
    write(record.seeds[1:], [failed, runs[1]])
    fit(project, 0, epochs=3)
    assert f"{MODEL} seed 0: FAILED: epoch 4: the loss became nan, {ELSEWHERE}" in record_so_far(project)
    again, provenance = read_record(project.folder / RUNS)
    assert (again.seeds, provenance.seeds[0]) == (record.seeds[1:], failed)
    fit(project, 0)
    record_so_far(project)
    again, provenance = read_record(project.folder / RUNS)
    assert again == record
    assert provenance.seeds[0].failed is None


def test_a_seed_on_record_gives_way_to_its_failure_here_where_that_comes_later(elsewhere, monkeypatch):
    project, record, runs, write = elsewhere
    with monkeypatch.context() as broken:
        poison(broken, seed=0, epoch=3)
        fit(project, 0, code=1)
    assert "seed 0: 6 of 6 epochs" in record_so_far(project)
    write([record.seeds[0].model_copy(update={"history": record.seeds[0].history[:2]}), record.seeds[1]], runs)
    assert "seed 0: FAILED: epoch 3, " in record_so_far(project)
    assert read_record(project.folder / RUNS)[0].seeds == record.seeds[1:]


@pytest.mark.parametrize("epoch", [1, 3])
def test_a_seed_that_fails_when_trained_alone_is_recorded_as_failed_until_its_cause_is_gone(project, monkeypatch, epoch):
    fit(project, 1)
    with monkeypatch.context() as broken:
        poison(broken, seed=0, epoch=epoch)
        assert "--so-far` publishes the failure" in fit(project, 0, code=1)
    record_so_far(project)
    record, provenance = read_record(project.folder / RUNS)
    assert [seed.seed for seed in record.seeds] == [1]
    assert provenance.seeds[0].failed.startswith(f"epoch {epoch}, ")
    assert len(provenance.seeds[0].seconds) == epoch - 1
    fit(project, 0)
    assert "FAILED" not in record_so_far(project)
    record, provenance = read_record(project.folder / RUNS)
    assert [len(seed.history) for seed in record.seeds] == [EPOCHS, EPOCHS]
    assert not any(seed.failed for seed in provenance.seeds)


def test_a_failed_seed_that_is_tried_again_and_interrupted_has_still_failed(project, monkeypatch):
    with monkeypatch.context() as broken:
        poison(broken, seed=0, epoch=3)
        fit(project, 0, code=1)
    with monkeypatch.context() as interrupted:
        interrupted.setattr("tsslbp.engines.local.train_job", Mock(side_effect=KeyboardInterrupt))
        fit(project, 0, code=130)
    assert "seed 0: FAILED: epoch 3, " in record_so_far(project)
    assert read_record(project.folder / RUNS)[0].seeds == ()
    project.change(f"epochs: {EPOCHS}", "epochs: 2")  # a shorter training is complete
    assert "seed 0: 2 of 2 epochs" in record_so_far(project)


def test_a_record_of_other_settings_is_named_and_written_anew(elsewhere):
    project, _, _, _ = elsewhere
    project.change("learning_rate: 0.0005", "learning_rate: 0.001")
    fit(project, 0, epochs=3)
    out = record_so_far(project)
    assert f"{RUNS}: is of other conditions than there are now and is written anew: models.{MODEL}.learning_rate" in out
    assert [seed.seed for seed in read_record(project.folder / RUNS)[0].seeds] == [0]


def test_seeds_on_record_that_the_settings_do_not_name_stay(elsewhere):
    project, record, _, _ = elsewhere
    project.change("seeds: [0, 1]", "seeds: [4]")
    fit(project, 4, epochs=2)
    out = record_so_far(project)
    assert f"seeds of {MODEL} that the settings do not name stay on record: 0, 1" in out
    found = read_record(project.folder / RUNS)[0].seeds
    assert [seed.seed for seed in found] == [4, 0, 1]
    assert found[1:] == record.seeds


def test_a_record_of_another_scaling_is_one_of_other_conditions(elsewhere):
    project = elsewhere[0]
    project.change("mean: [0.3065]", "mean: [0.3]")
    fit(project, 0, epochs=2)
    assert "written anew: datasets.digits.mean" in record_so_far(project)
    assert [seed.seed for seed in read_record(project.folder / RUNS)[0].seeds] == [0]


def test_what_a_full_disk_left_of_a_first_record_is_written_anew(project):
    fit(project, 0, epochs=2)
    (project.folder / RUNS).mkdir(parents=True)
    assert "written anew" not in record_so_far(project)
    (project.folder / RUNS / "record.json").unlink()
    assert f"{RUNS}: holds no record.json" in record_so_far(project)
    assert [seed.seed for seed in read_record(project.folder / RUNS)[0].seeds] == [0]


def test_a_damaged_record_is_named_and_stays(elsewhere, trained):
    project = elsewhere[0]
    trained_here(project, trained, 0, 1)
    (project.folder / RUNS / "record.json").write_text("{")
    assert "restore it from git" in record_so_far(project, code=1)
    assert (project.folder / RUNS / "record.json").read_text() == "{"
