"""In what a record is not one of the present settings, as the stages say it before they publish it or add seeds to it."""

import pytest

from stages.conditions import conditions, departures
from tests.support.report_builders import make_run, settings

KEY = "nmnist-cnn-t30"


@pytest.fixture
def base(tmp_path):
    """The published protocol in a folder without data."""
    protocol = settings()
    folders = protocol.folders.model_copy(update={name: tmp_path / name for name in type(protocol.folders).model_fields})
    return protocol.model_copy(update={"folders": folders})


def changed(base, **changes):
    dataset = base.dataset("nmnist").model_copy(update=changes)
    return base.model_copy(update={"datasets": {**base.datasets, "nmnist": dataset}})


def found(settings, record, provenance):
    return [name for name in departures(settings, KEY, record, provenance) if name not in ("the code", "seeds")]


@pytest.mark.parametrize("change", [{"stabilize": False}, {"first_us": 105_000}, {"last_us": 210_000}, {"window_us": 2000}])
def test_a_record_of_other_settings_of_events_is_one_of_other_conditions(base, change):
    (name,) = change
    for then, now in ((base, changed(base, **change)), (changed(base, **change), base)):
        assert found(now, *make_run(then, KEY)) == [f"datasets.nmnist.{name}"]
        assert found(then, *make_run(then, KEY)) == []


def test_an_older_record_without_them_is_not_called_one(base):
    record, provenance = make_run(base, KEY)
    older = record.model_copy(update={"settings": {**record.settings, "dataset_settings": base.identity(KEY)["dataset"]}})
    assert found(changed(base, stabilize=False, first_us=105_000), older, provenance) == []


def test_data_that_are_not_here_are_no_condition(base):
    assert str(base.folders.data / "processed/nmnist") not in conditions(base, KEY, "cpu")
