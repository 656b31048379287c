"""The files of a run in MLflow. What is there is asked of the store every time: a tag would not know of files that somebody removed."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tsslbp.storage.records import SeedRecord
from tsslbp.tracking.pictures import model_files, seed_files

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

FILES = "pipeline"
"""Folder of the artifacts that say what was run: settings and lock file."""


def send_pictures(client: "MlflowClient", run: "Run", title: str, record: SeedRecord, again: bool) -> None:
    """Log a seed's curves and confusion matrix where one of them is missing, or `again` says that the numbers are new."""
    names = {"learning_curve.png", *(("confusion.png", "confusion.csv") if record.confusion else ())}
    if again or not names <= _present(client, run).keys():
        _send(client, run, seed_files(record, title))


def send_curves(client: "MlflowClient", run: "Run", title: str, seeds: Sequence[SeedRecord], published: float | None, again: bool) -> None:
    """Log the curves of all seeds to their parent run, where they are missing or `again` says that the numbers are new."""
    if again or "learning_curves.png" not in _present(client, run):
        _send(client, run, model_files(seeds, title, published))


def _send(client: "MlflowClient", run: "Run", files: Mapping[str, bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name, contents in files.items():
            Path(folder, name).write_bytes(contents)
        client.log_artifacts(run.info.run_id, folder)


def send_weights(client: "MlflowClient", run: "Run", weights: Mapping[str, Path], again: bool) -> None:
    """Log those of the weights that exist and are missing in MLflow, or cut off there; all of them `again` where they are new."""
    present = _present(client, run, "weights")
    for name, path in weights.items():
        if path.is_file() and (again or present.get(f"weights/{name}") != path.stat().st_size):
            with _named(path, name) as link:
                client.log_artifact(run.info.run_id, str(link), "weights")


def send_files(client: "MlflowClient", run: "Run", files: Sequence[Path]) -> None:
    """Log files that exist and that the run does not have; one that it has stays as it was when it was logged."""
    present = _present(client, run, FILES)
    for path in files:
        if path.is_file() and f"{FILES}/{path.name}" not in present:
            client.log_artifact(run.info.run_id, str(path), FILES)


def _present(client: "MlflowClient", run: "Run", folder: str = "") -> dict[str, int | None]:
    """The artifacts of a run in one folder: path and size."""
    return {file.path: file.file_size for file in client.list_artifacts(run.info.run_id, folder) if not file.is_dir}


@contextmanager
def _named(path: Path, name: str) -> Iterator[Path]:
    """A link to a file: MLflow takes an artifact's name from the file's."""
    with tempfile.TemporaryDirectory() as folder:
        link = Path(folder) / name
        link.symlink_to(path.resolve())
        yield link
