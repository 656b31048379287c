"""TSSL-BP: temporal spike sequence learning via backpropagation (Zhang & Li, NeurIPS 2020, arXiv 2002.10085).

The public names are imported when they are first used, so that `import tsslbp` costs nothing:

>>> import torch, tsslbp
>>> network = tsslbp.SpikingNetwork("20-20", input_shape=(1, 8, 8), classes=10)
>>> network(torch.rand(3, 1, 8, 8)).shape  # (time steps, batch, classes)
torch.Size([5, 3, 10])
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

# PyTorch and Numba each keep a pool of threads. By default, an idle thread spins for milliseconds before it sleeps, and takes the
# core away from the other pool or from whatever else runs: on a busy machine that made training ten times slower. GNU OpenMP
# reads this variable when PyTorch is first imported; a value that is already set stays. It is a compromise, see docs/speed.md:
# `GOMP_SPINCOUNT=20000 python -m benchmarks --cases fashion-mlp --implementations tsslbp` is 1.3 times as fast on two idle cores, and
# less than half as fast beside two trainings. One thread, the default of a seed, waits for nobody.
os.environ.setdefault("GOMP_SPINCOUNT", "2000")

if TYPE_CHECKING:
    from tsslbp import architecture, data, engines, export, method, report, settings, storage, tracking
    from tsslbp import figures as figures
    from tsslbp.method.build import load_network
    from tsslbp.method.losses.count import CountLoss
    from tsslbp.method.losses.kernel import KernelLoss
    from tsslbp.method.network import SpikingNetwork
    from tsslbp.method.neuron.lif import LIF, lif
    from tsslbp.method.neuron.synapse import spikes_of, synaptic_filter
    from tsslbp.method.step import evaluate, make_optimizer, train_step

__version__ = "1.0.0"
__all__ = [
    "LIF",
    "CountLoss",
    "KernelLoss",
    "SpikingNetwork",
    "architecture",
    "data",
    "engines",
    "evaluate",
    "export",
    "lif",
    "load_network",
    "make_optimizer",
    "method",
    "report",
    "settings",
    "spikes_of",
    "storage",
    "synaptic_filter",
    "tracking",
    "train_step",
]
_PLOTS = "figures"
"""The package that needs an extra, Matplotlib: not in `__all__`, so that `help(tsslbp)` works without."""

_HOMES = {
    "LIF": "tsslbp.method.neuron.lif",
    "lif": "tsslbp.method.neuron.lif",
    "spikes_of": "tsslbp.method.neuron.synapse",
    "synaptic_filter": "tsslbp.method.neuron.synapse",
    "SpikingNetwork": "tsslbp.method.network",
    "KernelLoss": "tsslbp.method.losses.kernel",
    "CountLoss": "tsslbp.method.losses.count",
    "make_optimizer": "tsslbp.method.step",
    "train_step": "tsslbp.method.step",
    "evaluate": "tsslbp.method.step",
    "load_network": "tsslbp.method.build",
}
"""The module that defines each public name. The other names of `__all__` are modules of this package."""


def __getattr__(name: str) -> Any:
    """Import a public name on its first use (PEP 562)."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    if name in (*__all__, _PLOTS):
        return import_module(f"tsslbp.{name}")
    raise AttributeError(f"module 'tsslbp' has no attribute {name!r}")


def __dir__() -> list[str]:
    """All names, the ones not yet imported among them."""
    return sorted({*globals(), *__all__})
