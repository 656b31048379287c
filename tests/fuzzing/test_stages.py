"""Two hundred settings files through the real stages: each ends well, or with exit code 1 and one line a finding."""

from pathlib import Path

import pytest
import yaml
from hypothesis import settings as profile

from tests.fuzzing.fire import Target, fire
from tests.fuzzing.settings import SMALL, changed_settings, nudged_settings
from tests.support.in_process import run_stage
from tests.support.project import MODEL, Project
from tsslbp.limits import usable_memory
from tsslbp.memory import needed_memory
from tsslbp.settings import Settings, SettingsError, load_settings

PROMISED = 200


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Project:
    project = Project(tmp_path_factory.mktemp("fuzzed") / "project", empty_database)
    own = {**SMALL, "folders": yaml.safe_load(project.params.read_text())["folders"]}
    project.params.write_text(yaml.safe_dump(own))
    project.prepare()
    return project


def may_run(settings: Settings, folder: Path) -> bool:
    """Whether a training stays in the project's folder and ends soon, or is refused."""
    if any(not (folder / path).resolve().is_relative_to(folder) for path in settings.folders.model_dump().values()):
        return False
    model, dataset = settings.models.get(MODEL), settings.datasets.get("digits")
    if model is None or dataset is None or model.dataset != "digits":
        return True
    small = model.time_steps <= 16 and needed_memory(model, dataset) < 50_000_000
    return (small and model.epochs * len(settings.seeds_of(MODEL)) <= 4) or needed_memory(model, dataset) > usable_memory()


@pytest.mark.exhaustive
def test_any_settings_file_ends_a_stage_well_or_in_a_line_a_finding(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    ends = {0: 0, 1: 0}

    def check(data: bytes, _: Path) -> None:
        project.params.write_bytes(data.replace(b"quickstart/", b""))
        try:
            runs = may_run(load_settings(project.params), project.folder)
        except SettingsError:
            runs = True
        for command in (("fit", "--model", MODEL), ("report", "--show")) if runs else (("report", "--show"),):
            capsys.readouterr()
            code = run_stage(project.folder, *command)
            ends[code] += 1
            lines = capsys.readouterr().err.splitlines()
            assert all(line.isprintable() for line in lines)
            assert not any("Traceback" in line for line in lines), lines
            said = [line for line in lines if not line.startswith("warning: ")]
            if code == 1:
                assert said[0].startswith(f"python -m stages.{command[0]}: "), said
                assert all(": " in line and not line.startswith(" ") and len(line) < 1000 for line in said), said

    quick = profile(profile.get_profile("quick"), max_examples=PROMISED)
    assert fire(Target(changed_settings() | nudged_settings(), check), quick, project.folder) >= PROMISED
    assert min(ends.values()) > PROMISED // 20  # neither all refused nor all accepted
