"""Seeding, optimiser, one training step, evaluation. Knows nothing of MLflow, DVC or files; fitting.py repeats it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from tsslbp.method.network import SpikingNetwork

Loss = Callable[[Tensor, Tensor], Tensor]


def make_optimizer(
    network: SpikingNetwork, lr: float, *, betas: tuple[float, float] = (0.9, 0.999), weight_decay: float = 0.01
) -> torch.optim.AdamW:
    """AdamW with the reference's settings, as PyTorch's fused single pass over the weights where the device has one."""
    return torch.optim.AdamW(network.parameters(), lr=lr, betas=betas, weight_decay=weight_decay, fused=True)


def train_step(
    network: SpikingNetwork,
    loss: Loss,
    optimizer: torch.optim.Optimizer,
    x: Tensor,
    labels: Tensor,
    *,
    clip_norm: float = 1.0,
    weight_limit: float = 4.0,
) -> float:
    """One step of the protocol: forward, backward, clip, optimiser, clamp.

    Args:
        network: is put into training mode.
        loss: (T, B, classes) and (B,) -> scalar.
        optimizer: over the network's parameters.
        x: what `SpikingNetwork.forward` takes.
        labels: (B,), int64.
        clip_norm: the gradient's norm over all weights is clipped to this.
        weight_limit: every weight is clamped to ± this after the step.

    Returns:
        The loss before the step, summed over the batch.
    """
    network.train()
    return optimise(network, loss, optimizer, x, labels, clip_norm, weight_limit)[0].item()


def optimise(
    network: SpikingNetwork, loss: Loss, optimizer: torch.optim.Optimizer, x: Tensor, labels: Tensor, clip_norm: float, weight_limit: float
) -> tuple[Tensor, Tensor, Tensor]:
    """`train_step` without waiting for the device: the loss, the gradient's norm before it was clipped, the scores (B, classes)."""
    trace = network(x)
    value = loss(trace, labels)
    optimizer.zero_grad()
    value.backward()  # type: ignore[no-untyped-call]
    norm = torch.nn.utils.clip_grad_norm_(network.parameters(), clip_norm)
    optimizer.step()
    with torch.no_grad():
        for weight in network.parameters():
            weight.clamp_(-weight_limit, weight_limit)
    return value.detach(), norm, trace.detach().sum(0)


@dataclass(frozen=True)
class Evaluation:
    """What a network does on a data set.

    Attributes:
        confusion: (classes, classes), int64; row: the true class, column: the predicted one.
        firing_rates: spikes per neuron and step, mean over the samples, a value per layer of neurons.
    """

    confusion: Tensor
    firing_rates: tuple[float, ...]

    @property
    def accuracy(self) -> float:
        """Percent of samples on the diagonal."""
        return 100 * int(self.confusion.diagonal().sum()) / int(self.confusion.sum())


@torch.inference_mode()
def evaluate(network: SpikingNetwork, batches: Iterable[tuple[Tensor, Tensor]]) -> Evaluation:
    """Predict every sample: the class with the largest sum of its trace over time, the first one of equals."""
    device = next(network.parameters()).device
    classes = network.plan[-1].neuron_shape[0]
    confusion = torch.zeros(classes * classes, dtype=torch.int64, device=device)
    rates = torch.zeros(len(network.plan), dtype=torch.float64)
    samples = 0
    network.eval()
    for x, labels in batches:
        predicted = network(x.to(device)).sum(0).argmax(1)
        confusion += torch.bincount(labels.to(device) * classes + predicted, minlength=classes * classes)
        rates += len(labels) * torch.stack(network.firing_rates).cpu()
        samples += len(labels)
    if samples == 0:
        raise ValueError("evaluate: no batch arrived; there is no accuracy of nothing")
    return Evaluation(confusion.reshape(classes, classes).cpu(), tuple((rates / samples).tolist()))
