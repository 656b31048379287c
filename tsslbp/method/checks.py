"""What must be true of tensors, networks and losses before they are computed with; every message says what arrived.

The checks are made where a user's call comes in. Those that read data cost one sum, on the CPU; a GPU would have to be waited for.
"""

import math

import torch
from torch import Tensor, nn

from tsslbp.arguments import shown

FLOATS = (torch.float32, torch.float64, torch.float16, torch.bfloat16)


class NotFiniteError(ValueError):
    """An input, a weight, the loss or its gradient holds NaN or infinity; on the CPU no weight has been changed."""


def check_tensor(name: str, value: object, expected: str) -> None:
    """Refuse what is not a dense tensor.

    Raises:
        TypeError: it is not a tensor.
        ValueError: it is sparse.
    """
    if not isinstance(value, Tensor):
        raise TypeError(f"{name} {shown(value)}: expected a torch.Tensor, {expected}")
    if value.layout != torch.strided:
        raise ValueError(f"{name} of layout {value.layout}: expected a dense tensor, {expected}")


def check_over_time(name: str, tensor: Tensor, *more: torch.dtype) -> None:
    """Refuse what is not (T, B, *features), floating point or of one of `more` dtypes, with at least one step.

    Raises:
        TypeError: it is not a tensor.
        ValueError: it is sparse, or of another shape or dtype.
    """
    check_tensor(name, tensor, "(T, B, *features)")
    if tensor.dtype not in (*FLOATS, *more):
        allowed = ", ".join(str(dtype) for dtype in (*FLOATS, *more))
        raise ValueError(f"{name} of {tensor.dtype}: expected {allowed}")
    if tensor.dim() == 0 or len(tensor) == 0:
        raise ValueError(f"{name} of shape {tuple(tensor.shape)}: expected (T, B, *features) with at least one time step")


def check_labels(labels: Tensor, samples: int, classes: int) -> Tensor:
    """Return labels as int64 once they are found to be one class for each sample.

    Raises:
        TypeError: they are not a tensor.
        ValueError: another shape than (samples,), not integers, or a class that there is not.
    """
    check_tensor("labels", labels, "(B,), integers")
    if labels.shape != (samples,):
        raise ValueError(f"labels of shape {tuple(labels.shape)} for {samples} samples; expected ({samples},), one class for each")
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        raise ValueError(f"labels of {labels.dtype}: expected integers, the classes 0 to {classes - 1}")
    labels = labels.long()
    # On a GPU asking would wait for the device; there indexing with a wrong class stops the program by itself.
    if labels.device.type == "cpu" and samples and not 0 <= int(labels.min()) <= int(labels.max()) < classes:
        raise ValueError(f"labels from {int(labels.min())} to {int(labels.max())}: the classes are 0 to {classes - 1}")
    return labels


def check_trace(trace: Tensor, time_steps: int | None = None) -> None:
    """Refuse what is not the trace of an output layer, (T, B, classes), of `time_steps` steps where they are given.

    Raises:
        TypeError: it is not a tensor.
        NotFiniteError: it holds NaN or infinity.
        ValueError: it has another shape or dtype, or numbers whose squares do not add up.
    """
    check_tensor("trace", trace, "(T, B, classes)")
    if trace.dim() != 3 or trace.dtype not in FLOATS or len(trace) == 0:
        raise ValueError(f"trace of shape {tuple(trace.shape)} and {trace.dtype}: expected (T, B, classes), floating point")
    if time_steps is not None and len(trace) != time_steps:
        raise ValueError(f"trace of {len(trace)} steps: the loss was made for {time_steps}")
    if trace.device.type == "cpu" and not math.isfinite(torch.linalg.vector_norm(trace.detach()).item()):
        check_finite("trace", trace)
        raise ValueError(f"trace with numbers up to {trace.abs().max().item():g}: expected 0 to 1, or the loss would be infinite")


def check_finite(what: str, tensor: Tensor) -> None:
    """Refuse NaN and infinity.

    Raises:
        NotFiniteError: there is one; the message starts with `what`.
    """
    # NaN and infinity survive a sum, which takes one pass; a sum may also overflow, so that only then each number is looked at.
    if not tensor.is_floating_point() or math.isfinite(tensor.detach().sum().item()):
        return
    if not bool(torch.isfinite(tensor).all()):
        position = tuple((~torch.isfinite(tensor)).nonzero()[0].tolist())
        raise NotFiniteError(f"{what}: {tensor[position].item()} at position {position}; expected finite numbers")


def check_finite_on_cpu(what: str, tensor: Tensor) -> None:
    """Do what `check_finite` does, on the CPU alone: where a call should not wait for a GPU."""
    if tensor.device.type == "cpu":
        check_finite(what, tensor)


def check_weights(network: nn.Module) -> None:
    """Refuse a network with weights that are not finite: its neurons would stay silent, and any accuracy be that of a guess.

    Raises:
        NotFiniteError: names the weight.
    """
    for name, weight in network.named_parameters():
        check_finite(f"weight {name}", weight)


def check_network(network: object) -> None:
    """Refuse what is not a network with weights.

    Raises:
        TypeError: says what arrived.
    """
    if not isinstance(network, nn.Module):
        raise TypeError(f"network {shown(network)}: expected a SpikingNetwork")
    if next(network.parameters(), None) is None:
        raise TypeError(f"network {type(network).__name__} without weights: expected a SpikingNetwork")


def check_loss(loss: object) -> None:
    """Refuse what cannot be called with a trace and labels, and a class of losses of which no loss was made.

    Raises:
        TypeError: says what arrived.
    """
    if isinstance(loss, type):
        raise TypeError(f"loss {loss.__name__}: expected a loss, not its class; make one, such as CountLoss(desired=4, undesired=1)")
    if not callable(loss):
        raise TypeError(f"loss {shown(loss)}: expected a function of (trace, labels), such as CountLoss(desired=4, undesired=1)")


def check_loss_value(value: object, needs_gradient: bool) -> None:
    """Refuse what a loss may not return.

    Raises:
        TypeError: it is not a scalar tensor, or has no gradient where one is needed.
    """
    if not isinstance(value, Tensor) or value.numel() != 1:
        raise TypeError(f"loss: returned {shown(value)}; expected a scalar tensor")
    if needs_gradient and not value.requires_grad:
        raise TypeError(
            "loss: returned a tensor without a gradient; expected one that is computed from the trace, and a network that learns"
        )


def check_optimizer(optimizer: object, network: nn.Module) -> None:
    """Refuse an optimizer that would change none of the network's weights.

    Raises:
        TypeError: it is not one of PyTorch's.
        ValueError: its weights are those of another network.
    """
    if not isinstance(optimizer, torch.optim.Optimizer):
        raise TypeError(f"optimizer {shown(optimizer)}: expected one of torch.optim, such as make_optimizer(network, lr=5e-4)")
    own = {id(weight) for weight in network.parameters()}
    if not any(id(weight) in own for group in optimizer.param_groups for weight in group["params"]):
        raise ValueError("optimizer: holds none of this network's weights; make it with make_optimizer(network, lr=5e-4)")
