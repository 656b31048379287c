"""The other libraries: one module per library, found by its name in this folder.

A module defines `PEER`, which says what the library is, and `neurons(variant, constants)`, which builds a layer of its LIF neurons.
Each neuron is the library's own module, not a copy. A gradient of 1 everywhere ("straight through") is left out: it is cheap,
but it is not a surrogate of a spike's gradient. This file and the definitions of `PEER` import the standard library alone, because
processes without PyTorch and without JAX read them.
"""

import importlib
import pkgutil
from dataclasses import dataclass
from types import ModuleType
from typing import Literal


@dataclass(frozen=True)
class Peer:
    """What the benchmark has to know of a library.

    Attributes:
        name: on the command line, in the CSV, and of the module in this folder.
        title: as the tables write it.
        distribution: the package whose version is shown.
        variants: the library's LIF neurons, the likeliest to be fast first.
        unrolled: those of them that a compiler unrolls over time; they are left out where T is large, as compiling takes minutes.
        runs_on: "torch": in this project's environment; "jax": in the environment of requirements-jax.txt, under `jax.jit`.
    """

    name: str
    title: str
    distribution: str
    variants: tuple[str, ...]
    runs_on: Literal["torch", "jax"] = "torch"
    unrolled: tuple[str, ...] = ()

    @property
    def requirements(self) -> str:
        """The file that names the versions to install."""
        return "requirements-bench.txt" if self.runs_on == "torch" else "requirements-jax.txt"


@dataclass(frozen=True)
class Constants:
    """A layer's neurons: time constants in steps, and the threshold."""

    tau_m: float
    tau_s: float
    threshold: float


def module_of(name: str) -> ModuleType:
    """Import the module of a peer."""
    return importlib.import_module(f"{__name__}.{name.replace('-', '_')}")


def find_peers() -> tuple[Peer, ...]:
    """Collect the peers of this folder: those on PyTorch first, then by name."""
    peers: list[Peer] = [module_of(found.name).PEER for found in pkgutil.iter_modules(__path__)]
    return tuple(sorted(peers, key=lambda peer: (peer.runs_on != "torch", peer.name)))
