"""What a user may pass by mistake in place of a right argument."""

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch


def hostile(random_: random.Random, right: object) -> object:
    """Something that a user may pass in place of `right`."""
    if isinstance(right, torch.Tensor) and random_.random() < 0.8:
        return random_.choice(TENSORS)(right)
    if isinstance(right, np.ndarray) and random_.random() < 0.6:
        return random_.choice(ARRAYS)(right)
    return random_.choice(SCALARS)


SCALARS: list[object] = [
    *(None, True, -1, 0, 1, 2, 0.5, -0.5, 1.0, 1e-30, 1e38, 1e39, 1e308, float("nan"), float("inf"), -float("inf"), 10**15, 2**62, 2**70),
    *("x", "", "400", "4\u22124", b"", b"12345", [], {}, (), [1], (1, 2), (1, 2, 3), [0.5, 0.5], [float("nan")] * 5, 1 + 2j),
    *(np.float32(0.5), np.int64(2), np.array([1.0, 2.0]), torch.tensor(2.0), torch.tensor([1.0, 2.0]), object(), int, Path("no-such-file")),
]  # fmt: skip

TENSORS: list[Callable[[torch.Tensor], object]] = [
    lambda right: right.double(),
    lambda right: right.half(),
    lambda right: right.bfloat16(),
    lambda right: right.long(),
    lambda right: right.bool(),
    lambda right: right.byte(),
    lambda right: right.to(torch.complex64),
    lambda right: right.float() * float("nan"),
    lambda right: right.float() + float("inf"),
    lambda right: right.float().abs() * 1e38 + 1e38,
    lambda right: right[:0],
    lambda right: right[..., :0],
    lambda right: right[..., :1],
    lambda right: right[:1],
    lambda right: right.unsqueeze(0),
    lambda right: right.flatten(),
    lambda right: right.sum(),
    lambda right: torch.cat([right, right]),
    lambda right: right.transpose(0, -1),
    lambda right: right.to_sparse(),
    lambda right: right.numpy(),
    lambda right: right.tolist(),
    lambda right: right.float().requires_grad_(),
    lambda right: -right.float() - 1,
    lambda right: right.long() + 1000,
]

ARRAYS: list[Callable[[np.ndarray], object]] = [
    lambda right: right[:0],
    lambda right: right[None],
    lambda right: right["x"] if right.dtype.names else right,
    lambda right: right.tolist(),
    lambda right: right.astype([(name, "f4") for name in right.dtype.names]) if right.dtype.names else right,
    lambda right: torch.zeros(4, 4),
    lambda right: np.zeros((4, 4)),
]
