"""What a model needs at least and what there is: a network that cannot fit is one line, before any data are read."""

import re
from pathlib import Path

import pytest
import torch

from tests.support.in_process import train
from tests.support.project import MODEL, Project
from tsslbp.memory import check_memory, needed_memory
from tsslbp.method.build import build_network
from tsslbp.settings import Settings, SettingsError


def test_the_weights_of_every_published_network_are_counted(settings: Settings) -> None:
    for key in ("mnist-cnn", "fashion-mlp", "nmnist-cnn-t30"):
        model, dataset = settings.model(key), settings.dataset_of(key)
        network = build_network(model, settings.recipe_of(key), dataset, seed=0)
        one = model.model_copy(update={"batch_size": 1})
        two = model.model_copy(update={"batch_size": 2})
        kept = needed_memory(two, dataset) - needed_memory(one, dataset)
        assert needed_memory(one, dataset) - kept == 5 * sum(weight.nbytes for weight in network.parameters())


def test_what_a_step_keeps_is_at_least_what_is_counted(settings: Settings) -> None:
    """The traces of all layers and the currents that the backward pass reads are tensors of these sizes."""
    model, dataset = settings.model("fashion-mlp"), settings.dataset_of("fashion-mlp")
    network = build_network(model, settings.recipe_of("fashion-mlp"), dataset, seed=0)
    kept: dict[int, int] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        trace = network(torch.zeros(100, *dataset.shape))
    weights = sum(weight.nbytes for weight in network.parameters())
    assert needed_memory(model, dataset) - 5 * weights <= sum(kept.values()) + trace.nbytes


def test_a_batch_is_never_larger_than_the_data(settings: Settings) -> None:
    model, dataset = settings.model("mnist-cnn"), settings.dataset_of("mnist-cnn")
    largest = model.model_copy(update={"batch_size": dataset.train_samples})
    assert needed_memory(model.model_copy(update={"batch_size": 10**6}), dataset) == needed_memory(largest, dataset)


def test_what_does_not_fit_is_told_with_both_numbers(settings: Settings) -> None:
    needed = needed_memory(settings.model("cifar10-wide"), settings.dataset_of("cifar10-wide"))
    check_memory(settings, "cifar10-wide", needed)
    with pytest.raises(
        SettingsError, match=r"models\.cifar10-wide: training needs at least 1\.7 GB of memory, and there are 1\.0 GB; choose"
    ):
        check_memory(settings, "cifar10-wide", 10**9)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "architecture: 60",
            "architecture: " + "-".join(["30000"] * 100),
            r"training needs at least 1,7\d\d\.\d GB of memory, and there are",
        ),
        ("device: auto", "device: cuda:99", r"execution\.device: got 'cuda:99', but PyTorch sees \d+ CUDA devices"),
        ("threads: 1", "threads: 3000", r"execution\.threads: got 3000 \(int\); allowed: 256 or less"),
    ],
)
def test_what_the_machine_lacks_is_one_line_before_data_are_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, message: str
) -> None:
    project = Project(tmp_path / "project")  # without data: to miss them would be another line
    project.change(old, new)
    assert train(project.folder, MODEL) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert re.search(message, line), line
