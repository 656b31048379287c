"""What training a model would cost on this machine: a few real steps are timed, the rest is multiplication."""

import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from tsslbp.method.build import build_loss, build_network, build_optimizer
from tsslbp.method.step import evaluate, train_step
from tsslbp.settings import Dataset, Model, Settings

EVENT_DENSITY = 0.02
"""Share of ones in made-up event frames: N-MNIST has about 3,900 in 100 steps of 2x34x34, 1.7 percent."""
BYTES = {"weights": 4, "checkpoint": 16}
"""A weight is stored as float32; a live checkpoint holds it four times: now, best, and AdamW's two moments."""


@dataclass(frozen=True)
class Cost:
    """What one seed of a model costs.

    Attributes:
        train_rate: training samples a second.
        test_rate: test samples a second.
        hours: for all epochs, tests after each included.
        disk_bytes: live checkpoint, best and final weights.
        memory_bytes: the largest that this process has been so far.
    """

    train_rate: float
    test_rate: float
    hours: float
    disk_bytes: int
    memory_bytes: int


def measure(settings: Settings, key: str, device: torch.device, seconds: float = 3.0) -> Cost:
    """Time steps of a model on made-up data of its dataset's shape.

    Args:
        settings: all settings.
        key: of the model.
        device: where to run.
        seconds: how long to go on; at least two steps after a warm-up are timed.
    """
    model, dataset, recipe = settings.model(key), settings.dataset_of(key), settings.recipe_of(key)
    network = build_network(model, recipe, dataset, seed=0).to(device)
    optimizer, loss = build_optimizer(model, settings.training, network), build_loss(model, recipe)
    x, labels = (tensor.to(device) for tensor in _batch(model, dataset))
    train = _rate(lambda: train_step(network, loss, optimizer, x, labels), model.batch_size, seconds)
    test = _rate(lambda: evaluate(network, [(x, labels)]).accuracy, model.batch_size, seconds / 4)
    hours = model.epochs * (dataset.train_samples / train + dataset.test_samples / test) / 3600
    weights = sum(weight.numel() for weight in network.parameters())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return Cost(train, test, hours, weights * (BYTES["checkpoint"] + 2 * BYTES["weights"]), peak)


def _batch(model: Model, dataset: Dataset) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(dataset.classes, (model.batch_size,), generator=generator)
    if dataset.is_events:
        channels, height, width = dataset.shape
        frames = torch.rand(model.time_steps, model.batch_size, height, width, channels, generator=generator) < EVENT_DENSITY
        return frames.byte().permute(0, 1, 4, 2, 3), labels
    return torch.randn(model.batch_size, *dataset.shape, generator=generator), labels


def _rate(step: Callable[[], object], samples: int, seconds: float) -> float:
    """Samples a second of a step that waits for its own end; the first call, which compiles, is not timed."""
    step()
    started, steps = time.perf_counter(), 0
    while steps < 2 or time.perf_counter() - started < seconds:
        step()
        steps += 1
    return steps * samples / (time.perf_counter() - started)
