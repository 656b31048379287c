"""What must be true of tensors before they are computed with; every message says what arrived."""

import torch
from torch import Tensor, nn


def check_labels(labels: Tensor, samples: int, classes: int) -> Tensor:
    """Return labels as int64 once they are found to be one class for each sample.

    Raises:
        ValueError: another shape than (samples,), not integers, or a class that there is not.
    """
    if labels.shape != (samples,):
        raise ValueError(f"labels of shape {tuple(labels.shape)} for {samples} samples; expected ({samples},), one class for each")
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        raise ValueError(f"labels of {labels.dtype}: expected integers, the classes 0 to {classes - 1}")
    # On a GPU asking would wait for the device; there indexing with a wrong class stops the program by itself.
    if labels.device.type == "cpu" and samples and not 0 <= int(labels.min()) <= int(labels.max()) < classes:
        raise ValueError(f"labels from {int(labels.min())} to {int(labels.max())}: the classes are 0 to {classes - 1}")
    return labels.long()


def check_trace(trace: Tensor, time_steps: int | None = None) -> None:
    """Refuse what is not the trace of an output layer, (T, B, classes), of `time_steps` steps where they are given.

    Raises:
        ValueError: says what arrived.
    """
    if trace.dim() != 3 or not trace.is_floating_point():
        raise ValueError(f"trace of shape {tuple(trace.shape)} and {trace.dtype}: expected (T, B, classes), floating point")
    if time_steps is not None and len(trace) != time_steps:
        raise ValueError(f"trace of {len(trace)} steps: the loss was made for {time_steps}")


def check_finite(what: str, tensor: Tensor) -> None:
    """Refuse NaN and infinity.

    Raises:
        NotFiniteError: there is one; the message starts with `what`.
    """
    if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
        position = tuple((~torch.isfinite(tensor)).nonzero()[0].tolist())
        raise NotFiniteError(f"{what}: {tensor[position].item()} at position {position}; expected finite numbers")


def check_weights(network: nn.Module) -> None:
    """Refuse a network with weights that are not finite: its neurons would stay silent, and any accuracy be that of a guess.

    Raises:
        NotFiniteError: names the weight.
    """
    for name, weight in network.named_parameters():
        check_finite(f"weight {name}", weight)


class NotFiniteError(ValueError):
    """An input, a weight, the loss or its gradient holds NaN or infinity; no weight has been changed."""
