"""The records that a report reads: those of the settings' models, whole and in their places."""

import pytest

from tests.support.report_builders import make_run
from tsslbp.report.origin import origin_of, read_runs
from tsslbp.storage.record_files import RecordError, write_record


def test_records_are_read_for_the_models_of_the_settings_alone(base, tmp_path):
    for key in ("mnist-cnn", "fashion-mlp"):
        write_record(tmp_path / key, *make_run(base, key))
    write_record(tmp_path / "removed", *make_run(base, "mnist-cnn"))
    (tmp_path / "cifar10-cnn").mkdir()
    runs = read_runs(base, tmp_path)
    assert list(runs) == ["mnist-cnn", "fashion-mlp"]
    assert runs["mnist-cnn"] == make_run(base, "mnist-cnn")


@pytest.mark.parametrize("name", ["record.json", "history.csv", "provenance.json"])
def test_a_missing_or_damaged_record_is_named(base, tmp_path, name):
    write_record(tmp_path / "mnist-cnn", *make_run(base, "mnist-cnn"))
    (tmp_path / "mnist-cnn" / name).write_text("{ nothing")
    with pytest.raises(RecordError, match="mnist-cnn"):
        read_runs(base, tmp_path)
    (tmp_path / "mnist-cnn" / name).unlink()
    with pytest.raises(RecordError, match=name):
        read_runs(base, tmp_path)


def test_a_record_in_another_models_folder_is_refused(base, tmp_path):
    write_record(tmp_path / "fashion-mlp", *make_run(base, "mnist-cnn"))
    with pytest.raises(RecordError, match="'mnist-cnn'"):
        read_runs(base, tmp_path)


def test_commits_and_versions_that_a_seed_went_on_with_are_named_once(base):
    record, provenance = make_run(base, "mnist-cnn")
    first, second = provenance.seeds[:2]
    first = first.model_copy(update={"git_commit": "abc; then def", "versions": {"numpy": "1; then 2"}})
    second = second.model_copy(update={"git_commit": "def", "versions": {"numpy": "2"}})
    origin = origin_of((record, provenance.model_copy(update={"seeds": (first, second)})))
    assert (origin.git_commit, origin.versions) == ("abc, def", "numpy 1 / 2")
