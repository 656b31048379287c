"""README says what the records say, and its commands exist."""

import re
from pathlib import Path

from stages.common import load_studies
from tsslbp.report.origin import read_runs
from tsslbp.report.readme import markers, readme_parts, splice
from tsslbp.report.rows import make_rows
from tsslbp.report.studies.findings import make_studies
from tsslbp.settings import load_settings

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_parts_of_every_document_are_those_that_the_records_give():
    settings = load_settings(ROOT / "params.yaml")
    runs = read_runs(settings, ROOT / settings.folders.runs)
    studies = {
        path.parent.name: (study, read_runs(study, ROOT / study.folders.runs)) for path, study in load_studies(ROOT / "params.yaml").items()
    }
    parts = readme_parts(make_rows(settings, runs), make_studies(studies, settings, runs))
    texts = {path: path.read_text(encoding="utf-8") for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))}
    placed = {path: text for path, text in texts.items() if any(markers(name)[0] in text for name in parts)}
    assert all(any(markers(name)[0] in text for text in placed.values()) for name in parts)
    for path, text in placed.items():
        assert splice(text, parts) == text, f"renew it with: python -m stages.report --readme {path.relative_to(ROOT)}"


def test_every_make_target_that_readme_names_exists():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", README, re.MULTILINE))
    assert {"quickstart", "test", "repro", "ui", "report", "plan"} <= named
    assert named <= targets


def test_every_model_and_file_that_readme_names_exists():
    models = load_settings(ROOT / "params.yaml").models
    assert set(re.findall(r"train@([a-z0-9-]+)", README)) - {"your-model"} <= set(models)
    for path in re.findall(r"`((?:tsslbp|stages|tests)/[a-z_/]+\.py)`", README):
        assert (ROOT / path).exists(), path


def test_the_python_example_runs(capsys):
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    exec(compile(example, "README.md", "exec"), {})
    assert float(capsys.readouterr().out) > 0
