"""Trains and tests a few batches and prints the largest memory of this process, in bytes: what `full_size` starts and reads.

python -m benchmarks.full_size.training_memory --params params.yaml --model nmnist-cnn-t30 --processed data/processed/nmnist
"""

import argparse
import itertools
from collections.abc import Sequence
from pathlib import Path

from tsslbp.limits import peak_memory
from tsslbp.method.batches import Splits, load_splits
from tsslbp.method.build import build_loss, build_network, build_optimizer
from tsslbp.method.numerics import prepare_device
from tsslbp.method.step import evaluate, train_step
from tsslbp.settings import Settings, load_settings

STEPS = 4


def main(arguments: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.full_size.training_memory", description="Print a training process's peak memory."
    )
    parser.add_argument("--params", type=Path, required=True, help="the settings")
    parser.add_argument("--model", required=True, help="a model of them")
    parser.add_argument("--processed", type=Path, required=True, help="the folder of its arrays")
    options = parser.parse_args(arguments)
    settings = load_settings(options.params)
    prepare_device(settings.execution)
    model = settings.model(options.model)
    splits, _ = load_splits(options.processed, settings.dataset_of(options.model), model)
    train_and_test(settings, options.model, splits)
    print(peak_memory())


def train_and_test(settings: Settings, key: str, splits: Splits) -> None:
    """Train a few steps and test two batches."""
    model, recipe = settings.model(key), settings.recipe_of(key)
    network, loss = build_network(model, recipe, settings.dataset_of(key), seed=0), build_loss(model, recipe)
    optimizer = build_optimizer(model, settings.training, network)
    for x, labels in itertools.islice(splits.train.shuffled(0, 1), STEPS):
        train_step(network, loss, optimizer, x, labels)
    evaluate(network, itertools.islice(splits.test.in_order(), 2))


if __name__ == "__main__":
    main()
