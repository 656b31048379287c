"""Norse: the LIF without a synapse (`LIFBoxCell`), or with one before the membrane (`LIF`), as this project's neurons have."""

from typing import TYPE_CHECKING, Any

from benchmarks.peers import Constants, Peer

if TYPE_CHECKING:
    from torch import Tensor

    from benchmarks.networks.peer_network import Neurons

BOX, WITH_SYNAPSE = "LIFBoxCell", "LIF"
PEER = Peer("norse", "Norse", "norse", (BOX, WITH_SYNAPSE))
STEP = 0.001
"""Norse counts time in seconds: the length of one step, its default."""


def neurons(variant: str, constants: Constants) -> "Neurons":
    """Build a layer of neurons; both variants scale their input differently from this project's."""
    import norse.torch as library
    import torch

    from benchmarks.networks.peer_network import Neurons

    membrane, synapse = torch.tensor(1 / (constants.tau_m * STEP)), torch.tensor(1 / (constants.tau_s * STEP))
    threshold = torch.tensor(constants.threshold)
    if variant == BOX:
        cell = library.LIFBoxCell(library.LIFBoxParameters(tau_mem_inv=membrane, v_th=threshold), dt=STEP)
        return Neurons(cell, _run_box, drive=constants.tau_m)
    cell = library.LIF(library.LIFParameters(tau_syn_inv=synapse, tau_mem_inv=membrane, v_th=threshold), dt=STEP)
    return Neurons(cell, lambda cell, current: cell(current)[0], drive=constants.tau_m / constants.tau_s)


def _run_box(cell: Any, current: "Tensor") -> "Tensor":
    import torch

    state, spikes = None, []
    for now in current:
        spike, state = cell(now, state)
        spikes.append(spike)
    return torch.stack(spikes)
