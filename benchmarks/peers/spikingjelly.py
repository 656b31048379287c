"""SpikingJelly: multi-step LIF nodes with the arctangent surrogate and hard reset."""

from typing import TYPE_CHECKING, Any

from benchmarks.peers import Constants, Peer

if TYPE_CHECKING:
    from torch import Tensor

    from benchmarks.networks.peer_network import Neurons

PEER = Peer("spikingjelly", "SpikingJelly", "spikingjelly", ("LIFNode", "SimpleLIFNode"))


def neurons(variant: str, constants: Constants) -> "Neurons":
    """Build a layer of neurons; `variant` is the name of the library's class."""
    from spikingjelly.activation_based import neuron, surrogate

    from benchmarks.networks.peer_network import Neurons

    cell = getattr(neuron, variant)(
        tau=float(constants.tau_m), decay_input=False, v_threshold=constants.threshold, v_reset=0.0,
        surrogate_function=surrogate.ATan(), detach_reset=True, step_mode="m",
    )  # fmt: skip
    return Neurons(cell, _run)


def _run(cell: Any, current: "Tensor") -> "Tensor":
    cell.reset()
    spikes: Tensor = cell(current)
    return spikes
