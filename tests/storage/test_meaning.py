"""What makes trained models stale: the meaning of the files that decide a run of its kind, and of no others."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from tests.support.record_builders import make_record
from tsslbp.settings import load_settings
from tsslbp.storage import meaning
from tsslbp.storage.meaning import PACKAGE, MeaningError, code_meaning, file_meanings, is_present, outdated

PIPELINES = [
    Path(name) for name in ("params.yaml", "quickstart/params.yaml", "studies/recipes/params.yaml", "studies/ablation/params.yaml")
]


@pytest.fixture
def package(tmp_path) -> Path:
    """A copy of what is watched."""
    copy = tmp_path / "tsslbp"
    shutil.copytree(PACKAGE / "method", copy / "method", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PACKAGE / "architecture.py", copy)
    return copy


def meanings(package: Path) -> dict[str, str]:
    """The meaning for each kind of run."""
    return {f"{loss} {device}": code_meaning(loss, device, package) for loss in ("kernel", "count") for device in ("cpu", "cuda:0")}


def touched(package: Path, name: str, text: str = "\nADDED = 1\n") -> set[str]:
    """The kinds of runs for which more code in a file is other code."""
    before = meanings(package)
    path = package / name
    path.write_text((path.read_text() if path.exists() else "") + text)
    return {name for name, found in meanings(package).items() if found != before[name]}


ALL = {"kernel cpu", "kernel cuda:0", "count cpu", "count cuda:0"}


def test_every_file_of_the_method_counts_and_no_list_names_them(package):
    paths = ["architecture.py", *(path.relative_to(package).as_posix() for path in (package / "method").rglob("*.py"))]
    watched = {f"tsslbp/{path}" for path in paths}
    assert set(file_meanings("kernel", "cuda", package)) | set(file_meanings("count", "cuda", package)) == watched
    for path in paths:
        assert touched(package, path), path


def test_a_new_file_counts(package):
    assert touched(package, "method/neuron/new.py") == ALL


def test_files_of_the_gpu_count_for_cuda_alone(package):
    for name in ("method/neuron/gpu.py", "method/neuron/gpu_kernels.py", "method/gpu_tricks.py"):
        assert touched(package, name) == {"kernel cuda:0", "count cuda:0"}
    assert code_meaning("kernel", "auto", package) == code_meaning("kernel", "cpu", package)


def test_a_loss_counts_for_its_own_runs(package):
    assert touched(package, "method/losses/count.py") == {"count cpu", "count cuda:0"}
    assert touched(package, "method/losses/new.py") == set()


def test_what_a_loss_imports_from_its_neighbors_counts_for_it(package):
    assert touched(package, "method/losses/squares.py") == ALL
    assert touched(package, "method/losses/helper.py") == set()
    assert touched(package, "method/losses/count.py", "\nfrom .helper import ADDED\n") == {"count cpu", "count cuda:0"}
    assert touched(package, "method/losses/helper.py") == {"count cpu", "count cuda:0"}


def test_the_list_of_losses_counts_only_for_what_it_does(package):
    index = "method/losses/__init__.py"
    assert touched(package, index, "\nfrom tsslbp.method.losses.new import NewLoss\n__all__ = ['NewLoss']\n") == set()
    assert touched(package, index) == ALL


def test_losses_in_one_file_count_for_all(package):
    shutil.rmtree(package / "method/losses")
    assert touched(package, "method/losses.py") == ALL


def test_what_is_not_python_is_named(package):
    (package / "method/step.py").write_text("def broken(:\n")
    with pytest.raises(MeaningError, match=r"tsslbp/method/step\.py: line 1: not Python"):
        code_meaning("kernel", "cpu", package)


@pytest.mark.parametrize("params", PIPELINES, ids=str)
def test_the_committed_file_is_the_codes(params):
    """Write it anew with `make digest`; every training of a model whose entry changes is stale from then on."""
    settings = load_settings(ROOT / params)
    assert (ROOT / params).with_name(meaning.FILE_NAME).read_text() == meaning.meaning_text(settings), "renew it with: make digest"


def test_models_of_studies_have_the_meaning_of_the_losses_that_they_inherit():
    entries = json.loads((ROOT / "studies/ablation/meaning.json").read_text())["models"]
    assert set(entries) == set(load_settings(ROOT / "studies/ablation/params.yaml").models)
    assert set(entries.values()) == {code_meaning("kernel", "cpu")}


def test_a_file_that_is_not_the_codes_is_found(tmp_path):
    params = tmp_path / "params.yaml"
    shutil.copy(ROOT / "quickstart/params.yaml", params)
    settings = load_settings(params)
    assert not outdated(params, settings)  # who runs a stage by hand needs no such file
    file = tmp_path / meaning.FILE_NAME
    file.write_text(meaning.meaning_text(settings))
    assert not outdated(params, settings)
    file.write_text(re.sub(r'("ndigits-cnn": ")[0-9a-f]+', r"\g<1>0", file.read_text()))
    assert outdated(params, settings) == ["ndigits-cnn"]
    file.write_text("{")
    with pytest.raises(MeaningError, match=r"meaning\.json: is damaged .*python -m stages\.digest --params"):
        outdated(params, settings)


def test_the_digest_needs_no_pytorch():
    code = "import sys, stages.digest; print('torch' in sys.modules, 'numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout == "False False\n"


def record_from(code, *devices):
    """A record of this code, with a seed from each device."""
    record, provenance = make_record(seeds=range(len(devices)))
    record = record.model_copy(update={"code": code, "settings": {**record.settings, "loss": {"kind": "kernel"}}})
    seeds = [seed.model_copy(update={"device": device}) for seed, device in zip(provenance.seeds, devices, strict=True)]
    return record, provenance.model_copy(update={"seeds": tuple(seeds)})


CPU, GPU = "cpu, some processor", "cuda:1, some GPU"


@pytest.mark.parametrize(("device", "known_as", "other"), [(CPU, "cpu", "cuda"), (GPU, "cuda:1", "cpu")])
def test_a_record_of_other_code_is_told(device, known_as, other):
    assert is_present(*record_from(code_meaning("kernel", known_as), device))
    assert not is_present(*record_from("0" * 32, device))
    assert not is_present(*record_from(code_meaning("kernel", other), device))


@pytest.mark.parametrize("devices", [(CPU, GPU), (GPU, CPU)])
@pytest.mark.parametrize("last", ["cpu", "cuda"])
def test_a_record_with_seeds_from_gpus_and_cpus_is_of_the_code_of_either(devices, last):
    assert is_present(*record_from(code_meaning("kernel", last), *devices))
    assert not is_present(*record_from("0" * 32, *devices))


def test_a_record_that_names_no_seed_is_of_the_code_for_cpus():
    assert is_present(*record_from(code_meaning("kernel", "cpu")))
