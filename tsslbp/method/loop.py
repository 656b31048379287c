"""A whole run: epochs of training and testing, with a training state after each, from which it goes on bit for bit.

Nothing here knows of files: the caller keeps the states. How an epoch's random choices follow from the seed: seeding.py.
"""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch

from tsslbp.method.batches import Splits
from tsslbp.method.checks import NotFiniteError
from tsslbp.method.network import SpikingNetwork
from tsslbp.method.seeding import dropout_generator
from tsslbp.method.step import Evaluation, Loss, evaluate, optimize
from tsslbp.storage.checkpoints import TrainingState, Weights
from tsslbp.storage.records import Epoch

SILENT_EPOCHS = 3
"""A layer without a spike on the test set for so many epochs, or to the end of a shorter run, counts as dead."""


class TrainingFailure(RuntimeError):
    """The numbers went wrong: not finite, or a layer that stays silent. `state`: after the last good epoch, if there is one."""

    def __init__(self, message: str, state: TrainingState | None) -> None:
        super().__init__(message)
        self.state = state


@dataclass(frozen=True)
class Schedule:
    """What a run needs besides network and data.

    Attributes:
        epochs: train until this many are complete.
        seed: of shuffling, augmentation and dropout.
        clip_norm: see `step.train_step`.
        weight_limit: see `step.train_step`.
        measure: further numbers per epoch, from its evaluation on the test set; they decide nothing.
        on_batch: called after each training batch with the epoch and the number of its samples so far.
    """

    epochs: int
    seed: int
    clip_norm: float = 1.0
    weight_limit: float = 4.0
    measure: Callable[[Evaluation], dict[str, float]] = lambda evaluation: {}
    on_batch: Callable[[int, int], None] = lambda epoch, samples: None


def train_epochs(
    network: SpikingNetwork,
    loss: Loss,
    optimizer: torch.optim.Optimizer,
    splits: Splits,
    schedule: Schedule,
    state: TrainingState | None = None,
) -> Iterator[TrainingState]:
    """Train until `schedule.epochs` epochs are complete, and yield the training state after each new one.

    A state shares the optimizer's tensors: it is valid until the next one is asked for.

    Args:
        network: its weights are replaced where there is a state to go on from.
        loss: (T, B, classes) and (B,) -> scalar.
        optimizer: over the network's parameters.
        splits: what to train and test on.
        schedule: how long, and with which seed.
        state: to go on from; None: from the start.

    Raises:
        TrainingFailure: loss or gradient are not finite, or a layer stays silent on the whole test set, epoch after epoch.
        ValueError: no epoch is asked for.
    """
    if schedule.epochs < 1:
        raise ValueError(f"epochs {schedule.epochs}: at least 1 is needed")
    if state is not None:
        network.load_state_dict(state.weights)
        optimizer.load_state_dict(state.optimizer)
    for epoch in range(len(state.history) + 1 if state else 1, schedule.epochs + 1):
        started = time.perf_counter()
        try:
            trained = _train_epoch(network, loss, optimizer, splits, schedule, epoch)
        except NotFiniteError as error:
            raise TrainingFailure(f"epoch {epoch}, {error}; firing rates of the layers: {_rates(network)}", state) from None
        tested = evaluate(network, splits.test.in_order(), loss)
        row = _row(epoch, trained, tested, _held_out_accuracy(network, splits), schedule)
        _refuse_silence((*(state.history if state else ()), row), schedule.epochs, state)
        state = _advance(network, optimizer, state, row, tested, time.perf_counter() - started)
        yield state


def _row(epoch: int, trained: tuple[float, float], tested: Evaluation, held_out: float | None, schedule: Schedule) -> Epoch:
    return Epoch(
        epoch=epoch,
        train_loss=trained[0],
        train_accuracy=trained[1],
        test_loss=tested.loss,
        test_accuracy=tested.accuracy,
        held_out_accuracy=held_out,
        firing_rates=tested.firing_rates,
        input_rate=tested.input_rate,
        measures=schedule.measure(tested),
    )


def _held_out_accuracy(network: SpikingNetwork, splits: Splits) -> float | None:
    return None if splits.held_out is None else evaluate(network, splits.held_out.in_order()).accuracy


def _train_epoch(
    network: SpikingNetwork, loss: Loss, optimizer: torch.optim.Optimizer, splits: Splits, schedule: Schedule, epoch: int
) -> tuple[float, float]:
    """One pass over the training set: mean loss per sample, and accuracy in percent while the weights change."""
    device = next(network.parameters()).device
    network.dropout_generator = dropout_generator(schedule.seed, epoch, device)
    network.train()
    total, norms = torch.zeros(2, dtype=torch.float64, device=device)
    correct = torch.zeros((), dtype=torch.int64, device=device)
    seen = 0
    for x, labels in splits.train.shuffled(schedule.seed, epoch):
        labels = labels.to(device)
        seen += len(labels)
        try:
            value, norm, scores = optimize(network, loss, optimizer, x.to(device), labels, schedule.clip_norm, schedule.weight_limit)
        except NotFiniteError as error:
            raise NotFiniteError(f"sample {seen}: {error}") from None
        total += value
        norms += norm
        correct += (scores.argmax(1) == labels).sum()
        schedule.on_batch(epoch, seen)
    if not (math.isfinite(total.item()) and math.isfinite(norms.item())):
        # On a GPU no step waits for its numbers, so that the epoch is looked at as a whole.
        raise NotFiniteError(f"sample {seen}: the loss became {total.item()}, the sum of the gradients' norms {norms.item()}")
    return total.item() / seen, 100 * int(correct) / seen


def _rates(network: SpikingNetwork) -> str:
    rates = torch.stack(network.firing_rates).tolist() if network.firing_rates else []
    return ", ".join(f"{rate:.4f}" for rate in rates) or "none yet"


def _refuse_silence(history: tuple[Epoch, ...], epochs: int, state: TrainingState | None) -> None:
    """Stop where a layer stays silent: the surrogate may still wake it after an epoch or two, but then there is nothing to learn from."""
    last = history[-SILENT_EPOCHS:]
    row = history[-1]
    silent = [i for i in range(len(row.firing_rates)) if all(epoch.firing_rates[i] == 0 for epoch in last)]
    if silent and (len(last) == SILENT_EPOCHS or row.epoch == epochs):
        rates = ", ".join(f"{rate:.4f}" for rate in row.firing_rates)
        since = f"for {len(last)} epochs" if len(last) > 1 else "in the only epoch"
        message = f"epoch {row.epoch}: layer {silent[0] + 1} never fired on the test set {since}; firing rates of the layers: {rates}"
        raise TrainingFailure(message, state)


def _advance(
    network: SpikingNetwork, optimizer: torch.optim.Optimizer, before: TrainingState | None, row: Epoch, tested: Evaluation, seconds: float
) -> TrainingState:
    weights = _copy(network)
    improved = before is None or row.selected_on > max(epoch.selected_on for epoch in before.history)
    return TrainingState(
        weights=weights,
        optimizer=optimizer.state_dict(),
        best_weights=weights if improved or before is None else before.best_weights,
        history=(*(before.history if before else ()), row),
        seconds=(*(before.seconds if before else ()), seconds),
        confusion=tuple(tuple(line) for line in tested.confusion.tolist()),
    )


def _copy(network: SpikingNetwork) -> Weights:
    return {name: weight.detach().cpu().clone() for name, weight in network.state_dict().items()}
