"""What training a model costs: memory by its shapes, time by a few real steps on this machine; the rest is multiplication."""

import math
import multiprocessing
import time
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from dataclasses import dataclass, replace
from threading import BrokenBarrierError
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from tsslbp.architecture import plan_network
from tsslbp.limits import peak_memory
from tsslbp.method.build import build_loss, build_network, build_optimizer
from tsslbp.method.numerics import prepare_numerics
from tsslbp.method.step import evaluate, train_step
from tsslbp.settings import Dataset, Model, Settings

if TYPE_CHECKING:
    from multiprocessing.synchronize import Barrier

START_SECONDS = 300
"""How long a process that is measured waits for those beside it to be ready."""
EVENT_DENSITY = 0.02
"""Share of ones in made-up event frames: N-MNIST has about 3,900 in 100 steps of 2x34x34, 1.7 percent."""
BYTES = {"weights": 4, "checkpoint": 16, "epoch": 50, "activation": 15}
"""A weight is stored as float32; a live checkpoint holds it four times: now, best, and AdamW's two moments.

"epoch": a weight, its gradient and two moments after an epoch, when copies of them are on their way to the checkpoint.
"activation": a neuron in one step of one sample. Both of these, and `BASE_BYTES`, were measured, see tests/test_costs.py.
"""
BASE_BYTES = 1_200_000_000
"""A process that has loaded PyTorch, has compiled the kernels itself (the first time; from the cache they take 250 MB less), and has
trained next to nothing."""


@dataclass(frozen=True)
class Cost:
    """What one seed of a model costs.

    Attributes:
        train_rate: training samples per second of one seed.
        test_rate: test samples per second of one seed.
        hours: for all epochs, tests after each included.
        disk_bytes: live checkpoint, best and final weights.
        memory_bytes: the largest that a process which trains a seed has been so far.
        at_a_time: so many seeds ran side by side while this was measured.
    """

    train_rate: float
    test_rate: float
    hours: float
    disk_bytes: int
    memory_bytes: int
    at_a_time: int = 1

    def row_hours(self, seeds: int) -> float:
        """Hours for so many seeds, `at_a_time` of them side by side."""
        return math.ceil(seeds / self.at_a_time) * self.hours


def memory_estimate(settings: Settings, key: str) -> int:
    """Bytes that a process takes which trains one seed of a model, by shapes alone: nothing is built.

    It is meant to be enough, and at most twice too much; `memory.needed_memory` is what no machine can do with less of.
    """
    model, dataset = settings.model(key), settings.dataset_of(key)
    layers = plan_network(model.architecture, dataset.shape, dataset.classes, model.padding)
    weights = sum(layer.weights for layer in layers)
    neurons = sum(layer.neurons for layer in layers) + (math.prod(dataset.shape) if dataset.is_events else 0)
    activations = model.time_steps * min(model.batch_size, dataset.train_samples) * neurons
    return BASE_BYTES + BYTES["epoch"] * weights + BYTES["activation"] * activations


def measure(settings: Settings, key: str, device: torch.device, seconds: float = 3.0, at_a_time: int | None = None) -> Cost:
    """Time steps of a model on made-up data of its dataset's shape.

    Args:
        settings: all settings.
        key: of the model.
        device: where to run.
        seconds: how long to go on; at least two steps after a warm-up are timed.
        at_a_time: so many processes do the same side by side, as training will; the slowest is believed, and their memory is free
            again afterwards. None: it is done in this process, with the threads that PyTorch has.

    Raises:
        ValueError: one of the processes was killed, as a system does that runs out of memory, or did not get ready.
    """
    if at_a_time is None:
        return _measure(settings, key, device, seconds, lambda: None)
    context = multiprocessing.get_context("spawn")
    started = context.Barrier(at_a_time), torch.get_num_threads()
    try:
        with ProcessPoolExecutor(at_a_time, context, _join, started) as pool:
            costs = list(pool.map(_measure_with_others, *zip(*at_a_time * [(settings, key, device, seconds)], strict=True)))
    except (BrokenExecutor, BrokenBarrierError):
        raise ValueError(_killed(key, at_a_time)) from None
    slowest = max(costs, key=lambda cost: cost.hours)
    return replace(slowest, memory_bytes=max(cost.memory_bytes for cost in costs), at_a_time=at_a_time)


def _killed(key: str, at_a_time: int) -> str:
    why = "was killed or did not get ready, most likely for lack of memory; make room"
    if at_a_time == 1:
        return f"{key}: the process that measured it {why}"
    return f"{key}: of {at_a_time} processes measured side by side, one {why}, or measure fewer at a time: python -m stages.plan --cores 1"


class _Others:
    """What a process that measures side by side with others waits at, so that all run while one is timed."""

    barrier: "Barrier"


def _join(barrier: "Barrier", threads: int) -> None:
    _Others.barrier = barrier
    prepare_numerics(threads)


def _measure_with_others(settings: Settings, key: str, device: torch.device, seconds: float) -> Cost:
    return _measure(settings, key, device, seconds, lambda: _Others.barrier.wait(START_SECONDS))


def _measure(settings: Settings, key: str, device: torch.device, seconds: float, ready: Callable[[], object]) -> Cost:
    model, dataset, recipe = settings.model(key), settings.dataset_of(key), settings.recipe_of(key)
    network = build_network(model, recipe, dataset, 0, settings.execution.products).to(device)
    optimizer, loss = build_optimizer(model, settings.training, network), build_loss(model, recipe)
    x, labels = (tensor.to(device) for tensor in _batch(model, dataset))
    train = _rate(lambda: train_step(network, loss, optimizer, x, labels), model.batch_size, seconds, ready)
    test = _rate(lambda: evaluate(network, [(x, labels)]).accuracy, model.batch_size, seconds / 4, ready)
    hours = model.epochs * (dataset.train_samples / train + dataset.test_samples / test) / 3600
    weights = sum(weight.numel() for weight in network.parameters())
    return Cost(train, test, hours, weights * (BYTES["checkpoint"] + 2 * BYTES["weights"]), peak_memory())


def _batch(model: Model, dataset: Dataset) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(dataset.classes, (model.batch_size,), generator=generator)
    if dataset.is_events:
        channels, height, width = dataset.shape
        frames = torch.rand(model.time_steps, model.batch_size, height, width, channels, generator=generator) < EVENT_DENSITY
        return frames.byte().permute(0, 1, 4, 2, 3), labels
    return torch.randn(model.batch_size, *dataset.shape, generator=generator), labels


def _rate(step: Callable[[], object], samples: int, seconds: float, ready: Callable[[], object]) -> float:
    """Samples per second of a step that waits for its own end; the first call, which compiles, is not timed."""
    step()
    ready()
    started, steps = time.perf_counter(), 0
    while steps < 2 or time.perf_counter() - started < seconds:
        step()
        steps += 1
    return steps * samples / (time.perf_counter() - started)
