"""snnTorch: the Leaky neuron, as its authors set it, or with the surrogate and reset that are closest to the other libraries'."""

from typing import TYPE_CHECKING, Any

from benchmarks.peers import Constants, Peer

if TYPE_CHECKING:
    from torch import Tensor

    from benchmarks.networks.peer_network import Neurons

BY_SUBTRACTION, TO_ZERO = "Leaky (fast sigmoid, reset by subtraction)", "Leaky (arctan, reset to zero)"
PEER = Peer("snntorch", "snnTorch", "snntorch", (BY_SUBTRACTION, TO_ZERO))


def neurons(variant: str, constants: Constants) -> "Neurons":
    """Build a layer of neurons."""
    import snntorch
    from snntorch import surrogate

    from benchmarks.networks.peer_network import Neurons

    gradient, reset = (surrogate.fast_sigmoid(), "subtract") if variant == BY_SUBTRACTION else (surrogate.atan(), "zero")
    cell = snntorch.Leaky(1 - 1 / constants.tau_m, threshold=constants.threshold, spike_grad=gradient, reset_mechanism=reset)
    return Neurons(cell, _run)


def _run(cell: Any, current: "Tensor") -> "Tensor":
    import torch

    membrane, spikes = torch.zeros_like(current[0]), []
    for now in current:
        spike, membrane = cell(now, membrane)
        spikes.append(spike)
    return torch.stack(spikes)
