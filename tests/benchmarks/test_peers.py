"""The other libraries: what each computes, one that is missing, and what it costs to add one."""

import csv
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.cases import layer_cases
from benchmarks.page.charts import looks
from benchmarks.peers import Peer, find_peers
from benchmarks.processes.job import Job
from benchmarks.processes.turns import Effort, find_settings, measure
from benchmarks.roster import LIBRARIES, LOWER_BOUND, OURS, PEERS, ROSTER, Entry
from tests.benchmarks.builders import small
from tests.support.paths import ROOT

TOY = '''
"""A library that passes its current on."""

from benchmarks.peers import Constants, Peer

PEER = Peer("toy", "Toy", "torch", ("passes",))


def neurons(variant: str, constants: Constants):
    import torch

    from benchmarks.networks.peer_network import Neurons

    return Neurons(torch.nn.Identity(), lambda cell, current: cell(current))
'''


def measured(entry: Entry, settings) -> list:
    if entry.version is None:
        pytest.skip(f"{entry.title} is not installed; make bench installs it")
    ready, _, failed = find_settings([Job(small(settings), entry, threads=1)], Effort(trials=False))
    assert not failed
    return measure(ready, Effort(repetitions=1, least=1, turn_seconds=0.0, repeats=0), lambda _: lambda _: None)


@pytest.mark.slow  # 10 s each, mostly imports
@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_a_library_trains_and_fires(peer, settings):
    found = measured(peer, settings)
    assert [(m.mode, m.note) for m in found] == [("train", ""), ("infer", "")]
    assert all(m.seconds[0] > 0 for m in found)
    assert found[0].found.rates[0] > 0
    assert found[0].found.source == "synthetic"


@pytest.mark.slow
@pytest.mark.parametrize("entry", [entry for entry in PEERS if entry.on_jax], ids=lambda entry: entry.name)
def test_the_variants_of_a_library_on_jax_are_all_tried(entry, settings):
    if entry.version is None:
        pytest.skip(f"{entry.title} is not installed; make bench installs it")
    case = small(settings)
    (ready,), (trial,), failed = find_settings([Job(case, entry, 1)], Effort())
    assert not failed
    assert {words for words, _ in trial.seconds} == {setting.described(case) for setting in entry.settings(case)}
    assert ready.setting.described(case) == trial.seconds[0][0]


@pytest.mark.parametrize("has_jax", [True, False])
def test_a_library_that_is_missing_is_named_with_the_command_to_install_it(settings, tmp_path, monkeypatch, has_jax):
    (tmp_path / "bin").mkdir()
    if has_jax:
        (tmp_path / "bin/python").touch()
    monkeypatch.setattr("benchmarks.processes.turns.JAX_ENVIRONMENT", tmp_path)
    missing = [
        Entry("absent", "Absent", "peer", Peer("absent", "Absent", "no-such-library", ("LIF",), runs_on)) for runs_on in ("torch", "jax")
    ]
    jobs, _, failed = find_settings([Job(small(settings), entry, 1) for entry in (*missing, OURS, LOWER_BOUND)], Effort())
    assert [job.entry for job in jobs] == [OURS, LOWER_BOUND]
    assert [m.note for m in failed] == [
        "not installed: python -m pip install --no-deps -r requirements-bench.txt",
        "not installed: .venv-jax/bin/python -m pip install --no-deps -r requirements-jax.txt" if has_jax else "not installed: make bench",
    ]


def test_a_peer_names_its_own_module_and_a_version_to_install():
    for peer in find_peers():
        assert (ROOT / "benchmarks/peers" / f"{peer.name.replace('-', '_')}.py").exists()
        assert f"\n{peer.distribution}==" in (ROOT / peer.requirements).read_text()


def test_every_implementation_looks_different_in_the_chart():
    assert set(LIBRARIES) < set(looks())
    assert len(set(looks().values())) == len(looks())


def test_libraries_on_jax_are_compiled_already(settings):
    assert not any(entry.compiled and entry.on_jax for entry in ROSTER.values())
    assert {entry.peer for entry in ROSTER.values() if entry.compiled} == {entry.peer for entry in PEERS if not entry.on_jax}


@pytest.mark.slow
def test_adding_a_peer_costs_its_module_and_a_line_of_requirements(tmp_path):
    copy, project = tmp_path / "copy", tmp_path / "project"
    shutil.copytree(ROOT / "benchmarks", copy / "benchmarks", ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "benchmarks/peers/toy.py").write_text(TOY)  # the other file is requirements-bench.txt; what this one needs is installed
    project.mkdir()
    text = (ROOT / "params.yaml").read_text().replace("architecture: 15C5-P2-40C5-P2-300", "architecture: 2C5-P2-4")
    (project / "params.yaml").write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--quick", "--cases", "mnist-cnn", "--implementations", "tsslbp", "toy", "--threads", "1"],
        cwd=project,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(copy), str(ROOT)])},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    folder = Path(project / ".scratch/benchmark")
    rows = [row for row in csv.DictReader((folder / "results.csv").open()) if row["implementation"] == "toy"]
    assert [row["mode"] for row in rows] == ["train", "infer"]
    assert all(float(row["seconds_median"]) > 0 for row in rows)
    page = (folder / "results.md").read_text()
    assert f"| Toy {rows[0]['version']} |" in page
    assert "this project, times the fastest library** | **" in page


def test_a_setting_is_tried_where_it_makes_a_difference(settings):
    case, (on_torch, on_jax) = small(settings), (PEERS[0], PEERS[-1])
    for entry, more in ((on_torch, 2), (on_jax, 1)):  # first product at every step; on PyTorch channels first, too
        tried = [setting.described(case) for setting in entry.settings(case)]
        assert len(set(tried)) == len(tried) == len(entry.peer.variants) + more


def test_what_a_compiler_unrolls_over_time_is_tried_for_few_steps_alone(settings):
    long, short = layer_cases()[0], small(settings)
    for entry in (entry for entry in PEERS if entry.on_jax):
        assert set(entry.peer.unrolled) < set(entry.peer.variants)
        assert {setting.neuron for setting in entry.settings(short)} == set(entry.peer.variants)
        assert not {setting.neuron for setting in entry.settings(long)} & set(entry.peer.unrolled)
