"""The networks in git: training publishes them with its record, and `stages.verify` finds those that are not what the record says."""

import shutil
from pathlib import Path

import pytest
import torch

from stages import published_weights
from stages.common import weights_of
from stages.published_weights import publish_weights, remote_advice
from tests.support.in_process import printed_by_training, run_stage
from tests.support.project import MODEL, Project
from tsslbp.settings import load_settings
from tsslbp.storage.checkpoints import load_weights, save_weights
from tsslbp.storage.files import checksum
from tsslbp.storage.record_files import read_record, write_record

PUBLISHED = f"published: {{{MODEL}: {{mean: 90.0, std: 0.1, best: 91.0, runs: 2, epochs: 3}}}}"


@pytest.fixture(scope="module")
def trained(tmp_path_factory, empty_database):
    """A project whose one row was run in full: two seeds of three epochs."""
    project = Project(tmp_path_factory.mktemp("verify") / "project", empty_database)
    project.change("published: {}", PUBLISHED)
    project.prepare()
    project.output = printed_by_training(project.folder, MODEL)
    return project


@pytest.fixture
def project(trained, tmp_path):
    """A copy of it."""
    shutil.copytree(trained.folder, tmp_path / "project")
    return tmp_path / "project"


def weights(folder: Path) -> Path:
    return folder / f"reports/weights/{MODEL}.safetensors"


@pytest.mark.slow
def test_a_row_that_was_run_in_full_has_its_first_seeds_best_network_in_git(trained):
    assert "the network of seed 0 at its best epoch" in trained.output
    assert weights(trained.folder).read_bytes() == (trained.folder / f"checkpoints/{MODEL}/seed-0-best.safetensors").read_bytes()


@pytest.mark.slow
def test_it_gives_the_recorded_accuracy_to_the_last_sample_where_nothing_changed(project, capsys):
    assert run_stage(project, "verify") == 0
    best = read_record(project / "reports/runs" / MODEL)[0].seeds[0].best
    assert f"{MODEL}: {best:.2f} % of 360 test samples" in (out := capsys.readouterr().out)
    assert "equal to the record\n" in out


@pytest.mark.slow
def test_a_network_of_another_seed_is_found(project, capsys):
    shutil.copy(project / f"checkpoints/{MODEL}/seed-1-best.safetensors", weights(project))
    assert run_stage(project, "verify") == 1
    assert f"is not the network of seed 0 that the record of {MODEL} names" in capsys.readouterr().err


@pytest.mark.slow
def test_a_network_beside_a_record_of_failed_seeds_is_one_line(project, capsys):
    runs = project / "reports/runs" / MODEL
    record, provenance = read_record(runs)
    failed = [seed.model_copy(update={"failed": "epoch 1: silent"}) for seed in provenance.seeds]
    write_record(runs, record.model_copy(update={"seeds": ()}), provenance.model_copy(update={"seeds": tuple(failed)}))
    assert run_stage(project, "verify") == 1
    assert f"{MODEL}.safetensors: every seed on record of {MODEL} failed" in capsys.readouterr().err


@pytest.mark.slow
def test_an_accuracy_that_is_not_the_records_is_found(project, capsys):
    """A network of nothing but zeros, whose checksum somebody wrote into the record."""
    seed = read_record(project / f"reports/runs/{MODEL}")[0].seeds[0]
    stored, metadata = load_weights(weights(project))
    save_weights(weights(project), {name: torch.zeros_like(weight) for name, weight in stored.items()}, metadata)
    record = project / f"reports/runs/{MODEL}/record.json"
    record.write_text(record.read_text().replace(seed.best_weights_sha256, checksum(weights(project), "sha256")))
    assert run_stage(project, "verify") == 1
    assert f"samples from the record's {seed.best:.2f} %, 0 are allowed" in capsys.readouterr().err


@pytest.mark.slow
def test_a_row_without_a_network_says_why(project, capsys):
    weights(project).unlink()
    assert run_stage(project, "verify") == 0
    command = f"stages.train --params params.yaml --model {MODEL} --so-far"
    assert f"{MODEL}: no network in git; where seed 0 was trained, `python -m {command}` publishes it" in capsys.readouterr().out
    assert run_stage(project, *command.removeprefix("stages.").split()) == 0
    assert weights(project).exists()
    weights(project).unlink()
    shutil.rmtree(project / "reports/runs" / MODEL)
    assert run_stage(project, "verify") == 0
    assert f"{MODEL}: no network in git; the row was not run" in capsys.readouterr().out


@pytest.mark.slow
def test_a_row_without_a_published_one_is_not_sent_to_a_command_that_publishes_nothing(project, capsys):
    weights(project).unlink()
    params = project / "params.yaml"
    params.write_text(params.read_text().replace(PUBLISHED, "published: {}"))
    assert run_stage(project, "verify") == 0
    said = f"{MODEL}: no network in git; only rows of the pipeline that have a published one beside them go into git"
    assert said in capsys.readouterr().out


@pytest.mark.slow
def test_a_network_that_cannot_be_tested_keeps_no_other_from_being_tested(project, capsys):
    params = project / "params.yaml"
    before, model = params.read_text().split("models:\n")
    model, after = model.split("published:")
    params.write_text(
        f"{before}models:\n{model.replace('architecture: 60', 'architecture: 61')}{model.replace(MODEL, 'second')}published:{after}"
    )
    shutil.copytree(project / f"reports/runs/{MODEL}", project / "reports/runs/second")
    record = project / "reports/runs/second/record.json"
    record.write_text(record.read_text().replace(f'"model": "{MODEL}"', '"model": "second"'))
    shutil.copy(weights(project), weights(project).with_stem("second"))
    assert run_stage(project, "verify") == 1
    out, err = capsys.readouterr()
    assert f"{MODEL}: cannot be tested: " in err
    assert "is of another network than" in err
    assert "second: " in out
    assert "equal to the record" in out


@pytest.mark.slow
def test_the_stages_that_bring_the_data_that_are_not_there_are_printed_for_make(project, capsys):
    """DVC refuses a stage beside a training that reads its data, so it is not asked where they are there."""
    assert run_stage(project, "verify", "--stages") == 0
    assert capsys.readouterr().out == "\n"
    shutil.rmtree(project / "data/processed/digits")
    assert run_stage(project, "verify", "--stages") == 0
    assert capsys.readouterr().out == "preprocess@digits\n"


@pytest.mark.slow
def test_beside_the_record_of_an_experiment_it_says_how_the_record_comes_back(project, capsys):
    runs = project / "reports/runs" / MODEL
    record, provenance = read_record(runs)
    begun = [seed.model_copy(update={"history": seed.history[:1], "best_weights_sha256": "0" * 64}) for seed in record.seeds]
    write_record(runs, record.model_copy(update={"seeds": tuple(begun)}), provenance)
    assert run_stage(project, "verify") == 1
    assert (
        f"is of another training than the record of {MODEL} (1 of 3 epochs); take the record back with `git checkout"
        in capsys.readouterr().err
    )


def published(folder: Path, monkeypatch: pytest.MonkeyPatch) -> str | None:
    monkeypatch.chdir(folder)
    weights(folder).unlink()
    return publish_weights(load_settings(Path("params.yaml")), MODEL, *read_record(folder / "reports/runs" / MODEL))


@pytest.mark.slow
def test_a_row_that_was_not_run_in_full_has_none(project, monkeypatch):
    params = project / "params.yaml"
    params.write_text(params.read_text().replace("runs: 2", "runs: 3"))
    assert published(project, monkeypatch) is None
    assert not weights(project).exists()


@pytest.mark.slow
def test_a_network_too_large_for_git_stays_out_of_it(project, monkeypatch):
    monkeypatch.setattr(published_weights, "LARGEST", 1000)
    assert "attach it to a release" in (published(project, monkeypatch) or "")
    assert not weights(project).exists()


@pytest.mark.parametrize(
    ("file", "text", "advised"),
    [
        ("config", "[core]\n    analytics = false\n", False),
        ("config", "['remote \"storage\"']\n    url = /data\n", True),
        ("config.local", '[remote "storage"]\n    url = s3://bucket/%20\n', True),
        ("config", "[core]\nno equals sign\n", False),  # DVC itself says what is wrong
    ],
)
def test_dvc_pull_is_advised_only_where_there_is_a_remote(tmp_path, file, text, advised):
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc" / file).write_text(text)
    assert ("dvc pull" in remote_advice(tmp_path)) == advised


def test_there_is_no_such_advice_outside_of_dvc(tmp_path):
    assert remote_advice(tmp_path) == ""


@pytest.mark.slow
def test_in_a_clone_the_network_in_git_stands_for_the_first_seeds_checkpoint(project, monkeypatch):
    monkeypatch.chdir(project)
    settings = load_settings(Path("params.yaml"))
    assert weights_of(settings, MODEL, 0)["best.safetensors"] == Path(f"checkpoints/{MODEL}/seed-0-best.safetensors")
    shutil.rmtree("checkpoints")
    assert weights_of(settings, MODEL, 0)["best.safetensors"] == Path(f"reports/weights/{MODEL}.safetensors")
    assert not weights_of(settings, MODEL, 1)["best.safetensors"].exists()
