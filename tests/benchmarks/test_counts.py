"""What the benchmark counts, and what it measures with."""

from types import SimpleNamespace

import pytest
import torch

from benchmarks.cases import changed, chosen, layer_cases, sweeps
from benchmarks.networks import inputs
from benchmarks.networks.peer_network import Neurons, PeerNetwork
from benchmarks.processes.commands import Commands
from benchmarks.roster import ROSTER, Setting
from tests.benchmarks.builders import small
from tsslbp.architecture import plan_network
from tsslbp.method.network import SpikingNetwork
from tsslbp.method.neuron.rules import POOLING_GAIN
from tsslbp.settings import SettingsError

# What is chosen


def test_every_network_and_layer_case_is_measured_by_default(settings):
    found = chosen(settings, None, quick=False)
    titles = [case.title for case in found.cases]
    for architecture in (
        "400-400",
        "15C5-P2-40C5-P2-300",
        "32C5-P2-64C5-P2-1024",
        "12C5-P2-64C5-P2, T = 30",
        "12C5-P2-64C5-P2, T = 100",
        "96C3-",
    ):
        assert any(architecture in title for title in titles), architecture
    assert {(case.neurons, case.batch, case.time_steps) for case in layer_cases()} == {(512, 16, 500), (16384, 16, 500)}
    assert [value for value, _ in found.sweeps[0].points] == [5, 10, 20, 50, 100, 200]
    assert found.row


def test_an_unknown_case_is_refused_with_the_list_of_known_ones(settings):
    with pytest.raises(SettingsError, match=r"unknown nonesuch; allowed: .*mnist-cnn.*linear-lif-512.*scaling-time"):
        chosen(settings, ["nonesuch"], quick=False)


def test_a_sweep_changes_its_number_alone(settings):
    (time,) = [sweep for sweep in sweeps(settings) if sweep.name == "scaling-time"]
    models = [case.settings.models[case.model] for _, case in time.points]
    assert [model.time_steps for model in models] == [value for value, _ in time.points]
    assert len({model.model_copy(update={"time_steps": 1}) for model in models}) == 1


# Samples


def test_synthetic_images_are_normalized_and_mostly_black(settings):
    case = small(settings, batch_size=20)
    x, labels = inputs.load(case).batches[0]
    dataset = settings.datasets["mnist"]
    pixels = x * dataset.std[0] + dataset.mean[0]
    assert x.shape == (20, *dataset.shape)
    assert labels.max() < dataset.classes
    assert -1e-5 < pixels.min() < 1e-5
    assert float((pixels > 1e-5).float().mean()) == pytest.approx(inputs.INK, abs=0.02)


def test_synthetic_events_are_as_sparse_as_real_ones_and_wake_the_network(settings):
    case = changed(settings, "nmnist-cnn-t30", "events", {"batch_size": 10})
    samples = inputs.load(case)
    x, _ = samples.batches[0]
    assert x.shape == (30, 10, 2, 34, 34)
    assert x.dtype == torch.uint8
    assert x.movedim(-3, -1).is_contiguous()
    assert float(x.float().mean()) == pytest.approx(inputs.EVENT_DENSITY, rel=0.1)
    assert x[-1].sum() == 0
    model = samples.settings.models[case.model]
    network = SpikingNetwork(
        model.architecture, (2, 34, 34), tau_m=model.tau_m, tau_s=model.tau_s, padding=model.padding, conv_gain=model.conv_gain,
        generator=torch.Generator().manual_seed(0),
    )  # fmt: skip
    network(x)
    assert all(0.002 < rate < 0.5 for rate in network.firing_rates)


# Peers, without the libraries: neurons that pass their current on


@pytest.mark.parametrize("first_once", [True, False])
@pytest.mark.parametrize("channels_last", [True, False])
def test_a_peer_network_computes_the_same_layers_in_every_layout(channels_last, first_once):
    torch.manual_seed(0)
    plan = plan_network("3C3-P2-4C3-5", (2, 6, 6), 4, 1)
    network = SpikingNetwork("3C3-P2-4C3-5", (2, 6, 6), classes=4, padding=1)
    weights = [weight.detach() for weight in network.parameters()]
    # The order of features before the first dense layer is free: one value for all weights of a neuron makes it irrelevant.
    weights[2] = weights[2].mean(1, keepdim=True).expand_as(weights[2])
    peer = PeerNetwork(
        plan,
        weights,
        lambda: Neurons(torch.nn.Identity(), lambda cell, current: cell(current)),
        5,
        0.0,
        Setting("", channels_last, first_once),
    )
    x = torch.randn(3, 2, 6, 6)
    hidden = torch.nn.functional.conv2d(x, weights[0], padding=1)
    hidden = torch.nn.functional.conv2d(torch.nn.functional.avg_pool2d(hidden, 2) * 4 * POOLING_GAIN, weights[1], padding=1)
    expected = hidden.flatten(1) @ weights[2].T @ weights[3].T
    torch.testing.assert_close(peer(peer.prepared(x)), expected.expand(5, 3, 4), rtol=1e-4, atol=1e-5)


def test_every_name_on_the_roster_is_its_own():
    assert all(name == entry.name for name, entry in ROSTER.items())
    assert len({entry.title for entry in ROSTER.values()}) == len(ROSTER)


@pytest.mark.parametrize(("later", "compared"), [((0.01, 0.02), 4), ((2.0, 3.0), 2), ((0.01, 3.0), 2)])
def test_settings_are_compared_by_steps_after_the_first_which_compiles(monkeypatch, later, compared):
    """The first call of a step takes a minute here, whichever setting it is of."""
    monkeypatch.setattr("benchmarks.processes.commands.timed", lambda step, _: step())
    calls = dict.fromkeys(("one", "other"), 0)

    def make(setting, _):
        def step():
            calls[setting] += 1
            return 60.0 if calls[setting] == 1 else dict(zip(calls, later, strict=True))[setting]

        return SimpleNamespace(train=step)

    assert Commands(make, None, "", compiled=True).trial(["one", "other"]) == list(later)
    assert set(calls.values()) == {1 + compared}
