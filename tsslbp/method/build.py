"""A model's settings -> the network, loss and optimizer that they describe, and a saved network back from its file."""

import importlib
from pathlib import Path
from typing import Any, Literal

import torch

from tsslbp.architecture import Convolution, plan_network
from tsslbp.arguments import shown
from tsslbp.method.network import SpikingNetwork
from tsslbp.method.seeding import weight_generator
from tsslbp.method.step import Loss, make_optimizer
from tsslbp.settings import Dataset, Model, Recipe, Training
from tsslbp.storage.checkpoints import CheckpointError, Weights, load_weights

NETWORK = "network"
"""The entry of a weights file's metadata that holds `network_options`."""


def network_options(model: Model, recipe: Recipe, dataset: Dataset) -> dict[str, Any]:
    """The arguments of `SpikingNetwork` that decide what it computes, as JSON holds them."""
    return {
        "architecture": model.architecture,
        "input_shape": list(dataset.shape),
        "classes": dataset.classes,
        "time_steps": model.time_steps,
        "tau_m": model.tau_m,
        "tau_s": model.tau_s,
        "threshold": model.threshold,
        "padding": model.padding if isinstance(model.padding, int) else list(model.padding),
        "conv_gain": model.conv_gain,
        "dropout": model.dropout,
        "dropout_mask": model.dropout_mask,
        "gradient": recipe.gradient,
        "convolution_init": recipe.convolution_init,
        "precision": model.precision,
    }


def build_network(
    model: Model, recipe: Recipe, dataset: Dataset, seed: int, products: Literal["auto", "onednn", "blas"] = "auto"
) -> SpikingNetwork:
    """Build a model's network, with the initial weights that the seed draws; `products` as in `products.resolve_products`."""
    return SpikingNetwork(**network_options(model, recipe, dataset), products=products, generator=weight_generator(seed))


def build_loss(model: Model, recipe: Recipe) -> Loss:
    """Build the loss of a model: that of the file in losses/ with the name of its kind."""
    loss: Loss = importlib.import_module(f"tsslbp.method.losses.{model.loss.kind}").from_settings(model.loss, model, recipe)
    return loss


def build_optimizer(model: Model, training: Training, network: SpikingNetwork) -> torch.optim.AdamW:
    """Build the optimizer of a model."""
    return make_optimizer(network, model.learning_rate, betas=training.betas, weight_decay=training.weight_decay)


def load_network(path: str | Path, *, products: Literal["auto", "onednn", "blas"] = "auto") -> SpikingNetwork:
    """Load a trained network, in evaluation mode, from its weights file alone: the file says what network they are of.

    Loading runs no code of the file.

    Args:
        path: a `.safetensors` file that training wrote.
        products: the library of the dense products, see `products.resolve_products`.

    Raises:
        TypeError: path is not one.
        CheckpointError: the file is missing, damaged, or does not say what network it is of; or `products` is unknown or not there.

    Example:
        >>> network = load_network("reports/weights/mnist-cnn.safetensors")
        >>> network(torch.zeros(2, 1, 28, 28)).shape  # (T, B, classes), of two normalized images
        torch.Size([5, 2, 10])
    """
    if not isinstance(path, (str, Path)):
        raise TypeError(f"path {shown(path)}: expected a text or a Path, of a .safetensors file")
    path = Path(path)
    if path.is_dir():
        raise CheckpointError(f"path {str(path)!r}: is a folder; expected a .safetensors file")
    weights, metadata = load_weights(path)
    options = metadata.get(NETWORK)
    if not isinstance(options, dict):
        raise CheckpointError(f"weights {path}: do not say what network they are of (no entry {NETWORK!r} in the metadata)")
    try:
        _check_shapes(weights, options)
        network = SpikingNetwork(**options, products=products)
    except (TypeError, ValueError, KeyError, OverflowError) as error:
        raise CheckpointError(f"weights {path}: their network cannot be built: {error}") from None
    network.load_state_dict(weights)
    return network.eval()


def _check_shapes(weights: Weights, options: dict[str, Any]) -> None:
    """Compare the weights with the network's layers before any memory is taken for these."""
    plan = plan_network(options["architecture"], options["input_shape"], options["classes"], options["padding"])
    expected = {}
    for index, layer in enumerate(plan):
        inputs, neurons = layer.input_shape[0], layer.neuron_shape[0]
        kernel = (layer.spec.kernel, layer.spec.kernel) if isinstance(layer.spec, Convolution) else ()
        expected[f"layers.{index}.weight"] = (neurons, inputs, *kernel)
    found = {name: tuple(weight.shape) for name, weight in weights.items()}
    if found != expected:
        raise ValueError(f"weights of shapes {found}, but {options['architecture']} has {expected}")
