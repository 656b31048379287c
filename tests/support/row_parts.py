"""A row that is made in parts, through the real stages in this process: some seeds for some epochs, and the record of what is complete."""

import shutil

from tests.support.in_process import printed_by
from tests.support.project import MODEL, Project

EPOCHS = 6
"""Of the settings."""
RUNS = f"reports/runs/{MODEL}"


def record_so_far(project, code=0):
    return printed_by(project.folder, "train", "--model", MODEL, "--so-far", code=code)


def fit(project, *seeds, epochs=EPOCHS, code=0):
    """Train these seeds for so many epochs; returns what was printed."""
    project.change(f"epochs: {EPOCHS}", f"epochs: {epochs}")
    printed = printed_by(project.folder, "fit", "--model", MODEL, "--seeds", *map(str, seeds), code=code)
    project.change(f"epochs: {epochs}", f"epochs: {EPOCHS}")
    return printed


def machine(folder, trained, empty_database):
    """A project with the data of a trained one, in which nothing was trained."""
    fresh = Project(folder, empty_database, EPOCHS)
    shutil.copytree(trained.folder / "data", fresh.folder / "data")
    return fresh


def trained_here(project, trained, *seeds):
    """Let these seeds be trained to their end here."""
    shutil.copytree(trained.folder / ".scratch", project.folder / ".scratch")
    for checkpoint in (project.folder / ".scratch" / MODEL).glob("*/seed-?.pt"):
        if int(checkpoint.stem[-1]) not in seeds:
            checkpoint.unlink()
