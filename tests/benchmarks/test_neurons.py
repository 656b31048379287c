"""What the neurons cost: numbers for every T, pooled and not, and a user's mistakes."""

import re

import pytest

from benchmarks import neurons


def test_every_t_and_kind_of_layer_has_a_line(capsys):
    assert neurons.main(["--neurons", "20000", "--repeats", "1", "--steps", "2", "3"]) == 0
    lines = re.findall(
        r"T = +(\d+), (not pooled|pooled) *: forward ([\d.]+), backward ([\d.]+) \(firing rate ([\d.]+)\)", capsys.readouterr().out
    )
    assert [line[:2] for line in lines] == [("2", "not pooled"), ("2", "pooled"), ("3", "not pooled"), ("3", "pooled")]
    assert all(float(number) > 0 for line in lines for number in line[2:])


def test_a_cost_is_per_neuron_and_step(monkeypatch):
    seconds = iter([0.5, 0.25])
    monkeypatch.setattr(neurons, "_least", lambda repeats, action: next(seconds))
    cost = neurons.measure(steps=4, pooling=1, neurons=2 * 15 * 24 * 24, repeats=1)
    updates = 4 * 2 * 15 * 24 * 24
    assert cost.forward == pytest.approx(0.5e9 / updates)
    assert cost.backward == pytest.approx(0.25e9 / updates)


def test_about_a_tenth_of_the_neurons_fire():
    assert 0.03 < neurons.measure(steps=30, pooling=1, neurons=20_000, repeats=1).rate < 0.2


def test_a_wrong_number_is_a_users_mistake(capsys):
    with pytest.raises(SystemExit, match="2"):
        neurons.main(["--repeats", "0"])
    assert "expected a whole number from 1 on" in capsys.readouterr().err
