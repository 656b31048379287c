"""What is measured: the networks of params.yaml, the field's public case of one layer, and the sweeps over T, batch and width.

A case is plain data: it travels to the worker processes, which build networks from it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod

from tsslbp.architecture import Convolution, PlannedLayer, plan_network
from tsslbp.settings import Settings, SettingsError

NETWORKS = ("fashion-mlp", "mnist-cnn", "fashion-cnn", "nmnist-cnn-t30", "nmnist-cnn-t100", "cifar10-cnn")
"""The models of params.yaml that are measured unless the command line names others."""

ROW, ROW_MODEL = "row-of-the-table", "mnist-cnn"
"""The case of a whole row of the results table, see row_of_table.py, and its model."""

LAYER_SIZES = (512, 16384)
LAYER_BATCH, LAYER_STEPS = 16, 500
"""Sizes, batch and T of the public case: G. Lenz et al., "Spiking Neural Network (SNN) Library Benchmarks", Open
Neuromorphic, 2023: one linear layer n -> n and one LIF layer, forward and backward."""
HEAVY_NEURONS = 8192
LARGE_OPERATIONS = 3e11
"""Operations of a training step that takes a few seconds on two cores."""


@dataclass(frozen=True)
class NetworkCase:
    """Training and inference of one model of the settings.

    Attributes:
        name: as in the tables.
        settings: the whole of the settings.
        model: the model's key in them.
        real_data: whether to take samples from data/processed where they are; otherwise they are synthetic.
    """

    heavy = False

    name: str
    settings: Settings
    model: str
    real_data: bool = True

    @property
    def batch(self) -> int:
        """Samples per step."""
        return self.settings.models[self.model].batch_size

    @property
    def time_steps(self) -> int:
        """T."""
        return self.settings.models[self.model].time_steps

    @property
    def title(self) -> str:
        """Its description for a reader."""
        model = self.settings.models[self.model]
        return f"{model.architecture}, T = {model.time_steps}, batch {model.batch_size}"

    @property
    def large(self) -> bool:
        """Whether a step takes seconds."""
        return self.operations(training=True) >= LARGE_OPERATIONS

    @property
    def trial(self) -> "NetworkCase":
        """The case in which the settings of a peer are compared: a large one with a fifth of its batch."""
        if not self.large:
            return self
        model = self.settings.models[self.model]
        return changed(self.settings, self.model, self.name, {"batch_size": max(1, model.batch_size // 5)}, self.real_data)

    @property
    def smallest(self) -> "NetworkCase":
        """A case with every kind of layer that takes next to no memory."""
        update = {"architecture": "2C3-P2-4", "padding": 1, "batch_size": 1}
        return changed(self.settings, self.model, self.name, update)

    @property
    def still(self) -> bool:
        """Whether samples are still images, whose first product need not be repeated."""
        return not self.settings.datasets[self.settings.models[self.model].dataset].is_events

    @property
    def convolutional(self) -> bool:
        """Whether there are convolutions, so that the order of axes matters."""
        return any(isinstance(layer.spec, Convolution) for layer in self.plan)

    @property
    def plan(self) -> tuple[PlannedLayer, ...]:
        """The network's layers."""
        model = self.settings.models[self.model]
        dataset = self.settings.datasets[model.dataset]
        return plan_network(model.architecture, dataset.shape, dataset.classes, model.padding)

    def operations(self, training: bool) -> int:
        """Floating-point operations of the lower bound: two for a multiplication with its addition, each at all T·B samples.

        Training takes three products per layer, one forward and one for each gradient; the first layer's input needs none.
        """
        total = 0
        for index, layer in enumerate(self.plan):
            inputs = layer.input_shape[0] * (layer.spec.kernel**2 if isinstance(layer.spec, Convolution) else 1)
            passes = 1 if not training else 2 if index == 0 else 3
            total += passes * 2 * inputs * prod(layer.neuron_shape)
        return total * self.time_steps * self.batch


@dataclass(frozen=True)
class LayerCase:
    """The public case: one linear layer and one LIF layer of `neurons`, or the LIF layer alone.

    Attributes:
        name: as in the tables.
        neurons: n.
        linear: whether the product n -> n is part of it.
        batch: samples per step.
        time_steps: T.
    """

    name: str
    neurons: int
    linear: bool
    batch: int = LAYER_BATCH
    time_steps: int = LAYER_STEPS

    still, convolutional = False, False

    @property
    def heavy(self) -> bool:
        """Whether a step takes so long and so much memory that processes come one after the other, without a warm-up."""
        return self.linear and self.neurons > HEAVY_NEURONS

    @property
    def title(self) -> str:
        """Its description for a reader."""
        what = f"linear {self.neurons:,} → {self.neurons:,} and LIF" if self.linear else f"LIF alone, {self.neurons:,} neurons"
        return f"{what}, T = {self.time_steps}, batch {self.batch}"

    @property
    def trial(self) -> "LayerCase":
        """The case in which the settings of a peer are compared: the LIF layer, all that they are about."""
        return replace(self, linear=False)

    def operations(self, training: bool) -> int:
        """Floating-point operations of the lower bound, which in training passes no gradient to the input."""
        products = (2 if training else 1) if self.linear else 0
        return products * 2 * self.neurons**2 * self.time_steps * self.batch


Case = NetworkCase | LayerCase


@dataclass(frozen=True)
class Sweep:
    """Cases that differ in one number.

    Attributes:
        name: as in the tables.
        axis: what the number is.
        points: the number and its case, in rising order.
        linear: whether the cost should grow in proportion.
    """

    name: str
    axis: str
    points: tuple[tuple[int, NetworkCase], ...]
    linear: bool = True


def layer_cases() -> tuple[LayerCase, ...]:
    """The public case in both sizes, and its LIF layer alone."""
    return tuple(
        LayerCase(f"{'linear-' if linear else ''}lif-{neurons}", neurons, linear) for neurons in LAYER_SIZES for linear in (True, False)
    )


def sweeps(settings: Settings, quick: bool = False) -> tuple[Sweep, ...]:
    """T and batch for the N-MNIST network, width for the MNIST network; as far as the settings have them."""
    found: list[Sweep] = []
    if "nmnist-cnn-t30" in settings.models:
        steps = (5, 10, 20) if quick else (5, 10, 20, 50, 100, 200)
        batches = (1, 5) if quick else (1, 5, 10, 25, 50, 100)
        found += [
            _sweep(settings, "scaling-time", "T", "nmnist-cnn-t30", steps, "time_steps"),
            _sweep(settings, "scaling-batch", "batch", "nmnist-cnn-t30", batches, "batch_size"),
        ]
    if "mnist-cnn" in settings.models:
        points = tuple(
            (percent, changed(settings, "mnist-cnn", f"scaling-width-{percent}", {"architecture": _widened(percent)}))
            for percent in ((25, 50) if quick else (25, 50, 100, 200, 400))
        )
        found.append(Sweep("scaling-width", "width, %", points, linear=False))
    return tuple(found)


def _sweep(settings: Settings, name: str, axis: str, model: str, values: Sequence[int], field: str) -> Sweep:
    return Sweep(name, axis, tuple((value, changed(settings, model, f"{name}-{value}", {field: value})) for value in values))


def _widened(percent: int) -> str:
    """15C5-P2-40C5-P2-300, with this share of its channels and neurons."""
    first, second, dense = (max(1, round(width * percent / 100)) for width in (15, 40, 300))
    return f"{first}C5-P2-{second}C5-P2-{dense}"


def changed(settings: Settings, model: str, name: str, update: Mapping[str, object], real_data: bool = False) -> NetworkCase:
    """The case of a model with some of its settings changed."""
    altered = settings.models[model].model_copy(update=update)
    return NetworkCase(name, settings.model_copy(update={"models": {model: altered}}), model, real_data)


def network_cases(settings: Settings, names: Sequence[str]) -> tuple[NetworkCase, ...]:
    """The cases of these models."""
    return tuple(NetworkCase(name, settings, name) for name in names)


@dataclass(frozen=True)
class Choice:
    """What to measure: cases, sweeps, and whether the row of the table is among it."""

    cases: tuple[Case, ...]
    sweeps: tuple[Sweep, ...]
    row: bool


def chosen(settings: Settings, names: Sequence[str] | None, quick: bool) -> Choice:
    """Choose the cases and sweeps of these names; None: all.

    Raises:
        SettingsError: an unknown name; the message lists the known ones.
    """
    layers, all_sweeps = {case.name: case for case in layer_cases()}, {sweep.name: sweep for sweep in sweeps(settings, quick)}
    rows = [ROW] if ROW_MODEL in settings.models else []
    if names is None:
        names = [*(name for name in NETWORKS if name in settings.models), *layers, *all_sweeps, *rows]
    allowed = [*settings.models, *layers, *all_sweeps, *rows]
    unknown = [name for name in names if name not in allowed]
    if unknown:
        raise SettingsError(f"--cases: unknown {', '.join(unknown)}; allowed: {', '.join(allowed)}")
    cases: list[Case] = [*network_cases(settings, [name for name in names if name in settings.models])]
    cases += [layers[name] for name in names if name in layers]
    return Choice(tuple(cases), tuple(all_sweeps[name] for name in names if name in all_sweeps), ROW in names)
