"""What a run is called: equal for as long as nothing that decides its weights changes. A name that changes here makes all that was trained
look as if it had never run, so every difference that these tests find is either a slip, or the reason to train everything again."""

import pytest
import torch
import yaml

from tests.support.paths import ROOT
from tsslbp.experiment import ModelRun
from tsslbp.settings import Settings
from tsslbp.storage.files import digest
from tsslbp.storage.records import DataRecord

SETTINGS = {
    "mnist-cnn": "a2915c30833e3369dbff92a4e15b3f08",
    "nmnist-cnn-t100": "639d541cb5fb0344edd462de0a5fda75",
    "nmnist-cnn-t30": "0588c304bff23996a6ed2f9dff981fa1",
    "fashion-mlp": "a1a86020665e59d90a9e7a71a539eaf5",
    "fashion-cnn": "8b5e4da55d83ff7153052758d2a7bfcd",
    "cifar10-cnn": "f841573b50f81e68372689d30a8b7a14",
    "cifar10-wide": "b10e8e97106f2aa75e4e2584e33b61f4",
}
"""The digest of the settings of each published model, seeds and epochs left out."""
RUN = "f2b233171455feb4e7f60dd1974a9939"
"""The id of seed 3 of fashion-mlp with the data and the machine below."""
DATA = DataRecord(
    dataset="fashion_mnist",
    title="Fashion-MNIST",
    checksum="0" * 64,
    train_samples=60000,
    test_samples=10000,
    subset=(),
    arrays="1" * 32,
    shape=(1, 28, 28),
    classes=10,
    empty_recordings=0,
)


def test_the_settings_of_every_published_model_have_the_name_that_they_had(settings: Settings) -> None:
    assert {key: digest(settings.identity(key)) for key in settings.models} == SETTINGS


def test_a_run_has_the_name_that_it_had(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "__version__", "2.14.1")
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    run = ModelRun(settings, "fashion-mlp", torch.device("cpu"), None, DATA, "2" * 32, "onednn")  # type: ignore[arg-type]
    assert run.run_id(3, epochs=100) == RUN


@pytest.mark.parametrize("file", ["dvc.yaml", "quickstart/dvc.yaml"])
def test_a_training_depends_on_what_it_depended_on(file: str) -> None:
    """More dependencies would make every trained row stale for DVC; what the code means is in meaning.json."""
    folder = "" if file == "dvc.yaml" else "quickstart/"
    fit = yaml.safe_load((ROOT / file).read_text(encoding="utf-8"))["stages"]["fit"]["do"]
    option = f"--params {folder}params.yaml " if folder else ""
    assert fit["cmd"] == f"python -m stages.fit {option}--model ${{key}}"
    assert fit["deps"] == ["${folders.data}/processed/${item.dataset}"]
    watched = ["models.${key}", "recipes.${item.recipe}", "training", "seeds"]
    watched += [f"datasets.${{item.dataset}}.{name}" for name in ("shape", "classes", "mean", "std")]
    settings, meaning = fit["params"] if folder else (fit["params"][:-1], fit["params"][-1])
    assert (settings[f"{folder}params.yaml"] if folder else settings) == watched
    assert meaning == {f"{folder}meaning.json": ["models.${key}"]}
