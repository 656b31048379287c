"""The network in git of a row that several machines made together: whoever has the first seed's weights publishes it, the others say so."""

import shutil

import pytest

from tests.support.in_process import prepare, printed_by
from tests.support.project import MODEL, Project
from tests.support.row_parts import RUNS, record_so_far

NETWORK = f"reports/weights/{MODEL}.safetensors"
WHO = (
    f"{MODEL}: its network is not in git: where seed 0 was trained, `python -m stages.train --params params.yaml --model {MODEL} --so-far`"
)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory, empty_database):
    """A project with its data, in which nothing was trained."""
    project = Project(tmp_path_factory.mktemp("prepared") / "project", empty_database, epochs=2)
    project.change("published: {}", f"published: {{{MODEL}: {{mean: 90.0, std: 0.1, best: 91.0, runs: 2, epochs: 2}}}}")
    prepare(project.folder)
    return project


@pytest.fixture
def machines(prepared, tmp_path):
    """Two copies of it: seed 0 was trained and recorded on the first, and seed 1 trained on the second, which has that record."""
    first, second = Project(tmp_path / "first"), Project(tmp_path / "second")
    for seed, machine in enumerate((first, second)):
        shutil.copytree(prepared.folder, machine.folder, dirs_exist_ok=True)
        printed_by(machine.folder, "fit", "--model", MODEL, "--seeds", str(seed))
    assert "its network" not in record_so_far(first)
    shutil.copytree(first.folder / RUNS, second.folder / RUNS)
    return first, second


def test_who_makes_a_row_whole_without_its_first_seeds_weights_says_who_publishes_its_network(machines):
    first, second = machines
    assert WHO in record_so_far(second)
    assert not (second.folder / NETWORK).exists()
    shutil.copytree(second.folder / RUNS, first.folder / RUNS, dirs_exist_ok=True)
    assert f"written: {NETWORK}" in record_so_far(first)
    shutil.copytree(first.folder / "reports/weights", second.folder / "reports/weights")
    assert WHO not in record_so_far(second)


def test_who_makes_a_row_whole_publishes_its_network_where_the_first_seeds_weights_are_here(machines):
    first, second = machines
    shutil.copytree(first.folder / "checkpoints", second.folder / "checkpoints", dirs_exist_ok=True)
    assert f"written: {NETWORK}" in record_so_far(second)
    assert (second.folder / NETWORK).read_bytes() == (first.folder / f"checkpoints/{MODEL}/seed-0-best.safetensors").read_bytes()
