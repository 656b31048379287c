"""A trained network as a graph of the Neuromorphic Intermediate Representation (NIR), which other libraries and chips read.

NIR describes neurons by differential equations. A reader that integrates them by Euler's method, with the step that the graph was
made for, computes the recurrences of docs/method.md: with dt / tau_syn = 1/τs, dt / tau_mem = 1/τm and R = τm, a CubaLIF neuron is

    I[t] = (1 - 1/τs) I[t-1] + input[t] / τs        the traces' weighted sum: filter and weights commute
    v[t] = (1 - 1/τm) v[t-1] + I[t]                 a spike where v > θ, and v = 0 after it

So nodes pass spikes on where our layers pass traces, and a still image enters anew at every step. Pooling sums, times a gain that NIR's pooling lacks: it is in the weights that follow.
Source: Pedersen et al., "Neuromorphic intermediate representation", Nature Communications 15, 8122 (2024).
"""

import io
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

import numpy as np

from tsslbp.architecture import Convolution, PlannedLayer
from tsslbp.arguments import choice
from tsslbp.method.network import SpikingNetwork
from tsslbp.method.neuron.rules import POOLING_GAIN
from tsslbp.storage.files import whole_file

if TYPE_CHECKING:
    import nir
    from torch import Tensor

ReadOut = Literal["spikes", "trace"]
STEP_SECONDS = 1e-3
"""What a time step stands for unless one says otherwise: the step of Norse's reader."""
Nodes = Iterator[tuple[str, "nir.NIRNode"]]


def nir_graph(
    network: SpikingNetwork, step: float = STEP_SECONDS, read_out: ReadOut = "trace", about: dict[str, Any] | None = None
) -> "nir.NIRGraph":
    """Describe a network as a graph of NIR.

    Args:
        network: a trained network.
        step: seconds that a time step stands for.
        read_out: "trace": the graph ends with the output neurons' synaptic traces, whose sums over time are the scores; "spikes": with
            the output neurons, for readers that know no leaky integrator.
        about: further entries of the graph's metadata: numbers, strings, or arrays of numbers.

    Raises:
        ModuleNotFoundError: the package nir is not installed.
        ValueError: the step is not positive, the read-out is another word, or the network's products are not in float32.

    Example:
        >>> network = SpikingNetwork("4C3-P2-20", input_shape=(1, 8, 8))
        >>> list(nir_graph(network).nodes)[:5]  # doctest: +SKIP
        ['input', 'weights_1', 'neurons_1', 'pooling_1', 'flatten_2']
    """
    import nir

    choice("read_out", read_out, get_args(ReadOut))
    if not 0 < step < float("inf"):
        raise ValueError(f"step {step}: a time step stands for a positive number of seconds")
    if str(network.precision) != "torch.float32":
        raise ValueError(f"precision {network.precision}: NIR has float32 alone")
    nodes = dict([("input", nir.Input(np.array(network.input_shape))), *_layers(network, step)])
    classes = np.array([network.plan[-1].neuron_shape[0]])
    if read_out == "trace":
        nodes["read_out"] = nir.LI(tau=np.full(classes, network.neuron.tau_s * step), r=np.ones(classes), v_leak=np.zeros(classes))
    nodes["output"] = nir.Output(classes)
    names = list(nodes)
    graph = nir.NIRGraph(nodes, list(pairwise(names)))
    graph.metadata = {"step_seconds": step, "time_steps": network.time_steps, "tau_s_steps": network.neuron.tau_s, **(about or {})}
    return graph


def _layers(network: SpikingNetwork, step: float) -> Nodes:
    """The nodes of every layer: flattening before the first dense one, weights, neurons, pooling."""
    import nir

    shape, gain = network.input_shape, 1.0
    for number, (planned, layer) in enumerate(zip(network.plan, network.layers, strict=True), start=1):
        # Not the parameter: of a pruned layer that is the weight from before.
        weight = cast("Tensor", layer.weight).detach().cpu().float().contiguous().numpy() * np.float32(gain)
        if isinstance(planned.spec, Convolution):
            no_bias = np.zeros(len(weight), np.float32)
            yield f"weights_{number}", nir.Conv2d(shape[1:], weight, 1, planned.padding, 1, 1, no_bias)
        else:
            if len(shape) == 3:
                # Counted from the end, so that it holds with and without a dimension of samples in front.
                yield f"flatten_{number}", nir.Flatten(np.array(shape), start_dim=-3, end_dim=-1)
            yield f"weights_{number}", nir.Linear(weight)
        shape = planned.output_shape if isinstance(planned.spec, Convolution) else planned.output_shape[:1]
        yield f"neurons_{number}", _neurons(network, planned, step)
        gain = POOLING_GAIN if planned.pooling > 1 else 1.0
        if planned.pooling > 1:
            window = np.full(2, planned.pooling)
            yield f"pooling_{number}", nir.SumPool2d(window, window, np.zeros(2, np.int64))


def _neurons(network: SpikingNetwork, planned: PlannedLayer, step: float) -> "nir.CubaLIF":
    import nir

    shape = planned.neuron_shape if isinstance(planned.spec, Convolution) else planned.neuron_shape[:1]
    neuron = network.neuron

    def everywhere(value: float) -> Any:
        return np.full(shape, value, np.float32)

    return nir.CubaLIF(
        tau_syn=everywhere(neuron.tau_s * step),
        tau_mem=everywhere(neuron.tau_m * step),
        r=everywhere(neuron.tau_m),
        v_leak=everywhere(0),
        v_threshold=everywhere(neuron.threshold),
        v_reset=everywhere(0),
        w_in=everywhere(1),
    )


def write_nir(path: Path, graph: "nir.NIRGraph") -> None:
    """Write a graph, whole or not at all."""
    import nir

    content = io.BytesIO()  # by way of memory: HDF5 locks its file, which is locked already
    nir.write(content, graph)
    with whole_file(path) as partial:
        partial.write_bytes(content.getvalue())
