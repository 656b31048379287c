"""A model's settings -> the network, loss and optimizer that they describe, and a saved network back from its file."""

import importlib
from pathlib import Path

import torch

from tsslbp.method.network import SpikingNetwork
from tsslbp.method.seeding import weight_generator
from tsslbp.method.step import Loss, make_optimizer
from tsslbp.settings import Dataset, Model, Recipe, Training
from tsslbp.storage.checkpoints import CheckpointError, load_weights


def build_network(model: Model, recipe: Recipe, dataset: Dataset, seed: int) -> SpikingNetwork:
    """Build a model's network, with the initial weights that the seed draws."""
    return SpikingNetwork(
        model.architecture,
        dataset.shape,
        dataset.classes,
        model.time_steps,
        model.tau_m,
        model.tau_s,
        model.threshold,
        model.padding,
        model.conv_gain,
        model.dropout,
        dropout_mask=model.dropout_mask,
        gradient=recipe.gradient,
        convolution_init=recipe.convolution_init,
        precision=model.precision,
        generator=weight_generator(seed),
    )


def build_loss(model: Model, recipe: Recipe) -> Loss:
    """Build the loss of a model."""
    loss: Loss = importlib.import_module(f"tsslbp.method.losses.{model.loss.kind}").from_settings(model.loss, model, recipe)
    return loss


def build_optimizer(model: Model, training: Training, network: SpikingNetwork) -> torch.optim.AdamW:
    """Build the optimizer of a model."""
    return make_optimizer(network, model.learning_rate, betas=training.betas, weight_decay=training.weight_decay)


def load_network(model: Model, recipe: Recipe, dataset: Dataset, path: Path) -> SpikingNetwork:
    """Load the network of a model with weights saved by training, in evaluation mode.

    Raises:
        CheckpointError: the file is missing, damaged, or of another network.
    """
    weights, _ = load_weights(path)
    network = build_network(model, recipe, dataset, seed=0)
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise CheckpointError(f"weights {path}: do not fit the network {model.architecture}: {reason}") from None
    return network.eval()
