"""Where and when a seed's epochs were trained: what is noted, joined where it goes on elsewhere, and read again."""

import re
import shutil
from datetime import UTC, datetime, timedelta
from unittest.mock import Mock

import pytest

from stages.seeds import _Driver
from tests.support.in_process import printed_by
from tests.support.project import MODEL, Project
from tests.support.record_builders import make_provenance
from tests.support.row_parts import EPOCHS, RUNS, fit, record_so_far
from tsslbp.engines import Started
from tsslbp.storage.live_provenance import joined, load_live, save_live
from tsslbp.storage.provenance import library_versions
from tsslbp.storage.record_files import FINISHED, read_record

pytestmark = pytest.mark.usefixtures("without_log")

LONG_AGO = "2021-03-01T00:00:00+00:00"
BEGAN = make_provenance(0)


def unexpected(message):
    raise AssertionError(message)


def test_what_is_noted_is_read_again(tmp_path):
    save_live(tmp_path / "a/seed-0.json", BEGAN)
    assert load_live(tmp_path / "a/seed-0.json", unexpected) == BEGAN


def test_no_note_is_no_provenance_and_no_warning(tmp_path):
    assert load_live(tmp_path / "seed-0.json", unexpected) is None


@pytest.mark.parametrize("damaged", [b"", b"{", b"[]", b"\xff", b"{" * 100_000, b'{"seed": "zero"}'])
def test_a_damaged_note_is_one_line_and_no_provenance(tmp_path, damaged):
    warnings = []
    (tmp_path / "seed-0.json").write_bytes(damaged)
    assert load_live(tmp_path / "seed-0.json", warnings.append) is None
    (warning,) = warnings
    assert warning.startswith(f"{tmp_path / 'seed-0.json'}: cannot be read (")
    assert "\n" not in warning


def test_what_is_new_is_added_and_the_start_stays():
    now = BEGAN.model_copy(update={"started": "2030", "git_commit": "b", "device": "cpu, B", "versions": {"torch": "2.0", "numba": "1"}})
    both = joined(BEGAN, now)
    assert both.started == BEGAN.started
    assert (both.git_commit, both.device) == (f"{BEGAN.git_commit}; then b", "cpu; then cpu, B")
    assert both.versions == {"torch": "2.0", "numba": "1"}


def test_what_is_known_is_not_repeated_and_a_part_of_it_is_something_else():
    both = joined(BEGAN, BEGAN.model_copy(update={"device": "cpu, B9"}))
    assert joined(joined(both, BEGAN), both.model_copy(update={"device": "cpu, B9"})) == both
    assert joined(both, BEGAN.model_copy(update={"device": "cpu, B"})).device == "cpu; then cpu, B9; then cpu, B"


def test_a_seed_that_an_engine_gives_to_another_machine_is_noted_on_the_drivers_side(model):
    driver = _Driver(model, Mock(), Mock(), Mock(), unexpected, {})
    for device in ("cpu, A", "cpu, A", "cpu, B"):
        driver.handle(Started(0, device))
    noted = load_live(model.checkpoint(0).with_name("seed-0.json"), unexpected)
    assert noted is not None
    assert noted.device == "cpu, A; then cpu, B"


# Through the real stages.


@pytest.fixture(scope="module")
def prepared(tmp_path_factory, empty_database):
    """A project with its data, of more epochs than others have."""
    project = Project(tmp_path_factory.mktemp("prepared") / "project", empty_database, EPOCHS)
    project.prepare()
    return project


def work_on(monkeypatch, processor):
    """Have another processor from now on."""
    for module in ("tsslbp.experiment", "tsslbp.engines.work"):
        monkeypatch.setattr(f"{module}.device_name", lambda _: f"cpu, {processor}")


def note(project, seed=0):
    """The file that says where and when the epochs of a seed were trained."""
    (path,) = (project.folder / ".scratch" / MODEL).glob(f"*/seed-{seed}.json")
    return path


def provenance_so_far(project):
    record_so_far(project)
    return read_record(project.folder / RUNS)[1].seeds[0]


def test_a_seed_that_goes_on_elsewhere_names_both_machines_and_when_it_began(project, monkeypatch):
    work_on(monkeypatch, "A")
    fit(project, 0, epochs=3)
    note(project).write_text(re.sub(r'"started": ".*"', f'"started": "{LONG_AGO}"', note(project).read_text()))
    work_on(monkeypatch, "B")
    fit(project, 0)
    noted = note(project).read_bytes()
    work_on(monkeypatch, "C")
    fit(project, 0)
    found = provenance_so_far(project)
    assert (found.device, found.started, len(found.seconds)) == ("cpu, A; then cpu, B", LONG_AGO, EPOCHS)
    assert note(project).read_bytes() == noted


def test_a_stage_that_finds_all_epochs_complete_says_where_they_were_trained(project, monkeypatch):
    work_on(monkeypatch, "A")
    fit(project, 0, 1)
    work_on(monkeypatch, "B")
    assert " epoch 1/" not in printed_by(project.folder, "fit", "--model", MODEL)
    _, provenance = read_record(project.folder / "checkpoints" / MODEL / FINISHED)
    assert [seed.device for seed in provenance.seeds] == ["cpu, A", "cpu, A"]


def test_a_seed_that_starts_over_says_nothing_of_the_epochs_that_are_gone(project, monkeypatch):
    work_on(monkeypatch, "A")
    fit(project, 0, epochs=3)
    note(project).with_suffix(".pt").unlink()
    work_on(monkeypatch, "B")
    fit(project, 0, epochs=2)
    assert provenance_so_far(project).device == "cpu, B"


def test_what_nobody_noted_is_called_unknown_unless_it_is_on_record(project, monkeypatch):
    fit(project, 0, epochs=3)
    recorded = provenance_so_far(project)
    note(project).unlink()
    work_on(monkeypatch, "C")
    assert provenance_so_far(project) == recorded
    shutil.rmtree(project.folder / RUNS)
    found = provenance_so_far(project)
    assert (found.device, found.git_commit, found.versions["torch"]) == ("cpu, unknown", "unknown", library_versions()["torch"])
    assert {name for name, version in found.versions.items() if version == "unknown"} == library_versions().keys() - {"torch"}
    ended = datetime.fromisoformat(found.started) + timedelta(seconds=sum(found.seconds))
    assert ended <= datetime.now(UTC)


def test_a_damaged_note_is_one_warning_and_as_good_as_none(project, monkeypatch):
    fit(project, 0, epochs=3)
    note(project).write_text("{")
    assert f"warning: {note(project).relative_to(project.folder)}: cannot be read" in record_so_far(project)
    work_on(monkeypatch, "B")
    assert fit(project, 0).count("cannot be read") == 1
    assert provenance_so_far(project).device == "cpu, unknown; then cpu, B"


def test_a_seed_that_goes_on_without_its_note_did_not_begin_there(project, monkeypatch):
    fit(project, 0, epochs=3)
    note(project).unlink()
    before = datetime.now(UTC)
    work_on(monkeypatch, "B")
    fit(project, 0)
    found = provenance_so_far(project)
    assert found.device == "cpu, unknown; then cpu, B"
    assert found.git_commit.startswith("unknown; then ") or found.git_commit == "unknown"  # outside of git it is unknown here, too
    assert datetime.fromisoformat(found.started) < before
