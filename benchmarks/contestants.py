"""Who is measured, and how each is built for a case: ours, the peers, the dense limit."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from benchmarks import dense
from benchmarks.cases import Case, LayerCase, NetworkCase
from benchmarks.inputs import Samples, load
from benchmarks.peer_network import Neurons, PeerNetwork
from benchmarks.peers import NEURONS
from benchmarks.roster import Entry, Setting
from tsslbp.method.batches import Batch
from tsslbp.method.build import build_loss, build_network
from tsslbp.method.network import PRECISIONS, SpikingNetwork
from tsslbp.method.neuron.lif import lif
from tsslbp.method.neuron.rules import Neuron
from tsslbp.method.step import make_optimizer, optimize
from tsslbp.settings import Settings

LAYER_NEURON = Neuron(tau_m=5.0, tau_s=3.0)
"""Constants of the public case's neurons, which its authors leave to each library; those of the still-image networks."""


RATE_STEPS = 50


class Contestant(Protocol):
    """One implementation of a case."""

    def train(self) -> object:
        """One step: forward and backward, and what else belongs to training in this case."""

    def infer(self) -> object:
        """One forward pass without gradients."""

    def firing_rates(self) -> tuple[float, ...]:
        """Spikes per neuron and step, a value a layer; empty where there are no neurons."""


def rehearse(entry: Entry, case: Case, setting: Setting | None) -> None:
    """Train the smallest of networks once: imports, kernels and code pages shall not count as the memory of training."""
    small = replace(case, neurons=8, time_steps=2) if isinstance(case, LayerCase) else case.smallest
    eager = replace(setting, compiled=False) if setting else None
    contestant = build(entry, small, eager, load(small) if isinstance(small, NetworkCase) else None)
    contestant.train()
    contestant.infer()


def build(entry: Entry, case: Case, setting: Setting | None, data: Samples | None) -> Contestant:
    """A contestant; `data`: the samples of a network's case."""
    torch.manual_seed(0)
    if isinstance(case, LayerCase):
        return _layer(entry, case, setting)
    if entry.kind == "dense":
        return dense.network_products(case.plan, case.time_steps * case.batch, PRECISIONS[entry.precision])
    assert data is not None
    samples, settings = data.batches, data.settings
    model = settings.models[case.model].model_copy(update={"precision": entry.precision})
    settings = settings.model_copy(update={"models": {case.model: model}})
    network = build_network(model, settings.recipe_of(case.model), settings.dataset_of(case.model), seed=0)
    if entry.kind == "ours":
        return _Training(network, network, samples, settings, case.model)
    assert setting is not None
    peer = _peer(entry, network, settings, case.model, setting)
    call = torch.compile(peer, dynamic=False) if setting.compiled else peer
    return _Training(peer, call, [(peer.prepared(x), labels) for x, labels in samples], settings, case.model)


def _peer(entry: Entry, ours: SpikingNetwork, settings: Settings, key: str, setting: Setting) -> PeerNetwork:
    make, model = NEURONS[entry.library][setting.neuron], settings.models[key]
    weights = [weight.detach() for weight in ours.parameters()]
    return PeerNetwork(ours.plan, weights, lambda: make(ours.neuron), model.time_steps, model.dropout, setting)


class _Training:
    """A network with the loss, optimizer, clipping and clamping of the protocol: the same code for ours and the peers'."""

    def __init__(self, network: nn.Module, call: Any, samples: Sequence[Batch], settings: Settings, key: str) -> None:
        self._network, self._call, self._samples, self._turn = network, call, samples, 0
        self._loss, self._shared = build_loss(settings.model(key), settings.recipe_of(key)), settings.training
        # Ours and the peers' weights alike.
        self._optimizer = make_optimizer(
            call, settings.models[key].learning_rate, betas=self._shared.betas, weight_decay=self._shared.weight_decay
        )

    def train(self) -> float:
        x, labels = self._next()
        self._network.train()
        loss, _, _ = optimize(self._call, self._loss, self._optimizer, x, labels, self._shared.clip_norm, self._shared.weight_limit)
        return loss.item()

    def infer(self) -> Tensor:
        x, _ = self._next()
        self._network.eval()
        with torch.inference_mode():
            predicted: Tensor = self._call(x).sum(0).argmax(1)
        return predicted

    def firing_rates(self) -> tuple[float, ...]:
        x, _ = self._samples[0]
        if isinstance(self._network, PeerNetwork):
            return self._network.firing_rates(x)
        assert isinstance(self._network, SpikingNetwork)
        self.infer()
        return tuple(rate.item() for rate in self._network.firing_rates)

    def _next(self) -> Batch:
        self._turn += 1
        return self._samples[self._turn % len(self._samples)]


def _layer(entry: Entry, case: LayerCase, setting: Setting | None) -> Contestant:
    if entry.kind == "dense":
        return dense.DenseLimit([dense.linear_product(case.time_steps * case.batch, case.neurons, case.neurons)])
    if entry.kind == "ours":
        return _Layer(case, None)
    assert setting is not None
    return _Layer(case, NEURONS[entry.library][setting.neuron](LAYER_NEURON))


class _Layer:
    """The public case: one product and one LIF layer; the gradient of the summed output by weight, or by the current."""

    def __init__(self, case: LayerCase, neurons: Neurons | None) -> None:
        self._case, self._neurons = case, neurons
        drive = 1.0 if neurons is None else neurons.drive
        self._x = torch.randn(case.time_steps, case.batch, case.neurons)
        if case.linear:
            self._leaf = (torch.randn(case.neurons, case.neurons) * (drive / case.neurons**0.5)).requires_grad_()
        else:
            self._leaf = self._x.mul_(drive).requires_grad_()

    def train(self) -> None:
        self._leaf.grad = None
        self._forward().sum().backward()  # type: ignore[no-untyped-call]

    @torch.no_grad()
    def infer(self) -> Tensor:
        return self._forward()

    @torch.no_grad()
    def _first_steps(self) -> Tensor:
        """The output of a few steps: the whole of it may take half a minute."""
        return self._forward(RATE_STEPS)

    def _forward(self, steps: int | None = None) -> Tensor:
        x = self._x[:steps]
        current = (x.flatten(0, 1) @ self._leaf.T).view_as(x) if self._case.linear else self._leaf[:steps]
        if self._neurons is not None:
            spikes: Tensor = self._neurons(current)
            return spikes
        return lif(current, LAYER_NEURON.tau_m, LAYER_NEURON.tau_s, LAYER_NEURON.threshold)

    def firing_rates(self) -> tuple[float, ...]:
        trace = self._first_steps()
        if self._neurons is None:  # s[t] from the trace: a[t] - (1 - 1/tau_s) a[t-1] = s[t] / tau_s
            decay = 1 - 1 / LAYER_NEURON.tau_s
            trace = (trace - decay * torch.cat([torch.zeros_like(trace[:1]), trace[:-1]])) * LAYER_NEURON.tau_s
        return (trace.mean().item(),)
