"""The names of those who are measured. Plain data, so that the process that only reports imports nothing heavy."""

import shutil
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from typing import Literal

from benchmarks.cases import Case, LayerCase

COMPILED_STEPS = 10
"""Up to this T, and not in large networks, the peers are also measured through torch.compile, which unrolls time: it takes
20 s at T = 5 and minutes at T = 30."""


@dataclass(frozen=True)
class Setting:
    """How a peer runs; the fastest of its settings is the one that is measured.

    Attributes:
        neuron: the variant of the library's LIF neuron.
        channels_last: convolutions and neurons work on (T, B, H, W, C), else on (T, B, C, H, W).
        first_once: a still image's first product is computed once, else at every step.
        compiled: the whole network goes through `torch.compile`.
    """

    neuron: str
    channels_last: bool = True
    first_once: bool = True
    compiled: bool = False

    def described(self, case: Case) -> str:
        """In words, as far as it makes a difference in a case."""
        layout = "channels last" if self.channels_last else "channels first"
        first = "first product once" if self.first_once else "first product at every step"
        parts = [self.neuron, layout if case.convolutional else "", first if case.still else "", "torch.compile" if self.compiled else ""]
        return ", ".join(part for part in parts if part)


@dataclass(frozen=True)
class Entry:
    """A contestant's name and kind.

    Attributes:
        name: on the command line and in the CSV.
        title: as the tables write it.
        kind: whose code it is.
        library: of a peer, a key of `peers.NEURONS`.
        precision: a key of `network.PRECISIONS`.
        compiled: whether a peer goes through torch.compile.
        neurons: the variants of a peer's neuron, the likeliest to be fast first.
    """

    name: str
    title: str
    kind: Literal["ours", "peer", "dense"]
    library: str = ""
    precision: str = "float32"
    compiled: bool = False
    neurons: tuple[str, ...] = ()

    @property
    def version(self) -> str | None:
        """The installed version of a peer; None: it is not installed, or no peer."""
        try:
            return version(self.library) if self.kind == "peer" else None
        except PackageNotFoundError:
            return None

    def takes_part(self, case: Case) -> bool:
        """Whether this contestant has anything to measure in a case."""
        if isinstance(case, LayerCase):
            return self.precision == "float32" and not self.compiled and (self.kind != "dense" or case.linear)
        return not self.compiled or (case.time_steps <= COMPILED_STEPS and not case.large and compiler() is not None)

    def settings(self, case: Case) -> tuple[Setting, ...]:
        """A peer's settings to try in a case, each different there, the likeliest first; none for who is no peer."""
        variants = [Setting(name, compiled=self.compiled) for name in self.neurons]
        if self.compiled or not variants:
            return tuple(variants[:1])  # to compile takes too long for more
        if case.still:
            variants.append(replace(variants[0], first_once=False))
        if case.convolutional:
            variants.append(replace(variants[0], channels_last=False))
        return tuple(variants)

    @property
    def infers(self) -> bool:
        """Whether inference is measured as well; torch.compile would take its time for it anew."""
        return self.kind != "dense" and self.precision == "float32" and not self.compiled


def compiler() -> str | None:
    """The C++ compiler that torch.compile would use on the CPU; None: there is none."""
    return next((path for name in ("c++", "g++", "clang++") if (path := shutil.which(name))), None)


LIF_NODE, SIMPLE_LIF_NODE = "LIFNode", "SimpleLIFNode"
LEAKY, LEAKY_ZERO = "Leaky (fast sigmoid, reset by subtraction)", "Leaky (arctan, reset to zero)"
LIF_BOX, LIF = "LIFBoxCell", "LIF"
_NEURONS = {"spikingjelly": (LIF_NODE, SIMPLE_LIF_NODE), "snntorch": (LEAKY, LEAKY_ZERO), "norse": (LIF_BOX, LIF)}
_TITLES = {"spikingjelly": "SpikingJelly", "snntorch": "snnTorch", "norse": "Norse"}

OURS = Entry("tsslbp", "TSSL-BP (this project)", "ours")
OURS_BF16 = Entry("tsslbp-bf16", "TSSL-BP, bf16", "ours", precision="bf16")
DENSE = Entry("dense", "dense limit", "dense")
DENSE_BF16 = Entry("dense-bf16", "dense limit, bf16", "dense", precision="bf16")
PEERS = tuple(Entry(name, title, "peer", library=name, neurons=_NEURONS[name]) for name, title in _TITLES.items())
COMPILED = tuple(replace(peer, name=f"{peer.name}-compiled", title=f"{peer.title}, torch.compile", compiled=True) for peer in PEERS)

ROSTER = {entry.name: entry for entry in (OURS, OURS_BF16, *PEERS, *COMPILED, DENSE, DENSE_BF16)}
