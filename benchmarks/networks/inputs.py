"""Samples to measure with: the real ones where data/processed has them, else synthetic ones that are as sparse."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.cases import NetworkCase
from benchmarks.processes.commands import SYNTHETIC
from tsslbp.method.batches import Batch, load_splits
from tsslbp.settings import Dataset, Settings

BATCHES = 4
"""Different batches that take turns: enough that no network learns one by heart within a measurement."""

EVENT_DENSITY = 0.016
"""Share of (step, polarity, y, x) bins with an event; 1.8 % of the first 30 and 1.5 % of the first 100 steps of N-MNIST."""
MOVING_SHARE = 0.13
"""Share of the bins that an object's edges pass in 30 steps of N-MNIST."""
EVENT_GAIN = 3.0
"""Factor on the convolutions' initial weights at which synthetic events make 1, 4 and 8 % of the three layers' neurons fire per step,
like 0.4, 0.7 and 8 % with real ones after some training; with the initial weights as they are, synthetic events wake none."""
INK = 0.25
"""Share of pixels that are not black; 19 % in MNIST, 49 % in Fashion-MNIST."""


@dataclass(frozen=True)
class Samples:
    """What a network's case is measured with.

    Attributes:
        batches: of the case's size, in the form that `SpikingNetwork.forward` takes.
        source: a word on where they come from.
        settings: the case's, with initial weights that fire for such samples.
    """

    batches: list[Batch]
    source: str
    settings: Settings


def load(case: NetworkCase, seed: int = 0) -> Samples:
    """Load or draw a few batches for a case."""
    settings, model = case.settings, case.settings.models[case.model]
    dataset = settings.datasets[model.dataset]
    folder = settings.folders.data / "processed" / model.dataset
    if case.real_data and (folder / "data.json").exists():
        return Samples(_real(case, dataset, folder), dataset.title, settings)
    if dataset.is_events:
        model = model.model_copy(update={"conv_gain": model.conv_gain * EVENT_GAIN})
        settings = settings.model_copy(update={"models": {case.model: model}})
    generator = torch.Generator().manual_seed(seed)
    return Samples([_synthetic(case, dataset, generator) for _ in range(BATCHES)], SYNTHETIC, settings)


def _real(case: NetworkCase, dataset: Dataset, folder: Path) -> list[Batch]:
    train = load_splits(folder, dataset, case.settings.models[case.model])[0].train
    return [batch for batch, _ in zip(train.shuffled(seed=0, epoch=1), range(BATCHES), strict=False)]


def _synthetic(case: NetworkCase, dataset: Dataset, generator: torch.Generator) -> Batch:
    labels = torch.randint(dataset.classes, (case.batch,), generator=generator)
    make = synthetic_events if dataset.is_events else synthetic_images
    return make(case, dataset, generator), labels


def synthetic_images(case: NetworkCase, dataset: Dataset, generator: torch.Generator) -> Tensor:
    """Draw smooth blots, (B, C, H, W) float32: bright strokes on black for one channel, all values for colors; normalized."""
    field = _smooth((case.batch, *dataset.shape), generator)
    if dataset.shape[0] == 1:
        threshold = field.flatten().kthvalue(max(1, int((1 - INK) * field.numel()))).values
        pixels = (2 * (field - threshold)).clamp(0, 1)
    else:
        pixels = (0.5 + 0.25 * field).clamp(0, 1)
    mean, std = (torch.tensor(values).view(-1, 1, 1) for values in (dataset.mean, dataset.std))
    return (pixels - mean) / std


def synthetic_events(case: NetworkCase, dataset: Dataset, generator: torch.Generator) -> Tensor:
    """Draw events at the edge of something that drifts by a pixel in every tenth step: (T, B, 2, H, W) uint8, channels last."""
    channels, height, width = dataset.shape
    field = _smooth((case.batch, channels, height, width), generator).permute(0, 2, 3, 1).contiguous()
    edge = field > field.flatten().kthvalue(int((1 - MOVING_SHARE) * field.numel())).values
    frames = torch.empty((case.time_steps, case.batch, height, width, channels), dtype=torch.uint8)
    for step in range(case.time_steps):
        happens = torch.rand(field.shape, generator=generator) < EVENT_DENSITY / MOVING_SHARE
        frames[step] = (edge.roll(step // 10, 2) & happens).to(torch.uint8)
    frames[-1] = 0  # as in N-MNIST, whose last step is always empty
    return frames.permute(0, 1, 4, 2, 3)


def _smooth(shape: tuple[int, int, int, int], generator: torch.Generator) -> Tensor:
    """Random fields of mean 0 and variance about 1 that vary over some five pixels."""
    batch, channels, height, width = shape
    coarse = torch.randn(batch, channels, -(-height // 5), -(-width // 5), generator=generator)
    field = functional.interpolate(coarse, (height, width), mode="bicubic", align_corners=False)
    return field / field.std()
