"""A whole run: epochs of training and testing, with a checkpoint after each from which it goes on bit for bit."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from tsslbp.method.batches import Batches
from tsslbp.method.network import SpikingNetwork
from tsslbp.method.seeding import dropout_generator
from tsslbp.method.step import Evaluation, Loss, evaluate, optimise
from tsslbp.storage.checkpoints import TrainingState, Weights, load_state, save_state
from tsslbp.storage.records import Epoch

SILENT_EPOCHS = 3
"""A layer without a spike on the test set for so many epochs, or to the end of a shorter run, is taken for dead."""


class TrainingFailure(RuntimeError):
    """Numbers went wrong: a loss that is not finite, or a layer that stays silent. `state`: the last good epoch, if any."""

    def __init__(self, message: str, state: TrainingState | None) -> None:
        super().__init__(message)
        self.state = state


@dataclass(frozen=True)
class Fit:
    """What a run needs beside network and data.

    Attributes:
        epochs: train until this many are complete.
        seed: of shuffling, augmentation and dropout.
        key: identifies settings, data, code and seed; see `checkpoints.TrainingState`.
        clip_norm: see `training.train_step`.
        weight_limit: see `training.train_step`.
        checkpoint: where the state after each epoch is kept; None: nowhere.
        on_epoch: called after each new epoch with its numbers and its duration in seconds.
        on_batch: called after each training batch with the number of samples so far in this epoch.
    """

    epochs: int
    seed: int
    key: str = ""
    clip_norm: float = 1.0
    weight_limit: float = 4.0
    checkpoint: Path | None = None
    on_epoch: Callable[[Epoch, float], None] = lambda epoch, seconds: None
    on_batch: Callable[[int, int], None] = lambda epoch, samples: None


def fit(network: SpikingNetwork, loss: Loss, optimizer: torch.optim.Optimizer, train: Batches, test: Batches, run: Fit) -> TrainingState:
    """Train until `run.epochs` epochs are complete, going on from `run.checkpoint` where it holds some of them.

    A checkpoint of more epochs than asked for is not used: the weights after fewer are no longer known.

    Raises:
        TrainingFailure: the loss is not finite, or a layer is silent on the whole test set.
        CheckpointError: the checkpoint is damaged.
    """
    state = _resume(network, optimizer, run)
    for epoch in range(len(state.history) + 1 if state else 1, run.epochs + 1):
        started = time.perf_counter()
        train_loss, train_accuracy = _train_epoch(network, loss, optimizer, train, run, epoch, state)
        tested = evaluate(network, test.in_order())
        row = Epoch(
            epoch=epoch,
            train_loss=train_loss,
            train_accuracy=train_accuracy,
            test_accuracy=tested.accuracy,
            firing_rates=tested.firing_rates,
        )
        _refuse_silence((*(state.history if state else ()), row), run.epochs, state)
        seconds = time.perf_counter() - started
        state = _advance(network, optimizer, state, row, tested, seconds, run.key)
        if run.checkpoint is not None:
            save_state(run.checkpoint, state)
        run.on_epoch(row, seconds)
    if state is None:
        raise ValueError(f"epochs {run.epochs}: at least 1 is needed")
    return state


def _resume(network: SpikingNetwork, optimizer: torch.optim.Optimizer, run: Fit) -> TrainingState | None:
    if run.checkpoint is None or not run.checkpoint.exists():
        return None
    state = load_state(run.checkpoint, run.key)
    if len(state.history) > run.epochs:
        return None
    network.load_state_dict(state.weights)
    optimizer.load_state_dict(state.optimizer)
    return state


def _train_epoch(
    network: SpikingNetwork, loss: Loss, optimizer: torch.optim.Optimizer, train: Batches, run: Fit, epoch: int, state: TrainingState | None
) -> tuple[float, float]:
    """One pass over the training set: mean loss a sample, and accuracy in percent while the weights change."""
    device = next(network.parameters()).device
    network.dropout_generator = dropout_generator(run.seed, epoch, device)
    network.train()
    total, worst = torch.zeros(2, dtype=torch.float64, device=device)
    correct = torch.zeros((), dtype=torch.int64, device=device)
    seen = 0
    for x, labels in train.shuffled(run.seed, epoch):
        labels = labels.to(device)
        value, norm, scores = optimise(network, loss, optimizer, x.to(device), labels, run.clip_norm, run.weight_limit)
        total += value
        worst += norm
        correct += (scores.argmax(1) == labels).sum()
        seen += len(labels)
        run.on_batch(epoch, seen)
        if device.type == "cpu" and not math.isfinite(worst.item()):
            break  # on other devices asking would wait for every step; they are asked after the epoch
    if not (math.isfinite(total.item()) and math.isfinite(worst.item())):
        # A potential that is no number does not spike, so that the loss may stay finite: the gradient tells.
        what = f"the loss became {total.item()}" if not math.isfinite(total.item()) else f"the gradient's norm became {norm.item()}"
        raise TrainingFailure(f"epoch {epoch}, sample {seen}: {what}; firing rates of the layers: {_rates(network)}", state)
    return total.item() / seen, 100 * int(correct) / seen


def _rates(network: SpikingNetwork) -> str:
    return ", ".join(f"{rate:.4f}" for rate in torch.stack(network.firing_rates).tolist())


def _refuse_silence(history: tuple[Epoch, ...], epochs: int, state: TrainingState | None) -> None:
    """Stop where a layer stays silent: a warm-up may still wake it after an epoch or two, but then there is nothing to learn from."""
    last = history[-SILENT_EPOCHS:]
    row = history[-1]
    silent = [i for i in range(len(row.firing_rates)) if all(epoch.firing_rates[i] == 0 for epoch in last)]
    if silent and (len(last) == SILENT_EPOCHS or row.epoch == epochs):
        rates = ", ".join(f"{rate:.4f}" for rate in row.firing_rates)
        since = f"for {len(last)} epochs" if len(last) > 1 else "in the only epoch"
        message = f"epoch {row.epoch}: layer {silent[0] + 1} never fired on the test set {since}; firing rates of the layers: {rates}"
        raise TrainingFailure(message, state)


def _advance(
    network: SpikingNetwork,
    optimizer: torch.optim.Optimizer,
    before: TrainingState | None,
    row: Epoch,
    tested: Evaluation,
    seconds: float,
    key: str,
) -> TrainingState:
    weights = _copy(network)
    history = (*(before.history if before else ()), row)
    improved = before is None or row.test_accuracy > max(epoch.test_accuracy for epoch in before.history)
    return TrainingState(
        key=key,
        weights=weights,
        optimizer=optimizer.state_dict(),
        best_weights=weights if improved or before is None else before.best_weights,
        history=history,
        seconds=(*(before.seconds if before else ()), seconds),
        confusion=tuple(tuple(line) for line in tested.confusion.tolist()),
    )


def _copy(network: SpikingNetwork) -> Weights:
    return {name: weight.detach().cpu().clone() for name, weight in network.state_dict().items()}
