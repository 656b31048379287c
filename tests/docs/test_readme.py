"""README is one page that says what the records say; its commands, paths and example work."""

import re

import pytest

from stages.report import gather
from tests.support.paths import ROOT
from tsslbp.report.readme import TABLE, markers, readme_parts
from tsslbp.settings import load_settings

README = (ROOT / "README.md").read_text(encoding="utf-8")


def between(text: str, name: str) -> list[str]:
    """The lines between the markers of a part, which must be there once."""
    begin, end = markers(name)
    assert (text.count(begin), text.count(end)) == (1, 1), name
    return [line.strip() for line in text.split(begin)[1].split(end)[0].strip().splitlines()]


def test_each_part_is_the_one_that_the_records_give():
    params = ROOT / "params.yaml"
    found = gather(params, load_settings(params), ROOT)
    parts = readme_parts(found.rows, found.studies, found.runs)
    assert {"results", "recipes", "intervals", "variant surrogate alone"} <= set(parts)
    for name, text in parts.items():
        page = README if name == TABLE else (ROOT / "docs/findings.md").read_text(encoding="utf-8")
        lines = [line.strip() for line in text.strip().splitlines()]
        assert between(page, name) == lines, "renew it with: python -m stages.report --readme README.md docs/findings.md"


def test_it_can_be_read_in_a_few_minutes():
    words = [word for word in README.split() if re.search("[A-Za-z]", word)]  # a table that fills with numbers is read at a glance
    assert len(words) <= 700
    introduction = README.partition("\n\n")[2].partition("\n\n")[0]
    assert len(re.findall(r"\.(?:\s|$)", introduction)) == 3, "what it is, in three sentences"


def test_every_make_target_that_it_names_exists():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", README, re.MULTILINE))
    assert {"quickstart", "test"} <= named <= targets


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\(([^)]+)\)", README))))
def test_every_link_leads_somewhere(target):
    assert target.startswith("https://") or (ROOT / target).exists()


def test_the_python_example_runs(capsys):
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    exec(compile(example, "README.md", "exec"), {})
    loss, *predicted = capsys.readouterr().out.splitlines()
    assert float(loss) > 0
    assert len(re.findall(r"\d+", " ".join(predicted))) == 50


def test_the_two_commands_are_what_ci_runs():
    commands = set(re.findall(r"^make [a-z-]+$", (ROOT / ".ci/run").read_text(encoding="utf-8"), re.MULTILINE))
    assert {"make quickstart", "make test"} <= commands
    workflow = (ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8")
    assert set(re.findall(r"run: (make .*)", workflow)) == commands
