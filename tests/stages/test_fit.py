"""Stage `fit` while others edit and remove files: what it trains with is what its digest says, and what its record names is there."""

import subprocess
import sys

import pytest

from stages import seeds
from tests.support.in_process import printed_by
from tests.support.paths import ROOT
from tests.support.project import MODEL
from tsslbp.storage.files import checksum
from tsslbp.storage.record_files import FINISHED, read_record

LOSS = "tsslbp.method.losses.kernel"

pytestmark = pytest.mark.usefixtures("without_log")


def said(program):
    """What a fresh process prints that runs this program."""
    return subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True).stdout


def test_all_code_that_decides_a_number_is_imported_before_its_digest_is_taken():
    program = f"""
import sys
from pathlib import Path
from tsslbp.experiment import ModelRun
from tsslbp.settings import load_settings
from tsslbp.storage.meaning import file_meanings
from stages.fit import _opened

def opened(*_):
    counted = (name.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for name in file_meanings("kernel", "cpu"))
    print([name for name in counted if name not in sys.modules])

ModelRun.open = opened
_opened(load_settings(Path("quickstart/params.yaml")), "{MODEL}")
"""
    assert said(program) == "[]\n"


@pytest.mark.parametrize(
    ("module", "call"),
    [("worker", "worker.serve(Mock(recv=lambda: job))"), ("ray_worker", "worker.RayWorker().introduce('node', 'kernel', 'cpu')")],
)
def test_a_worker_has_imported_the_loss_when_it_takes_the_digest(module, call):
    program = f"""
import sys
from unittest.mock import Mock
from tsslbp.engines import {module} as worker

def digest(*_):
    print("{LOSS}" in sys.modules)
    sys.exit()

worker.code_meaning = digest
job = Mock()
job.task.model.loss.kind, job.task.device = "kernel", "cpu"
{call}
"""
    assert said(program) == "True\n"


def test_what_changed_before_training_begins_stops_it_at_once(project, monkeypatch):
    # What opening the model calls first.
    monkeypatch.setattr("tsslbp.experiment.check_memory", lambda *_: project.change("learning_rate: 0.0005", "learning_rate: 0.001"))
    out = printed_by(project.folder, "fit", "--model", MODEL, code=1)
    assert f"{MODEL}: changed before it was trained: models.{MODEL}.learning_rate, which was 0.0005 and is 0.001" in out
    assert " epoch 1/" not in out


@pytest.mark.parametrize("removed", [0, 1])
def test_weights_that_are_removed_meanwhile_are_there_in_the_end(project, monkeypatch, removed):
    train_seeds = seeds.train_seeds

    def trained(*arguments):
        outcomes = train_seeds(*arguments)
        for path in (project.folder / "checkpoints" / MODEL).glob(f"seed-{removed}-*"):
            path.unlink()
        return outcomes

    monkeypatch.setattr(seeds, "train_seeds", trained)
    printed_by(project.folder, "fit", "--model", MODEL)
    folder = project.folder / "checkpoints" / MODEL
    for seed in read_record(folder / FINISHED)[0].seeds:
        assert checksum(folder / f"seed-{seed.seed}-best.safetensors", "sha256") == seed.best_weights_sha256
        assert checksum(folder / f"seed-{seed.seed}-final.safetensors", "sha256") == seed.final_weights_sha256


def test_damaged_arrays_are_named_and_not_trained_on(project):
    images = project.folder / "data/processed/digits/train/images.npy"
    data = bytearray(images.read_bytes())
    data[-400] ^= 1
    images.write_bytes(data)
    said = printed_by(project.folder, "fit", "--model", MODEL, code=1)
    assert "its arrays are not those that data.json names; run the preprocess stage of digits again" in said
    assert not list(project.folder.glob(".scratch/**/seed-*.pt"))
