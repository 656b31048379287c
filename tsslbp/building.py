"""Settings -> the network, loss and optimiser that they describe, and a saved network back from its file."""

from pathlib import Path

import torch

from tsslbp.checkpoints import CheckpointError, load_weights
from tsslbp.config import CountLossSettings, Model, Settings
from tsslbp.fitting import weight_generator
from tsslbp.losses import CountLoss, KernelLoss
from tsslbp.network import SpikingNetwork
from tsslbp.training import Loss, make_optimizer


def build_network(settings: Settings, key: str, seed: int) -> SpikingNetwork:
    """The network of a model, with the initial weights that the seed draws."""
    model = settings.model(key)
    dataset, recipe = settings.datasets[model.dataset], settings.recipes[model.recipe]
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


def build_loss(settings: Settings, key: str) -> Loss:
    """The loss of a model."""
    model: Model = settings.model(key)
    if isinstance(model.loss, CountLossSettings):
        return CountLoss(model.loss.desired_count, model.loss.undesired_count)
    return KernelLoss(model.time_steps, model.tau_s, model.loss.desired_train, settings.recipes[model.recipe].target_filterings)


def build_optimizer(settings: Settings, key: str, network: SpikingNetwork) -> torch.optim.AdamW:
    """The optimiser of a model."""
    shared = settings.training
    return make_optimizer(network, settings.model(key).learning_rate, betas=shared.betas, weight_decay=shared.weight_decay)


def load_network(settings: Settings, key: str, path: Path) -> SpikingNetwork:
    """The network of a model with weights saved by training, in evaluation mode.

    Raises:
        CheckpointError: the file is missing, damaged, or of another network.
    """
    weights, _ = load_weights(path)
    network = build_network(settings, key, seed=0)
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise CheckpointError(f"weights {path}: do not fit the network of {key!r} ({settings.model(key).architecture}): {reason}") from None
    return network.eval()
