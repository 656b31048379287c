"""Equal settings and seeds give equal bits, whatever was cached, however many workers prepared the data; and what threads change."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from tests.support.in_process import run_stage
from tests.support.paths import ROOT
from tests.support.project import MODEL, Project
from tsslbp.data.images import Split
from tsslbp.method.batches import ImageBatches
from tsslbp.method.build import build_network
from tsslbp.settings import load_settings
from tsslbp.storage.record_files import read_record

EVENTS = {
    "dataset": "ndigits",
    "architecture": "12C5-P2-64C5-P2",
    "padding": [1, 0],
    "time_steps": 30,
    "tau_m": 8.0,
    "tau_s": 4.0,
    "loss": {"kind": "count", "desired_count": 15, "undesired_count": 3},
    "epochs": 1,
}

ALL_STAGES = """
from pathlib import Path
from tests.support.in_process import prepare, train
for dataset in ("digits", "ndigits"):
    prepare(Path(), dataset)
for model in ("digits-mlp", "events"):
    assert train(Path(), model) == 0
"""


def with_events(folder: Path, workers: int, database: Path) -> Project:
    """A project that trains a small convolutional network on simulated recordings, and the usual one on images."""
    project = Project(folder, database, epochs=2)
    settings = yaml.safe_load(project.params.read_text())
    settings["models"]["events"] = settings["models"]["digits-mlp"] | EVENTS
    settings["execution"]["workers"] = workers
    settings["seeds"] = [3]
    project.params.write_text(yaml.safe_dump(settings))
    return project


def checksums(project: Project) -> dict[str, str]:
    """Of the raw data, the arrays, the weights and the records, by name."""
    files = [path for part in ("data", "checkpoints", "reports/runs") for path in (project.folder / part).rglob("*") if path.is_file()]
    return {
        str(path.relative_to(project.folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
        if path.name != "provenance.json"
    }


@pytest.mark.slow
def test_workers_and_cold_or_warm_caches_change_no_bit(tmp_path, empty_database, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "numba"))
    found = []
    for workers in (1, 2):  # the first time nothing is compiled yet, the second time everything is
        assert (tmp_path / "numba").exists() == (workers == 2)
        project = with_events(tmp_path / f"workers {workers}", workers, empty_database)
        subprocess.run([sys.executable, "-c", ALL_STAGES], cwd=project.folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True)
        found.append(checksums(project))
    assert found[0] == found[1]
    assert {"checkpoints/events/seed-3-final.safetensors", "data/processed/ndigits/train/cells.npy"} <= set(found[0])


@pytest.mark.slow
@pytest.mark.usefixtures("without_log")
def test_what_threads_change_and_what_they_do_not(tmp_path, empty_database):
    """Data: nothing. Sums of the libraries: their order, hence bits, hence the run's identity; neurons: see method/test_neuron_cpu.py."""
    found = {}
    for threads in (1, 2):
        for turn in (1, 2):
            project = Project(tmp_path / f"{threads} threads, {turn}", empty_database, epochs=1)
            project.change("threads: 1 #", f"threads: {threads} #")
            project.change("seeds: [0, 1]", "seeds: [0]")
            for stage in (
                ("download", "--dataset", "digits"),
                ("preprocess", "--dataset", "digits"),
                ("fit", "--model", MODEL),
                ("train", "--model", MODEL),
            ):
                assert run_stage(project.folder, *stage) == 0
            found[threads, turn] = checksums(project)
    for threads in (1, 2):
        assert found[threads, 1] == found[threads, 2]
    data = {name for name in found[1, 1] if name.startswith("data/")}
    assert len(data) >= 8
    assert {name: found[1, 1][name] for name in data} == {name: found[2, 1][name] for name in data}
    ids = [read_record(tmp_path / f"{threads} threads, 1/reports/runs" / MODEL)[0].seeds[0].run_id for threads in (1, 2)]
    assert ids[0] != ids[1]


def test_threads_change_neither_the_first_weights_nor_the_order_of_the_samples():
    settings = load_settings(ROOT / "params.yaml")
    model, dataset, recipe = settings.model("mnist-cnn"), settings.dataset_of("mnist-cnn"), settings.recipe_of("mnist-cnn")
    split = Split(np.zeros((500, *dataset.shape), np.uint8), np.arange(500, dtype=np.uint8) % 10)
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            batches = ImageBatches(split, dataset.mean, dataset.std, 50).shuffled(3, 7)
            found.append((build_network(model, recipe, dataset, 3).state_dict(), torch.cat([labels for _, labels in batches])))
    finally:
        torch.set_num_threads(before)
    (weights, order), (other_weights, other_order) = found
    assert torch.equal(order, other_order)
    assert not torch.equal(order, order.sort().values)
    assert weights.keys() == other_weights.keys()
    assert all(torch.equal(weight, other_weights[name]) for name, weight in weights.items())


@pytest.mark.slow
def test_the_first_kernel_leaves_the_number_of_threads_alone():
    """Numba starts its pool at the first kernel, and with a shared OpenMP sets all cores' worth of threads; needs a process of its own."""
    program = (
        "import torch\n"
        "from tsslbp.settings import Execution\n"
        "from tsslbp.method.neuron.lif import lif\n"
        "from tsslbp.method.numerics import prepare_device\n"
        "prepare_device(Execution(threads=1))\n"
        "lif(torch.rand(5, 2, 8), 5.0, 3.0)\n"
        "print(torch.get_num_threads())\n"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "1\n"
