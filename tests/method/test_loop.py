"""A run is the same whether it is interrupted or not, and numbers that go wrong are reported where they do."""

import math

import pytest
import torch

from tsslbp.method import loop, step
from tsslbp.method.batches import Splits
from tsslbp.method.loop import Schedule, TrainingFailure, _refuse_silence, train_epochs
from tsslbp.method.losses import KernelLoss
from tsslbp.method.network import SpikingNetwork
from tsslbp.method.seeding import weight_generator
from tsslbp.method.step import evaluate, make_optimizer
from tsslbp.storage.checkpoints import load_state, save_state
from tsslbp.storage.records import Epoch


class TinyBatches:
    """Three classes of noisy patterns, shuffled by seed and epoch."""

    def __init__(self, samples=24, poison=None):
        generator = torch.Generator().manual_seed(5)
        self.samples, self.poison = samples, poison
        self.labels = torch.arange(samples) % 3
        patterns = torch.rand(3, 1, 4, 4, generator=generator)
        self.x = 3 * patterns[self.labels] + 2 * torch.rand(samples, 1, 4, 4, generator=generator)

    def __len__(self):
        return self.samples // 6

    def in_order(self):
        return iter([(self.x[i : i + 6], self.labels[i : i + 6]) for i in range(0, self.samples, 6)])

    def shuffled(self, seed, epoch):
        order = torch.randperm(self.samples, generator=torch.Generator().manual_seed(1000 * seed + epoch))
        for i in range(0, self.samples, 6):
            chosen = order[i : i + 6]
            x = self.x[chosen]
            yield (x * 1e37 if epoch == self.poison else x), self.labels[chosen]


def network_of(seed=0, dropout=0.2, weights=None):
    network = SpikingNetwork("20", (1, 4, 4), classes=3, dropout=dropout, generator=weight_generator(seed))
    if weights is not None:
        with torch.no_grad():
            for weight in network.parameters():
                weight.fill_(weights)
    return network


def states(seed=0, poison=None, state=None, held_out=None, dropout=0.2, weights=None, **options):
    network = network_of(seed, dropout, weights)
    splits = Splits(TinyBatches(poison=poison), TinyBatches(), held_out)
    return train_epochs(network, KernelLoss(5, 3.0), make_optimizer(network, 0.005), splits, Schedule(seed=seed, **options), state)


def run(**options):
    *_, last = states(**options)
    return last


def assert_same(a, b):
    assert a.history == b.history
    assert a.confusion == b.confusion
    for ours, theirs in ((a.weights, b.weights), (a.best_weights, b.best_weights)):
        for name in ours:
            assert torch.equal(ours[name], theirs[name])


def test_equal_seeds_give_equal_bits_and_others_do_not():
    one, two, other = run(epochs=3), run(epochs=3), run(seed=1, epochs=3)
    assert_same(one, two)
    assert not torch.equal(one.weights["layers.0.weight"], other.weights["layers.0.weight"])


@pytest.mark.parametrize("after", [1, 2, 4])
def test_an_interrupted_run_equals_an_uninterrupted_one(tmp_path, after):
    for state in states(epochs=5):
        if len(state.history) == after:
            save_state(tmp_path / "seed.pt", state, "k")
            break
    resumed = list(states(epochs=5, state=load_state(tmp_path / "seed.pt", "k")))
    assert [len(state.history) for state in resumed] == list(range(after + 1, 6))
    assert_same(resumed[-1], run(epochs=5))


def test_the_epoch_is_chosen_on_held_out_samples_where_there_are_some():
    whole = run(epochs=6, held_out=TinyBatches(6))
    chosen = [row.held_out_accuracy for row in whole.history]
    best = chosen.index(max(chosen)) + 1
    assert [row.test_accuracy for row in whole.history] == [row.test_accuracy for row in run(epochs=6).history]
    for name, weight in run(epochs=best).weights.items():
        assert torch.equal(weight, whole.best_weights[name])
    network, last = network_of(), whole.history[-1]
    network.load_state_dict(whole.weights)
    assert evaluate(network, TinyBatches(6).in_order()).accuracy == last.held_out_accuracy != last.test_accuracy


def test_of_equally_good_epochs_on_held_out_samples_the_first_is_chosen(monkeypatch):
    accuracies = iter([10.0, 30.0, 20.0, 30.0, 5.0, 1.0])
    monkeypatch.setattr(loop, "_held_out_accuracy", lambda network, splits: next(accuracies))
    found = list(states(epochs=6, held_out=TinyBatches(6)))
    chosen = found[-1].best_weights
    same = [all(torch.equal(weight, chosen[name]) for name, weight in state.weights.items()) for state in found]
    assert same == [False, True, False, False, False, False]


def test_an_epoch_that_changes_nothing_measures_what_an_evaluation_does():
    """With a learning rate of 0, over batches of 6, 6, 6 and 2 samples."""
    network, data, loss = network_of(dropout=0.0), TinyBatches(20), KernelLoss(5, 3.0)
    (state,) = train_epochs(network, loss, make_optimizer(network, 0.0), Splits(data, data), Schedule(epochs=1, seed=0))
    row, trace = state.history[0], network(data.x)
    assert row.train_loss == pytest.approx(loss(trace, data.labels).item() / 20)
    assert row.test_loss == pytest.approx(row.train_loss)
    assert row.train_accuracy == row.test_accuracy == 100 * (trace.sum(0).argmax(1) == data.labels).double().mean().item()


def test_every_epoch_has_the_measures_that_were_asked_for():
    row = run(epochs=1, measure=lambda evaluation: {"errors": 100 - evaluation.accuracy}).history[0]
    assert row.measures == {"errors": 100 - row.test_accuracy}


def test_best_weights_are_those_of_the_first_best_epoch():
    whole = run(epochs=13, dropout=0.0)
    best = max(range(13), key=lambda i: whole.history[i].test_accuracy) + 1
    assert best < 13  # so that the last weights are others
    for name, weight in run(epochs=best, dropout=0.0).weights.items():
        assert torch.equal(weight, whole.best_weights[name])


def test_a_loss_that_is_not_a_number_stops_the_run_at_its_epoch():
    with pytest.raises(
        TrainingFailure, match=r"epoch 3, sample 6: the gradient's norm became (nan|inf): .*; firing rates of the layers: \d"
    ) as failure:
        run(epochs=5, poison=3)
    assert len(failure.value.state.history) == 2


class LateNaN(KernelLoss):
    """A loss that is no number from the first batch of epoch 2 on, while its gradient stays as it was."""

    calls = 0

    def __call__(self, trace, labels):
        LateNaN.calls += 1
        return super().__call__(trace, labels) + (math.nan if LateNaN.calls > 4 else 0.0)


@pytest.mark.parametrize(
    ("looked_at", "sample", "became"),
    [(True, 6, r"the loss became nan"), (False, 24, r"the loss became nan, the sum of the gradients' norms \d")],
)
def test_a_loss_of_ones_own_that_is_not_a_number_stops_the_run(monkeypatch, looked_at, sample, became):
    """On a GPU no step waits for its numbers: there an epoch is looked at as a whole, as here without the look at each step."""
    monkeypatch.setattr(LateNaN, "calls", 0)
    if not looked_at:
        monkeypatch.setattr(step, "_refuse_not_finite", lambda *_: None)
    network = network_of()
    splits, schedule = Splits(TinyBatches(), TinyBatches()), Schedule(seed=0, epochs=3)
    with pytest.raises(TrainingFailure, match=rf"epoch 2, sample {sample}: {became}") as failure:
        list(train_epochs(network, LateNaN(5, 3.0), make_optimizer(network, 0.005), splits, schedule))
    assert len(failure.value.state.history) == 1


def test_a_silent_network_stops_the_run():
    with pytest.raises(TrainingFailure, match="layer 1 never fired on the test set for 2 epochs"):
        run(epochs=2, weights=-4.0, dropout=0.0)


def row(epoch, *rates):
    return Epoch(epoch=epoch, train_loss=1.0, train_accuracy=50.0, test_accuracy=50.0, firing_rates=rates)


def test_a_layer_that_wakes_within_three_epochs_is_not_dead():
    rows = (row(1, 0.1, 0.0), row(2, 0.1, 0.0), row(3, 0.1, 0.2), row(4, 0.1, 0.0), row(5, 0.1, 0.0))
    for epochs in range(1, 6):
        _refuse_silence(rows[:epochs], 10, None)
    with pytest.raises(TrainingFailure, match="epoch 6: layer 2 never fired on the test set for 3 epochs"):
        _refuse_silence((*rows, row(6, 0.1, 0.0)), 10, None)


def test_no_epochs_are_refused():
    with pytest.raises(ValueError, match="epochs 0"):
        run(epochs=0)
