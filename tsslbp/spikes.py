"""Looking into a network: which neuron of which layer spikes when."""

from typing import Any

import torch
from torch import Tensor

from tsslbp.method.network import SpikingNetwork
from tsslbp.method.neuron.reference import membrane_and_trace


@torch.inference_mode()
def layer_spikes(network: SpikingNetwork, events: Tensor) -> list[Tensor]:
    """The spikes of every layer of neurons while the network looks at events.

    Args:
        network: in evaluation mode.
        events: (T, B, C, H, W) of 0 and 1.

    Returns:
        For each layer (T, B, neurons) of bool, from the input's side on.

    Raises:
        ValueError: the input has no time: a still image, or another shape than the network's.
    """
    if events.dim() != 5:
        raise ValueError(f"events of shape {tuple(events.shape)}: expected (T, B, C, H, W)")
    currents: list[Tensor] = []

    def keep(_layer: Any, _inputs: Any, current: Tensor) -> None:
        currents.append(current)

    hooks = [layer.register_forward_hook(keep) for layer in network.layers]
    try:
        network(events)
    finally:
        for hook in hooks:
            hook.remove()
    potentials = (membrane_and_trace(current, network.neuron)[0] for current in currents)
    return [(u > network.neuron.threshold).flatten(2) for u in potentials]
