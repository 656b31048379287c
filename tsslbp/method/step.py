"""The optimizer, one training step, evaluation. Knows nothing of MLflow, DVC or files; loop.py repeats it."""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from tsslbp.arguments import BELOW_1, POSITIVE, listed, number, shown
from tsslbp.method.checks import (
    NotFiniteError,
    check_finite,
    check_labels,
    check_loss,
    check_loss_value,
    check_network,
    check_optimizer,
    check_tensor,
    check_weights,
)
from tsslbp.method.network import SpikingNetwork
from tsslbp.method.update import gradient_norm, update_weights

Loss = Callable[[Tensor, Tensor], Tensor]


def make_optimizer(
    network: SpikingNetwork, lr: float, *, betas: tuple[float, float] = (0.9, 0.999), weight_decay: float = 0.01
) -> torch.optim.AdamW:
    """Make AdamW with the reference's settings.

    Args:
        network: whose weights are trained.
        lr: learning rate, constant, 0 to 100.
        betas: of the running means of the gradient and of its square, below 1.
        weight_decay: decoupled, times the learning rate, 0 to 1e6.

    Raises:
        TypeError: an argument of another type.
        ValueError: a number out of range.

    Example:
        >>> network = SpikingNetwork("20", input_shape=(1, 8, 8))
        >>> make_optimizer(network, lr=5e-4).defaults["weight_decay"]
        0.01
    """
    check_network(network)
    lr = number("lr", lr, "0 to 100", high=100)
    weight_decay = number("weight_decay", weight_decay, "0 to 1e6", high=1e6)
    return torch.optim.AdamW(network.parameters(), lr=lr, betas=_checked_betas(betas), weight_decay=weight_decay, fused=True)


def _checked_betas(betas: object) -> tuple[float, float]:
    expected = "two numbers, each at least 0 and below 1"
    found = listed("betas", betas, expected)
    if len(found) != 2:
        raise ValueError(f"betas {shown(found)}: expected {expected}")
    first, second = (number("betas", beta, expected, high=BELOW_1) for beta in found)
    return first, second


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
    """Take one step of the protocol: forward, backward, clip, optimizer, clamp.

    Args:
        network: is put into training mode.
        loss: (T, B, classes) and (B,) -> scalar.
        optimizer: over the network's parameters.
        x: what `SpikingNetwork.forward` takes.
        labels: (B,), int64.
        clip_norm: the gradient's norm over all weights is clipped to this; math.inf: it is not.
        weight_limit: every weight is clamped to ± this after the step; math.inf: it is not.

    Returns:
        The loss before the step, summed over the batch.

    Raises:
        NotFiniteError: loss or gradient are not finite. On the CPU no weight has been changed; on a GPU the step has been taken,
            and only the loss is looked at.
        TypeError: an argument of another type.
        ValueError: x or labels have another shape or dtype, a number is out of range, or the optimizer is another network's.

    Example:
        >>> from tsslbp import KernelLoss
        >>> network = SpikingNetwork("20", input_shape=(1, 8, 8), time_steps=5)
        >>> optimizer, loss = make_optimizer(network, lr=5e-4), KernelLoss(time_steps=5, tau_s=3.0)
        >>> train_step(network, loss, optimizer, torch.rand(3, 1, 8, 8), torch.tensor([0, 1, 2])) > 0
        True
    """
    check_network(network)
    check_loss(loss)
    check_optimizer(optimizer, network)
    clip_norm = number("clip_norm", clip_norm, "above 0", POSITIVE, math.inf)
    weight_limit = number("weight_limit", weight_limit, "above 0", POSITIVE, math.inf)
    network.train()
    value = optimize(network, loss, optimizer, x, labels, clip_norm, weight_limit)[0].item()
    if not math.isfinite(value):
        raise NotFiniteError(f"the loss became {value}")
    return value


def optimize(
    network: SpikingNetwork, loss: Loss, optimizer: torch.optim.Optimizer, x: Tensor, labels: Tensor, clip_norm: float, weight_limit: float
) -> tuple[Tensor, Tensor, Tensor]:
    """`train_step` without waiting for the device: the loss, the gradient's norm before it was clipped, the scores (B, classes).

    Raises:
        NotFiniteError: on the CPU, where asking costs nothing, the loss or the gradient's norm is not finite. A potential that is
            not a number does not spike, so that the loss may stay finite: then the gradient tells in most cases, not in all.
    """
    trace = network(x)
    value = loss(trace, labels)
    check_loss_value(value, needs_gradient=True)
    optimizer.zero_grad()
    value.backward()  # type: ignore[no-untyped-call]
    norm = gradient_norm(network.parameters())
    if norm.device.type == "cpu":
        _refuse_not_finite(value, norm)
    update_weights(optimizer, norm, clip_norm, weight_limit)
    return value.detach(), norm, trace.detach().sum(0)


def _refuse_not_finite(value: Tensor, norm: Tensor) -> None:
    for what, found in (("the loss", value.item()), ("the gradient's norm", norm.item())):
        if not math.isfinite(found):
            raise NotFiniteError(f"{what} became {found}: something in x, the weights or the loss is too large")


@dataclass(frozen=True)
class Evaluation:
    """What a network does on a data set.

    Attributes:
        confusion: (classes, classes), int64; row: the true class, column: the predicted one.
        firing_rates: spikes per neuron and step, mean over the samples, one value per layer of neurons.
        loss: mean per sample; None where no loss was given.
        input_rate: ones per input cell and step, mean over the samples; None for still images.
    """

    confusion: Tensor
    firing_rates: tuple[float, ...]
    loss: float | None = None
    input_rate: float | None = None

    @property
    def accuracy(self) -> float:
        """Percent of samples on the diagonal."""
        return 100 * int(self.confusion.diagonal().sum()) / int(self.confusion.sum())


@torch.inference_mode()
def evaluate(network: SpikingNetwork, batches: Iterable[tuple[Tensor, Tensor]], loss: Loss | None = None) -> Evaluation:
    """Predict every sample: the class with the largest sum of its trace over time, the first one of equals.

    Args:
        network: is put into evaluation mode.
        batches: of x, as `SpikingNetwork.forward` takes it, and labels (B,), int64.
        loss: (T, B, classes) and (B,) -> scalar, to be averaged over the samples; None: the loss is not computed.

    Raises:
        NotFiniteError: a weight or an input is not finite.
        TypeError: an argument, or a batch, of another type.
        ValueError: there is no batch, or x or labels have another shape or dtype.

    Example:
        >>> network = SpikingNetwork("20", input_shape=(1, 8, 8))
        >>> found = evaluate(network, [(torch.rand(3, 1, 8, 8), torch.tensor([0, 1, 2]))])
        >>> found.confusion.sum().item(), 0 <= found.accuracy <= 100
        (3, True)
    """
    _check_evaluable(network, loss)
    device = next(network.parameters()).device
    classes = network.plan[-1].neuron_shape[0]
    confusion = torch.zeros(classes * classes, dtype=torch.int64, device=device)
    rates = torch.zeros(len(network.plan), dtype=torch.float64)
    total = torch.zeros((), dtype=torch.float64, device=device)
    samples, ones, cells = 0, 0, 0
    network.eval()
    check_weights(network)
    for x, labels in _pairs(batches):
        check_finite("x", x)
        trace = network(x.to(device))
        labels = check_labels(labels.to(device), trace.shape[1], classes)
        predicted = trace.sum(0).argmax(1)
        confusion += torch.bincount(labels * classes + predicted, minlength=classes * classes)
        rates += len(labels) * torch.stack(network.firing_rates).cpu()
        total += 0 if loss is None else _loss_of(loss, trace, labels)
        samples += len(labels)
        if x.dim() == 5:
            ones, cells = ones + int(x.sum(dtype=torch.float64)), cells + x.numel()
    if samples == 0:
        raise ValueError("batches: there is no batch, and no accuracy of nothing")
    return Evaluation(
        confusion.reshape(classes, classes).cpu(),
        tuple((rates / samples).tolist()),
        None if loss is None else total.item() / samples,
        ones / cells if cells else None,
    )


def _check_evaluable(network: SpikingNetwork, loss: Loss | None) -> None:
    check_network(network)
    if not hasattr(network, "plan"):
        raise TypeError(f"network {type(network).__name__}: expected a SpikingNetwork, whose layers are known")
    if loss is not None:
        check_loss(loss)


def _pairs(batches: object) -> Iterator[tuple[Tensor, Tensor]]:
    """The batches, each once it is found to be a pair of tensors."""
    expected = "pairs of tensors (x, labels), such as a DataLoader yields"
    if isinstance(batches, (Tensor, str, bytes)) or not isinstance(batches, Iterable):
        raise TypeError(f"batches {shown(batches)}: expected {expected}")
    for batch in batches:
        if not isinstance(batch, (tuple, list)) or len(batch) != 2:
            raise TypeError(f"batches: holds {shown(batch)}; expected {expected}")
        check_tensor("x", batch[0], "(B, C, H, W), or (T, B, C, H, W) for events")
        check_tensor("labels", batch[1], "(B,), integers")
        yield batch[0], batch[1]


def _loss_of(loss: Loss, trace: Tensor, labels: Tensor) -> Tensor:
    value = loss(trace, labels)
    check_loss_value(value, needs_gradient=False)
    return value
