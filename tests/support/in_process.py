"""The real stages run in this process: a second each, where a process of its own takes five to begin with."""

import io
import os
import runpy
import sys
import warnings
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from unittest.mock import patch

import pytest
import torch


def prepare(folder: Path, dataset: str = "digits") -> None:
    """Fetch and preprocess a dataset of a project."""
    for stage in ("download", "preprocess"):
        assert run_stage(folder, stage, "--dataset", dataset) == 0


def train(folder: Path, model: str, *arguments: str) -> int:
    """Train a model and publish what it came to, as `dvc repro train@<model>` does; returns the exit code."""
    return run_stage(folder, "fit", *arguments, "--model", model) or run_stage(folder, "train", *arguments, "--model", model)


def printed_by_training(folder: Path, model: str) -> str:
    """Train a model and publish what it came to, both well; returns all that was printed."""
    return printed_by(folder, "fit", "--model", model) + printed_by(folder, "train", "--model", model)


def printed_by(folder: Path, stage: str, *arguments: str, code: int = 0) -> str:
    """Run a stage that ends with this exit code; returns all that it printed."""
    printed = io.StringIO()
    with redirect_stdout(printed), redirect_stderr(printed):
        assert run_stage(folder, stage, *arguments) == code, printed.getvalue()
    assert "Traceback" not in printed.getvalue()
    return printed.getvalue()


def run_stage(folder: Path, stage: str, *arguments: str) -> int:
    """Run `python -m stages.<stage>` in a folder, as the command line does; returns its exit code."""
    with (
        chdir(folder),
        patch.object(sys, "argv", [stage, *arguments]),
        patch.dict(os.environ, {"MLFLOW_TRACKING_URI": os.environ.get("PROJECT_TRACKING_URI", "")}),
        warnings.catch_warnings(),
        pytest.raises(SystemExit) as ended,
    ):
        warnings.simplefilter("ignore", RuntimeWarning)  # runpy: the module was imported before
        threads = torch.get_num_threads()
        try:
            runpy.run_module(f"stages.{stage}", run_name="__main__")
        finally:
            torch.set_flush_denormal(False)
            torch.set_num_threads(threads)  # part of a run's identity: the next stage is to find the machine's own
    assert isinstance(ended.value.code, int)
    return ended.value.code
