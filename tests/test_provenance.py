"""Where numbers come from: commit, machine, versions; and the dependencies that dvc.yaml names."""

from pathlib import Path

import pytest
import yaml

from tsslbp.storage import provenance

ROOT = Path(__file__).parent.parent
PIPELINES = ["dvc.yaml", "quickstart/dvc.yaml", "studies/recipes/dvc.yaml", "studies/ablation/dvc.yaml"]


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_every_dependency_in_the_code_exists(pipeline):
    stages = yaml.safe_load((ROOT / pipeline).read_text())["stages"]
    for stage in stages.values():
        for dep in stage.get("do", stage)["deps"]:
            assert dep.startswith("${") or (ROOT / dep).exists(), dep


def test_a_folder_without_git_is_called_unknown(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert provenance.git_commit(tmp_path) == "unknown"
