"""A row that is made in parts, through the real stages in this process: some seeds for some epochs, and the record of what is complete."""

from tests.support.in_process import printed_by
from tests.support.project import MODEL

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
