"""The names of what is measured. Plain data, so that the process that only reports imports nothing heavy."""

import shutil
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, distributions, version
from typing import Literal

from benchmarks import ROOT
from benchmarks.cases import Case, LayerCase
from benchmarks.peers import Peer, find_peers

COMPILED_STEPS = 10
"""Up to this T, and not in large networks, the peers are also measured through torch.compile, which unrolls time: it takes
20 s at T = 5 and minutes at T = 30. Up to this T, peers on JAX are tried with their steps unrolled."""
JAX_ENVIRONMENT = ROOT / ".venv-jax"
"""Where `make bench` installs requirements-jax.txt."""


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
        """Describe the setting in words, as far as it makes a difference in a case."""
        layout = "channels last" if self.channels_last else "channels first"
        first = "first product once" if self.first_once else "first product at every step"
        parts = [self.neuron, layout if case.convolutional else "", first if case.still else "", "torch.compile" if self.compiled else ""]
        return ", ".join(part for part in parts if part)


@dataclass(frozen=True)
class Entry:
    """An implementation's name and kind.

    Attributes:
        name: on the command line and in the CSV.
        title: as the tables write it.
        kind: this project, a peer, or the products alone.
        peer: the library of a peer.
        precision: a key of `network.PRECISIONS`.
        compiled: whether a peer goes through `torch.compile`.
        first_once: whether the lower bound computes a still image's first product once.
    """

    name: str
    title: str
    kind: Literal["ours", "peer", "lower bound"]
    peer: Peer | None = None
    precision: str = "float32"
    compiled: bool = False
    first_once: bool = False

    @property
    def version(self) -> str | None:
        """The installed version of a peer; None: it is not installed, or this is not a peer."""
        if self.peer is None:
            return None
        try:
            return _jax_version(self.peer.distribution) if self.on_jax else version(self.peer.distribution)
        except PackageNotFoundError:
            return None

    @property
    def on_jax(self) -> bool:
        """Whether it runs in the environment of JAX."""
        return self.peer is not None and self.peer.runs_on == "jax"

    def takes_part(self, case: Case) -> bool:
        """Whether there is anything to measure in a case."""
        if isinstance(case, LayerCase):
            one_of_many = self.compiled or self.precision != "float32" or self.first_once
            return not one_of_many and (self.kind != "lower bound" or case.linear)
        if self.compiled:
            return case.time_steps <= COMPILED_STEPS and not case.large
        return case.still or not self.first_once

    def settings(self, case: Case) -> tuple[Setting, ...]:
        """A peer's settings to try in a case, each different there, the likeliest first; none for what is not a peer."""
        variants = [Setting(name, compiled=self.compiled) for name in self._variants(case)]
        if self.compiled or not variants:
            return tuple(variants[:1])  # to compile takes too long for more
        if case.still:
            variants.append(replace(variants[0], first_once=False))
        if case.convolutional and not self.on_jax:
            variants.append(replace(variants[0], channels_last=False))
        return tuple(variants)

    def _variants(self, case: Case) -> tuple[str, ...]:
        if self.peer is None:
            return ()
        left_out = self.peer.unrolled if case.time_steps > COMPILED_STEPS else ()
        return tuple(name for name in self.peer.variants if name not in left_out)

    @property
    def infers(self) -> bool:
        """Whether inference is measured as well; torch.compile would take its time for it anew."""
        return self.kind != "lower bound" and self.precision == "float32" and not self.compiled


def _jax_version(distribution: str) -> str | None:
    folders = [str(path) for path in JAX_ENVIRONMENT.glob("lib/python*/site-packages")]
    return next((found.version for found in distributions(name=distribution, path=folders)), None)


def compiler() -> str | None:
    """Find the C++ compiler that torch.compile would use on the CPU; None: there is none."""
    return next((path for name in ("c++", "g++", "clang++") if (path := shutil.which(name))), None)


def _compiled(entry: Entry) -> Entry:
    return replace(entry, name=f"{entry.name}-compiled", title=f"{entry.title}, torch.compile", compiled=True)


OURS = Entry("tsslbp", "TSSL-BP (this project)", "ours")
OURS_BF16 = Entry("tsslbp-bf16", "TSSL-BP, bf16", "ours", precision="bf16")
LOWER_BOUND = Entry("lower-bound", "lower bound: products only", "lower bound")
LOWER_BOUND_ONCE = Entry("lower-bound-once", "lower bound, first product once", "lower bound", first_once=True)
LOWER_BOUND_BF16 = Entry("lower-bound-bf16", "lower bound, bf16", "lower bound", precision="bf16")
PEERS = tuple(Entry(peer.name, peer.title, "peer", peer) for peer in find_peers())
COMPILED = tuple(_compiled(entry) for entry in PEERS if not entry.on_jax)
NOT_COMPILED = tuple(entry for entry in PEERS if not entry.on_jax)
LIBRARIES = (*NOT_COMPILED, *COMPILED, *(entry for entry in PEERS if entry.on_jax))
"""Every way in which a peer is measured: as it is, through torch.compile, and under jax.jit."""

ROSTER = {entry.name: entry for entry in (OURS, OURS_BF16, *LIBRARIES, LOWER_BOUND, LOWER_BOUND_ONCE, LOWER_BOUND_BF16)}
