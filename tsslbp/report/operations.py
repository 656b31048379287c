"""Synaptic operations per inference: what a network's spikes cost on hardware that computes only when a spike arrives.

Definition: every spike that enters a layer costs one addition for each connection that it reaches (its fan-out). Summed over
layers and time steps:

    SynOps = sum over layers of (spikes that enter the layer in one inference) x (mean fan-out of one of its inputs)

after the "synaptic operations" of Merolla et al., "A million spiking-neuron integrated circuit with a scalable communication
network and interface", Science 345, 2014, and Rueckauer et al., "Conversion of continuous-valued deep networks to efficient
event-driven networks for image classification", Frontiers in Neuroscience 11, 2017. A pooled input passes on the spikes of its whole
window, and each of them counts. A still image enters as numbers rather than spikes: its first layer costs dense
multiply-accumulates, once per inference, as the image does not change over time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from statistics import fmean

from tsslbp.architecture import Convolution, PlannedLayer, plan_network
from tsslbp.settings import Dataset
from tsslbp.storage.records import Epoch, ModelRecord


@dataclass(frozen=True)
class Operations:
    """Per inference: additions that spikes cause, and the dense multiply-accumulates of a still image's first layer."""

    synaptic: float
    dense: int


def operations_of(record: ModelRecord, dataset: Dataset) -> Operations | None:
    """Operations after the last epoch, mean over the seeds; None where the record does not hold what is needed.

    Args:
        record: its settings give the network; its last epochs, the firing rates.
        dataset: its kind; and its shape and classes, where the record is older than these fields.
    """
    plan = _plan(record, dataset)
    last = [seed.history[-1] for seed in record.seeds]
    if plan is None or not last or any(len(epoch.firing_rates) != len(plan) for epoch in last):
        return None
    rates = [fmean(epoch.firing_rates[layer] for epoch in last) for layer in range(len(plan))]
    steps = int(record.settings["time_steps"])
    if not dataset.is_events:
        return Operations(synaptic_operations(plan, rates, steps), connections(plan[0]))
    input_rate = _input_rate(last)
    return None if input_rate is None else Operations(synaptic_operations(plan, rates, steps, input_rate), 0)


def _plan(record: ModelRecord, dataset: Dataset) -> tuple[PlannedLayer, ...] | None:
    settings = record.settings
    if not {"architecture", "padding", "time_steps"} <= settings.keys():
        return None
    padding = settings["padding"]
    shape, classes = record.data.shape or dataset.shape, record.data.classes or dataset.classes
    return plan_network(str(settings["architecture"]), shape, classes, padding if isinstance(padding, int) else list(padding))


def _input_rate(last: Sequence[Epoch]) -> float | None:
    """Ones per input cell and step; None where a seed has not recorded it."""
    rates = [epoch.input_rate for epoch in last]
    known = [rate for rate in rates if rate is not None]
    return fmean(known) if len(known) == len(rates) else None


def synaptic_operations(plan: Sequence[PlannedLayer], rates: Sequence[float], time_steps: int, input_rate: float | None = None) -> float:
    """Additions that spikes cause in one inference.

    Args:
        plan: the network's layers, the output layer included.
        rates: spikes per neuron and step of each of them, before pooling.
        time_steps: of the simulation.
        input_rate: spikes per input cell and step; None for a still image, whose first layer no spike enters.
    """
    entering = [rate * prod(layer.neuron_shape) * time_steps for rate, layer in zip(rates[:-1], plan[:-1], strict=True)]
    total = sum(spikes * fan_out(layer) for spikes, layer in zip(entering, plan[1:], strict=True))
    if input_rate is None:
        return total
    return total + input_rate * prod(plan[0].input_shape) * time_steps * fan_out(plan[0])


def fan_out(layer: PlannedLayer) -> float:
    """How many neurons an input of the layer reaches, mean over its inputs: those at an edge reach fewer through a kernel."""
    return connections(layer) / prod(layer.input_shape)


def connections(layer: PlannedLayer) -> int:
    """Pairs of an input and a neuron that a weight joins; zeros of the padding are no inputs."""
    if not isinstance(layer.spec, Convolution):
        return prod(layer.input_shape) * layer.spec.neurons
    channels = layer.input_shape[0] * layer.spec.channels
    return channels * prod(_reached(size, layer.spec.kernel, layer.padding) for size in layer.input_shape[1:])


def _reached(size: int, kernel: int, padding: int) -> int:
    """Pairs of an input and an output along one side of an image."""
    outputs = size + 2 * padding - kernel + 1
    return sum(max(0, min(start + kernel, size) - max(start, 0)) for start in range(-padding, outputs - padding))
