"""What is printed never decides about work: streams that close, fill up or lack characters end nothing and change no exit code."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from stages.output import Output, unfailing_output
from tests.support.in_process import printed_by
from tests.support.paths import ROOT
from tests.support.project import MODEL, Project

STAGE = """
import argparse, pathlib, sys, time
from rich.console import Console
from stages.common import run

def main(settings, options):
    for number in range(20000):
        print("400−400", number)
    Console(highlight=False).print("± %", "━")
    print("häufig", file=sys.stderr, flush=True)
    pathlib.Path("done").write_text("all")
    if options.fail:
        raise ValueError("no such thing − at all")

parser = argparse.ArgumentParser(prog="stage")
parser.add_argument("--fail", action="store_true")
run(main, parser)
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project(tmp_path / "project")
    (project.folder / "stage.py").write_text(STAGE, encoding="utf-8")
    return project


def shell(project: Project, command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command with $STAGE, and the exit code of the stage, not of what reads its output."""
    variables = {**os.environ, "PYTHONPATH": str(ROOT), "STAGE": f"{sys.executable} stage.py", "MLFLOW_TRACKING_URI": "", **environment}
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        cwd=project.folder,
        env=variables,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=120,
    )


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("$STAGE | head -1", "warning: standard output is dropped from here on (Broken pipe); the work goes on\n"),
        ("$STAGE > /dev/full", "warning: standard output is dropped from here on (No space left on device); the work goes on\n"),
        ("$STAGE >&-", ""),
        ("$STAGE 2>&-", ""),
        ("$STAGE > /dev/null 2> /dev/full", ""),
        ("$STAGE > /dev/full 2>&1", ""),
        ("$STAGE 2>&1 | head -1", ""),
    ],
)
def test_a_stream_that_takes_no_more_ends_nothing(project: Project, command: str, said: str) -> None:
    done = shell(project, command)
    assert done.returncode == 0, done.stderr
    assert (project.folder / "done").read_text() == "all"
    assert done.stderr.replace("häufig\n", "") == said


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "ascii:strict", "utf-8"])
def test_an_encoding_that_lacks_characters_ends_nothing(project: Project, encoding: str) -> None:
    done = shell(project, "$STAGE > out", PYTHONIOENCODING=encoding)
    assert (done.returncode, (project.folder / "done").exists()) == (0, True)
    first = (project.folder / "out").read_bytes().splitlines()[0]
    assert first == ("400−400 0".encode() if encoding == "utf-8" else b"400\\u2212400 0")


def test_a_failure_keeps_its_message_and_exit_code(project: Project) -> None:
    done = shell(project, "$STAGE --fail > /dev/full", PYTHONIOENCODING="ascii")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "stage: no such thing \\u2212 at all"
    assert shell(project, "$STAGE --help > /dev/full").returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize("reader", ["| head -1", "> /dev/full"])
def test_a_training_goes_on_without_a_reader(tmp_path: Path, empty_database: Path, reader: str) -> None:
    project = Project(tmp_path / "project", empty_database, epochs=2)
    project.prepare()
    done = shell(project, f"{sys.executable} -m stages.fit --model {MODEL} {reader}", PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    printed_by(project.folder, "train", "--model", MODEL)
    assert len(project.results()) == 7  # record, history, metrics and two weights of each of two seeds


def test_streams_are_given_back(capsys: pytest.CaptureFixture[str]) -> None:
    before = sys.stdout, sys.stderr
    with pytest.raises(ValueError, match="work"), unfailing_output():
        print("seen")
        raise ValueError("work")
    assert (sys.stdout, sys.stderr) == before
    assert capsys.readouterr().out == "seen\n"


def test_a_fault_is_told_once() -> None:
    said = io.StringIO()
    closed = io.StringIO()
    closed.close()
    output = Output(closed, "standard output", Output(said, "standard error"))
    assert output.write("a") == 1
    output.writelines(["b", "c"])
    output.flush()
    assert said.getvalue().count("dropped") == 1
