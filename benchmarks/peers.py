"""The other libraries, one small adapter each: their own LIF neuron with its surrogate gradient.

They are imported where their neurons are built, so that a missing one is no error. Each neuron is the library's own module,
not a copy. A gradient of 1 everywhere ("straight through") is left out: it is cheap, but no surrogate of a spike's.
"""

import importlib
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from benchmarks.peer_network import Neurons
from benchmarks.roster import LEAKY, LEAKY_ZERO, LIF, LIF_BOX, LIF_NODE, SIMPLE_LIF_NODE
from tsslbp.method.neuron.rules import Neuron

STEP = 0.001
"""Norse counts time in seconds: the length of one step, its default."""


def _spikingjelly(kind: str) -> Callable[[Neuron], Neurons]:
    def build(neuron: Neuron) -> Neurons:
        library = importlib.import_module("spikingjelly.activation_based.neuron")
        surrogate = importlib.import_module("spikingjelly.activation_based.surrogate").ATan()
        cell = getattr(library, kind)(
            tau=float(neuron.tau_m), decay_input=False, v_threshold=neuron.threshold, v_reset=0.0,
            surrogate_function=surrogate, detach_reset=True, step_mode="m",
        )  # fmt: skip
        return Neurons(cell, _run_spikingjelly)

    return build


def _run_spikingjelly(cell: Any, current: Tensor) -> Tensor:
    cell.reset()
    spikes: Tensor = cell(current)
    return spikes


def _snntorch(surrogate: str, reset: str) -> Callable[[Neuron], Neurons]:
    def build(neuron: Neuron) -> Neurons:
        gradient = getattr(importlib.import_module("snntorch.surrogate"), surrogate)()
        leaky = importlib.import_module("snntorch").Leaky
        cell = leaky(1 - 1 / neuron.tau_m, threshold=neuron.threshold, spike_grad=gradient, reset_mechanism=reset)
        return Neurons(cell, _run_snntorch)

    return build


def _run_snntorch(cell: Any, current: Tensor) -> Tensor:
    membrane, spikes = torch.zeros_like(current[0]), []
    for now in current:
        spike, membrane = cell(now, membrane)
        spikes.append(spike)
    return torch.stack(spikes)


def _norse_lif(neuron: Neuron) -> Neurons:
    """Norse's LIF has a synapse before the membrane, as ours has; both scale their input differently from ours."""
    library = importlib.import_module("norse.torch")
    inverses = {"tau_syn_inv": 1 / (neuron.tau_s * STEP), "tau_mem_inv": 1 / (neuron.tau_m * STEP), "v_th": neuron.threshold}
    parameters = library.LIFParameters(**{name: torch.tensor(value) for name, value in inverses.items()})
    return Neurons(library.LIF(parameters, dt=STEP), lambda cell, current: cell(current)[0], drive=neuron.tau_m / neuron.tau_s)


def _norse_box(neuron: Neuron) -> Neurons:
    """The LIF without a synapse."""
    library = importlib.import_module("norse.torch")
    parameters = library.LIFBoxParameters(tau_mem_inv=torch.tensor(1 / (neuron.tau_m * STEP)), v_th=torch.tensor(neuron.threshold))
    return Neurons(library.LIFBoxCell(parameters, dt=STEP), _run_norse_box, drive=neuron.tau_m)


def _run_norse_box(cell: Any, current: Tensor) -> Tensor:
    state, spikes = None, []
    for now in current:
        spike, state = cell(now, state)
        spikes.append(spike)
    return torch.stack(spikes)


NEURONS: dict[str, dict[str, Callable[[Neuron], Neurons]]] = {
    "spikingjelly": {LIF_NODE: _spikingjelly("LIFNode"), SIMPLE_LIF_NODE: _spikingjelly("SimpleLIFNode")},
    "snntorch": {LEAKY: _snntorch("fast_sigmoid", "subtract"), LEAKY_ZERO: _snntorch("atan", "zero")},
    "norse": {LIF_BOX: _norse_box, LIF: _norse_lif},
}
"""By library and variant: what makes a layer's neurons."""
