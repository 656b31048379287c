"""The records that a report reads: those of the settings' models, whole and in their places."""

import pytest

from tests.report_builders import make_run, settings
from tsslbp.report.origin import read_runs
from tsslbp.storage.record_files import RecordError, write_record


@pytest.fixture(scope="module")
def protocol():
    return settings()


def test_records_are_read_for_the_models_of_the_settings_alone(protocol, tmp_path):
    for key in ("mnist-cnn", "fashion-mlp"):
        write_record(tmp_path / key, *make_run(protocol, key))
    write_record(tmp_path / "removed", *make_run(protocol, "mnist-cnn"))
    (tmp_path / "cifar10-cnn").mkdir()
    runs = read_runs(protocol, tmp_path)
    assert list(runs) == ["mnist-cnn", "fashion-mlp"]
    assert runs["mnist-cnn"] == make_run(protocol, "mnist-cnn")


@pytest.mark.parametrize("name", ["record.json", "history.csv", "provenance.json"])
def test_a_missing_or_damaged_record_is_named(protocol, tmp_path, name):
    write_record(tmp_path / "mnist-cnn", *make_run(protocol, "mnist-cnn"))
    (tmp_path / "mnist-cnn" / name).write_text("{ nothing")
    with pytest.raises(RecordError, match="mnist-cnn"):
        read_runs(protocol, tmp_path)
    (tmp_path / "mnist-cnn" / name).unlink()
    with pytest.raises(RecordError, match=name):
        read_runs(protocol, tmp_path)


def test_a_record_in_another_models_folder_is_refused(protocol, tmp_path):
    write_record(tmp_path / "fashion-mlp", *make_run(protocol, "mnist-cnn"))
    with pytest.raises(RecordError, match="'mnist-cnn'"):
        read_runs(protocol, tmp_path)
