"""One seed -> the independent random streams of a run.

Every random choice of epoch e derives from (seed, e) alone, so a resumed run needs no generator's state.
"""

import numpy as np
import torch

# What a seed is split into: each purpose has a stream of its own.
_WEIGHTS, _DROPOUT = 0, 1  # of PyTorch's generators
ORDER, AUGMENTATION = 0, 1  # of NumPy's


def weight_generator(seed: int) -> torch.Generator:
    """The generator that draws a run's initial weights."""
    return torch.Generator().manual_seed(_derive(seed, _WEIGHTS))


def dropout_generator(seed: int, epoch: int, device: torch.device) -> torch.Generator:
    """The generator that draws the dropout masks of an epoch."""
    return torch.Generator(device).manual_seed(_derive(seed, _DROPOUT, epoch))


def sample_generator(seed: int, epoch: int, purpose: int) -> np.random.Generator:
    """The generator that draws the `ORDER` of an epoch's samples, or their `AUGMENTATION`."""
    return np.random.default_rng(np.random.SeedSequence([seed, epoch, purpose]))


def _derive(*numbers: int) -> int:
    """One 63-bit seed from several numbers, so that no two purposes or epochs share a stream."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> np.uint64(1))
