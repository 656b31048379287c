"""Test a weights file on the test data of a model: what `stages.train --evaluate` and `stages.verify` share."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tsslbp.settings import Settings

if TYPE_CHECKING:
    from tsslbp.experiment import ModelRun
    from tsslbp.method.step import Evaluation


def evaluate_weights(
    settings: Settings, key: str, path: Path, products: Literal["auto", "onednn", "blas"] = "auto"
) -> "tuple[ModelRun, Evaluation]":
    """Return the model with its data, and what the network of the file gives on its test samples.

    Args:
        settings: of the pipeline.
        key: of the model.
        path: a `.safetensors` file that training wrote.
        products: the library of the dense products, see `products.resolve_products`.

    Raises:
        ValueError: the file is missing, damaged or of another network than the model's, or the data are missing.
    """
    from tsslbp.experiment import ModelRun
    from tsslbp.method.build import load_network
    from tsslbp.method.numerics import prepare_device
    from tsslbp.method.step import evaluate

    device = prepare_device(settings.execution)
    network = load_network(path, products=products).to(device)
    check_network(settings, key, path)
    model = ModelRun.open(settings, key, device)
    return model, evaluate(network, model.splits.test.in_order())


def check_network(settings: Settings, key: str, path: Path) -> None:
    """Raise a ValueError where a weights file is of another network than the model's."""
    from tsslbp.method.build import NETWORK, network_options
    from tsslbp.storage.checkpoints import load_weights

    found = load_weights(path)[1][NETWORK]
    wanted = network_options(settings.model(key), settings.recipe_of(key), settings.dataset_of(key))
    if different := [f"{name} {found.get(name)} in place of {value}" for name, value in wanted.items() if found.get(name) != value]:
        raise ValueError(f"{path}: is of another network than {key} has now: {', '.join(different)}")
