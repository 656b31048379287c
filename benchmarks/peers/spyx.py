"""Spyx: its LIF neuron with the arctangent surrogate, through the library's own scan over time or with the steps unrolled."""

from collections.abc import Callable
from typing import Any

from benchmarks.peers import Constants, Peer

SCANNED, UNROLLED = "LIF, spyx.nn.run", "LIF, steps unrolled"
PEER = Peer("spyx", "Spyx (JAX)", "spyx", (SCANNED, UNROLLED), runs_on="jax", unrolled=(UNROLLED,))


def neurons(variant: str, constants: Constants) -> Callable[[Any], Any]:
    """Return a function from the current (T, B, ...) to the spikes of the same shape."""
    import spyx
    from flax import nnx
    from jax import numpy

    activation = spyx.axn.arctan()

    def run(current: Any) -> Any:
        cell = spyx.nn.LIF(
            current.shape[2:], beta=1 - 1 / constants.tau_m, threshold=constants.threshold, activation=activation, rngs=nnx.Rngs(0)
        )
        if variant == SCANNED:
            return spyx.nn.run(cell, current)[0]
        state, spikes = cell.initial_state(current.shape[1]), []
        for now in current:
            spike, state = cell(now, state)
            spikes.append(spike)
        return numpy.stack(spikes)

    return run
