"""The training of one seed, wherever an engine lets it run: from settings and samples to one state after another. It touches no file."""

import importlib
import importlib.util
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tsslbp.measures import measure
from tsslbp.method.batches import Splits
from tsslbp.method.build import build_loss, build_network, build_optimizer
from tsslbp.method.loop import Schedule, train_epochs
from tsslbp.method.products import Products
from tsslbp.settings import Dataset, Model, Recipe, Training
from tsslbp.storage.checkpoints import TrainingState


def import_method(loss: str, device: str) -> None:
    """Import the rest of the code that a run uses: what the method itself imports only when it is needed.

    Call it before the code's digest is taken: what is imported afterwards may have been edited since. Training can begin hours later,
    when a core is free.

    Args:
        loss: the kind of the run's loss.
        device: where it runs, such as "cpu" or "cuda:0".
    """
    importlib.import_module(f"tsslbp.method.losses.{loss}")
    if device.startswith("cuda") and importlib.util.find_spec("triton"):
        importlib.import_module("tsslbp.method.neuron.gpu_kernels")


@dataclass(frozen=True)
class SeedTask:
    """All that decides the weights of one seed, besides the data; plain values, so that it can go to another process.

    Attributes:
        model: its settings.
        recipe: the settings of its recipe.
        training: the settings that all models share.
        dataset: the settings of its dataset.
        seed: the seed.
        device: such as "cpu" or "cuda:0".
        threads: CPU threads.
        products: the library of the dense products.
    """

    model: Model
    recipe: Recipe
    training: Training
    dataset: Dataset
    seed: int
    device: str
    threads: int
    products: Products


def train_seed(
    task: SeedTask, splits: Splits, state: TrainingState | None = None, on_batch: Callable[[int, int], None] = lambda epoch, samples: None
) -> Iterator[TrainingState]:
    """Train one seed, from a state or from the start, and yield the training state after every new epoch.

    Args:
        task: the seed and its settings.
        splits: the model's samples.
        state: after the last complete epoch; None where there is none.
        on_batch: called after each batch with the epoch and its samples so far.

    Raises:
        TrainingFailure: the numbers went wrong.
    """
    network = build_network(task.model, task.recipe, task.dataset, task.seed, task.products).to(task.device)
    optimizer = build_optimizer(task.model, task.training, network)
    schedule = Schedule(task.model.epochs, task.seed, task.training.clip_norm, task.training.weight_limit, measure, on_batch)
    return train_epochs(network, build_loss(task.model, task.recipe), optimizer, splits, schedule, state)
