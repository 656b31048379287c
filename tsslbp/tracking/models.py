"""Trained networks as MLflow models: code and safetensors, no pickle. Each finished seed has one, the best of a row is registered.

A model is a folder of its run, `runs:/<run>/model`, so it goes with the run. The name of a registered model ends with the checkout's
id, as several checkouts may share a server; its alias `best` is the newest version.
"""

import io
import re
import shutil
import tempfile
import zipfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tsslbp.settings import Dataset
from tsslbp.storage.records import SeedRecord
from tsslbp.tracking.store import CHECKOUT, Connection

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run
    from mlflow.models import ModelSignature

FOLDER = "model"
"""Folder of a run's artifacts."""
ALIAS = "best"
WEIGHTS = "best.safetensors"
SHA256 = "tsslbp.weights_sha256"
"""Tag of a registered model's version: the checksum of its weights."""
REQUIREMENTS = ("torch", "numpy", "numba", "pydantic", "ruamel.yaml", "safetensors", "mlflow", "pandas")
"""What loading a model imports: the library's own requirements, and MLflow's."""
PACKAGE = Path(__file__).parents[1]


@dataclass(frozen=True)
class Sample:
    """One sample as a model takes it: a row of whole numbers.

    Attributes:
        dataset: says how samples are shaped and scaled.
        time_steps: T, which a row of events has; a still image has none.
    """

    dataset: Dataset
    time_steps: int

    @property
    def length(self) -> int:
        """How many numbers a row has."""
        return int(np.prod(self.dataset.shape)) * (self.time_steps if self.dataset.is_events else 1)

    def example(self) -> Any:
        """(1, length): a ramp, or events in every fifth cell."""
        numbers = np.arange(self.length, dtype=np.int64)
        return (numbers % 5 == 0).astype(np.int64)[None] if self.dataset.is_events else (numbers % 256)[None]

    def signature(self) -> "ModelSignature":
        """The types of a model's input and output."""
        from mlflow.models import ModelSignature
        from mlflow.types import ColSpec, Schema, TensorSpec

        scores = [ColSpec("double", f"score_{index}") for index in range(self.dataset.classes)]
        taken = Schema([TensorSpec(np.dtype(np.int64), (-1, self.length))])
        return ModelSignature(taken, Schema([ColSpec("long", "class"), *scores]))


def write_model(folder: Path, weights: Path, sample: Sample) -> None:
    """Write a network as an MLflow model; `folder` must not be there yet."""
    from mlflow import pyfunc

    with tempfile.TemporaryDirectory() as temporary:
        library = Path(temporary, "tsslbp.zip")
        library.write_bytes(packed_library())
        copy = Path(shutil.copyfile(weights, Path(temporary, WEIGHTS)))  # MLflow takes the name, and follows no link
        pyfunc.save_model(
            folder,
            python_model=str(PACKAGE / "tracking/served_network.py"),
            artifacts={"weights": str(copy), "library": str(library)},
            pip_requirements=[f"{name}=={_public_version(name)}" for name in REQUIREMENTS],
            signature=sample.signature(),
            input_example=sample.example(),
            model_config={"mean": list(sample.dataset.mean), "std": list(sample.dataset.std)},
        )


def _public_version(name: str) -> str:
    """The installed version without the name of its build: PyPI has no 2.14.1+cpu."""
    return version(name).partition("+")[0]


def packed_library(package: Path = PACKAGE) -> bytes:
    """The modules of the package as a zip file, from which Python imports them; equal modules give equal bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(package.rglob("*.py")):
            entry = zipfile.ZipInfo(f"{package.name}/{path.relative_to(package).as_posix()}")
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, path.read_bytes())
    return buffer.getvalue()


def send_model(client: "MlflowClient", run: "Run", weights: Path, sample: Sample, again: bool) -> None:
    """Log a seed's model where it is missing, or cut off, or `again` says that the weights are new."""
    kept = {file.path: file.file_size for file in client.list_artifacts(run.info.run_id, f"{FOLDER}/artifacts")}
    if not again and _has_model(client, run) and kept.get(f"{FOLDER}/artifacts/{WEIGHTS}") == weights.stat().st_size:
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary, FOLDER)
        write_model(folder, weights, sample)
        last = (folder / "MLmodel").rename(Path(temporary, "MLmodel"))
        client.log_artifacts(run.info.run_id, str(folder), FOLDER)
        client.log_artifact(run.info.run_id, str(last), FOLDER)  # whoever finds it finds a whole model


def _has_model(client: "MlflowClient", run: "Run") -> bool:
    return f"{FOLDER}/MLmodel" in {file.path for file in client.list_artifacts(run.info.run_id, FOLDER)}


def registered_name(experiment: str, model: str, checkout: str) -> str:
    """The name of a row's registered model, which no other checkout has.

    Example:
        >>> registered_name("tsslbp", "mnist-cnn", "0123456789abcdef")
        'tsslbp-mnist-cnn-0123456789'
    """
    # An experiment may have any name; that of a registered model has no "/" or ":", and a filter takes it in quotes.
    return re.sub(r"[^A-Za-z0-9 _.+-]", "-", f"{experiment}-{model}-{checkout[:10]}")


def register(connection: Connection, name: str, run: "Run", record: SeedRecord, text: str) -> None:
    """Make a seed's model the newest version of a registered model and call it the best, unless it is that already.

    Args:
        connection: to the store.
        name: see `registered_name`; where it is another checkout's all the same, nothing happens.
        run: the seed's, with its model; without one nothing happens.
        record: what the seed measured.
        text: description of the registered model.
    """
    client = connection.client
    if not _has_model(client, run) or not _own_model(connection, name, text):
        return
    sha256 = record.best_weights_sha256
    versions = client.search_model_versions(f"name = '{name}'")
    found = next((each for each in versions if each.run_id == run.info.run_id and each.tags.get(SHA256) == sha256), None)
    if found is None:
        source, said = f"runs:/{run.info.run_id}/{FOLDER}", f"Seed {record.seed}, test accuracy {record.best:.2f} %."
        found = client.create_model_version(name, source, run.info.run_id, tags={SHA256: sha256}, description=said)
    if client.get_registered_model(name).aliases.get(ALIAS) != str(found.version):
        client.set_registered_model_alias(name, ALIAS, str(found.version))


def _own_model(connection: Connection, name: str, text: str) -> bool:
    """Whether the registered model is this checkout's; it is created where it is not there."""
    from mlflow.exceptions import MlflowException

    try:
        connection.client.create_registered_model(name, tags={CHECKOUT: connection.checkout}, description=text)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    return connection.client.get_registered_model(name).tags.get(CHECKOUT) in connection.own
