"""Builds what is measured for a case: this project, a peer on PyTorch, or the lower bound."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from benchmarks.cases import Case, LayerCase, NetworkCase
from benchmarks.networks.inputs import Samples, load
from benchmarks.networks.lower_bound import LowerBound, linear_product, network_products
from benchmarks.networks.peer_network import Neurons, PeerNetwork
from benchmarks.peers import Constants, module_of
from benchmarks.roster import Entry, Setting
from tsslbp.method.batches import Batch
from tsslbp.method.build import build_loss, build_network
from tsslbp.method.network import PRECISIONS, SpikingNetwork
from tsslbp.method.neuron.lif import lif
from tsslbp.method.step import Loss, make_optimizer, optimize
from tsslbp.settings import Settings

LAYER_NEURON = Constants(tau_m=5.0, tau_s=3.0, threshold=1.0)
"""Constants of the public case's neurons, which its authors leave to each library; those of the still-image networks."""
RATE_STEPS = 50


class Implementation(Protocol):
    """One implementation of a case."""

    def train(self) -> object:
        """Run one step: forward and backward, and what else belongs to training in this case."""

    def infer(self) -> object:
        """Run one forward pass without gradients."""

    def firing_rates(self) -> tuple[float, ...]:
        """Spikes per neuron and step, one value per layer; empty where there are no neurons."""

    @property
    def remark(self) -> str:
        """What a reader should know about how it ran; may be empty."""


def rehearse(entry: Entry, case: Case, setting: Setting | None) -> None:
    """Train the smallest of networks once, so that imports, kernels and code pages do not count as the memory of training."""
    small = replace(case, neurons=8, time_steps=2) if isinstance(case, LayerCase) else case.smallest
    eager = replace(setting, compiled=False) if setting else None
    implementation = build(entry, small, eager, load(small) if isinstance(small, NetworkCase) else None)
    implementation.train()
    implementation.infer()


def build(entry: Entry, case: Case, setting: Setting | None, data: Samples | None) -> Implementation:
    """Build an implementation; `data`: the samples of a network's case."""
    torch.manual_seed(0)
    if isinstance(case, LayerCase):
        return _layer(entry, case, setting)
    if entry.kind == "lower bound":
        return network_products(case.plan, case.batch, case.time_steps, PRECISIONS[entry.precision], entry.first_once)
    assert data is not None
    if entry.kind == "ours":
        return ours(case, data, entry.precision)
    assert setting is not None
    network = _network(case, data.settings, "float32")
    peer = _peer(entry, network, data.settings, case.model, setting)
    call = torch.compile(peer, dynamic=False) if setting.compiled else peer
    return Training(peer, call, [(peer.prepared(x), labels) for x, labels in data.batches], data.settings, case.model)


def ours(case: NetworkCase, data: Samples, precision: str = "float32") -> "Training":
    """Build this project's network of a case."""
    network = _network(case, data.settings, precision)
    training = Training(network, network, data.batches, data.settings, case.model)
    training.remark = f"products by {network.products}"
    return training


def _network(case: NetworkCase, settings: Settings, precision: str) -> SpikingNetwork:
    model = settings.models[case.model].model_copy(update={"precision": precision})
    return build_network(model, settings.recipe_of(case.model), settings.dataset_of(case.model), seed=0)


def _peer(entry: Entry, network: SpikingNetwork, settings: Settings, key: str, setting: Setting) -> PeerNetwork:
    model, neuron = settings.models[key], network.neuron
    constants = Constants(neuron.tau_m, neuron.tau_s, neuron.threshold)
    weights = [weight.detach() for weight in network.parameters()]
    return PeerNetwork(network.plan, weights, lambda: _neurons(entry, setting, constants), model.time_steps, model.dropout, setting)


def _neurons(entry: Entry, setting: Setting, constants: Constants) -> Neurons:
    assert entry.peer is not None
    layer: Neurons = module_of(entry.peer.name).neurons(setting.neuron, constants)
    return layer


class Training:
    """A network with the loss, optimizer, clipping and clamping of the protocol: the same code for this project and the peers.

    Args:
        network: has the weights.
        call: the network, or the network compiled.
        samples: batches that take turns.
        settings: what the case is trained with.
        key: the model's key in them.

    Attributes:
        network: as given.
        loss: of the output trace and the labels; may be replaced by one that watches.
    """

    remark = ""

    def __init__(self, network: nn.Module, call: Any, samples: Sequence[Batch], settings: Settings, key: str) -> None:
        self.network, self._call, self._samples, self._turn = network, call, samples, 0
        self.loss: Loss = build_loss(settings.model(key), settings.recipe_of(key))
        self._shared = settings.training
        self._optimizer = make_optimizer(
            call, settings.models[key].learning_rate, betas=self._shared.betas, weight_decay=self._shared.weight_decay
        )

    def train(self) -> float:
        """Run one training step; returns the loss."""
        x, labels = self._next()
        self.network.train()
        loss, _, _ = optimize(self._call, self.loss, self._optimizer, x, labels, self._shared.clip_norm, self._shared.weight_limit)
        return loss.item()

    def infer(self) -> Tensor:
        """Predict the classes of one batch."""
        x, _ = self._next()
        self.network.eval()
        with torch.inference_mode():
            predicted: Tensor = self._call(x).sum(0).argmax(1)
        return predicted

    def firing_rates(self) -> tuple[float, ...]:
        """Spikes per neuron and step for the first batch."""
        x, _ = self._samples[0]
        if isinstance(self.network, PeerNetwork):
            return self.network.firing_rates(x)
        assert isinstance(self.network, SpikingNetwork)
        self.infer()
        return tuple(rate.item() for rate in self.network.firing_rates)

    def _next(self) -> Batch:
        self._turn += 1
        return self._samples[self._turn % len(self._samples)]


def _layer(entry: Entry, case: LayerCase, setting: Setting | None) -> Implementation:
    if entry.kind == "lower bound":
        return LowerBound([linear_product(case.time_steps * case.batch, case.neurons, case.neurons)])
    if entry.kind == "ours":
        return _Layer(case, None)
    assert setting is not None
    return _Layer(case, _neurons(entry, setting, LAYER_NEURON))


class _Layer:
    """The public case: one product and one LIF layer; the gradient of the summed output by weight, or by the current."""

    remark = ""

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
