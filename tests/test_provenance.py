"""Where numbers come from: the code digest, and dvc.yaml's dependencies in step with it."""

from pathlib import Path

import pytest
import yaml

from tsslbp.storage import provenance

ROOT = Path(__file__).parent.parent
PIPELINES = ["dvc.yaml", "quickstart/dvc.yaml", "studies/recipes/dvc.yaml", "studies/ablation/dvc.yaml"]


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_dvc_watches_the_files_that_decide_the_numbers(pipeline):
    stages = yaml.safe_load((ROOT / pipeline).read_text())["stages"]
    watched = {dep for dep in stages["train"]["do"]["deps"] if dep.startswith("tsslbp/")}
    assert watched == {"tsslbp/method", "tsslbp/architecture.py"}


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_every_dependency_in_the_code_exists(pipeline):
    stages = yaml.safe_load((ROOT / pipeline).read_text())["stages"]
    for stage in stages.values():
        for dep in stage.get("do", stage)["deps"]:
            assert dep.startswith("${") or (ROOT / dep).exists(), dep


def test_the_digest_follows_the_code(tmp_path, monkeypatch):
    for name in provenance.METHOD_FILES:
        copy = tmp_path / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes((ROOT / "tsslbp" / name).read_bytes())
    monkeypatch.setattr(provenance, "__file__", str(tmp_path / "storage" / "provenance.py"))
    before = provenance.code_digest()
    assert before == provenance.code_digest()
    (tmp_path / "method/neuron/lif.py").write_text("changed")
    assert provenance.code_digest() != before


def test_a_folder_without_git_is_called_unknown(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert provenance.git_commit(tmp_path) == "unknown"
