"""Clipping, AdamW and clamping of the weights: on the CPU in one pass over gradients and one over weights.

AdamW as PyTorch computes it (Loshchilov and Hutter, arXiv 1711.05101), whose optimizer holds the state, so that its state_dict
stays PyTorch's own. With m and v the running means of the gradient and of its square, step count n:

    g <- g min(1, clip / |g|)        w <- w (1 - lr decay)
    m <- m + (1 - beta1)(g - m)      v <- beta2 v + (1 - beta2) g²
    w <- w - lr/(1 - beta1^n) m / (sqrt(v)/sqrt(1 - beta2^n) + eps), then clamped to ± limit
"""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tsslbp.system import compiled

_LANES, _PIECE = 64, 4096
"""Sums run in so many lanes, or the loop would wait for every addition; pieces of float32 sums are added up in float64."""
_STEADY = 1e-6
"""Added to the norm in clipping, as in PyTorch's clip_grad_norm_."""


def gradient_norm(parameters: Iterable[Tensor]) -> Tensor:
    """The norm over all gradients together, a scalar on their device."""
    gradients = [weight.grad for weight in parameters if weight.grad is not None]
    if all(gradient.device.type == "cpu" and gradient.dtype == torch.float32 for gradient in gradients):
        total = sum(_square_sum(_in_memory_order(gradient, gradient)) for gradient in gradients)
        return torch.tensor(math.sqrt(total))
    return torch.nn.utils.get_total_norm(gradients)


@torch.no_grad()
def update_weights(optimizer: torch.optim.Optimizer, norm: Tensor, clip_norm: float, weight_limit: float) -> None:
    """Clip the gradients, take the optimizer's step, clamp the weights.

    Args:
        optimizer: any; one of PyTorch's AdamW over float32 weights on the CPU takes the single pass.
        norm: of all gradients together.
        clip_norm: the largest norm that is left as it is.
        weight_limit: the largest size of a weight.
    """
    weights = [weight for group in optimizer.param_groups for weight in group["params"] if weight.grad is not None]
    if _takes_one_pass(optimizer, weights):
        scale = min(1.0, clip_norm / (norm.item() + _STEADY))
        for group in optimizer.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    _adamw(optimizer.state[weight], weight, group, scale, weight_limit)
        return
    torch.nn.utils.clip_grads_with_norm_(weights, clip_norm, norm)
    optimizer.step()
    for weight in weights:
        weight.clamp_(-weight_limit, weight_limit)


def _takes_one_pass(optimizer: torch.optim.Optimizer, weights: list[Tensor]) -> bool:
    plain = type(optimizer) is torch.optim.AdamW and not any(group["amsgrad"] or group["maximize"] for group in optimizer.param_groups)
    return plain and all(weight.device.type == "cpu" and weight.dtype == torch.float32 for weight in weights)


def _adamw(state: dict[str, Any], weight: Tensor, group: dict[str, Any], scale: float, limit: float) -> None:
    if not state:
        # What PyTorch's own first step makes.
        state["step"] = torch.tensor(0.0)
        state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(weight), torch.zeros_like(weight)
    state["step"] += 1
    count, (beta1, beta2) = state["step"].item(), group["betas"]
    numbers = [
        scale, 1 - group["lr"] * group["weight_decay"], 1 - beta1, beta2, 1 - beta2,
        group["lr"] / (1 - beta1**count), 1 / math.sqrt(1 - beta2**count), group["eps"], limit,
    ]  # fmt: skip
    assert weight.grad is not None
    arrays = (_in_memory_order(tensor, weight) for tensor in (weight, weight.grad, state["exp_avg"], state["exp_avg_sq"]))
    _update(*arrays, np.array(numbers, np.float32))


def _in_memory_order(tensor: Tensor, like: Tensor) -> Any:
    """A tensor's elements as a flat array over the same memory, in the order of `like`; copied where it lies otherwise."""
    if tensor.stride() != like.stride():
        tensor = torch.empty_like(like).copy_(tensor)
    if not tensor.is_contiguous():
        dense = tensor.dim() == 4 and tensor.is_contiguous(memory_format=torch.channels_last)
        tensor = tensor.permute(0, 2, 3, 1) if dense else tensor.contiguous()
    return tensor.detach().view(-1).numpy()


@compiled(cache=True)
def _square_sum(g: Any) -> float:
    """Sum of squares, in an order that does not depend on the number of threads."""
    total = 0.0
    lanes = np.empty(_LANES, np.float32)
    for start in range(0, g.size, _PIECE):
        piece = g[start : start + _PIECE]
        lanes[:] = 0
        whole = piece.size // _LANES * _LANES
        for row in range(0, whole, _LANES):
            for lane in range(_LANES):
                lanes[lane] += piece[row + lane] * piece[row + lane]
        for i in range(whole, piece.size):
            lanes[i - whole] += piece[i] * piece[i]
        for lane in range(_LANES):
            total += np.float64(lanes[lane])
    return total


@compiled(cache=True)
def _update(w: Any, g: Any, m: Any, v: Any, numbers: Any) -> None:
    scale, shrink, gain1, beta2, gain2 = numbers[0], numbers[1], numbers[2], numbers[3], numbers[4]
    rate, steady, eps, limit = numbers[5], numbers[6], numbers[7], numbers[8]
    for i in range(w.size):
        gradient = g[i] * scale
        m[i] = m[i] + (gradient - m[i]) * gain1
        v[i] = v[i] * beta2 + gradient * gradient * gain2
        now = w[i] * shrink - rate * (m[i] / (np.sqrt(v[i]) * steady + eps))
        w[i] = min(max(now, -limit), limit)
