"""No library: a LIF neuron in a few lines of JAX, as a user who knows JAX would write it. Arctangent surrogate, reset to zero."""

from collections.abc import Callable
from typing import Any

from benchmarks.peers import Constants, Peer

UNROLLED, SCANNED = "LIF, steps unrolled", "LIF, lax.scan"
PEER = Peer("plain-jax", "plain JAX", "jax", (UNROLLED, SCANNED), runs_on="jax", unrolled=(UNROLLED,))


def neurons(variant: str, constants: Constants) -> Callable[[Any], Any]:
    """Return a function from the current (T, B, ...) to the spikes of the same shape."""
    import jax
    from jax import numpy

    decay, threshold = 1 - 1 / constants.tau_m, constants.threshold

    @jax.custom_jvp
    def fire(excess: Any) -> Any:
        return (excess > 0).astype(excess.dtype)

    def slope(primals: Any, tangents: Any) -> Any:
        (excess,), (change,) = primals, tangents
        return fire(excess), change / (1 + (numpy.pi * excess) ** 2)

    fire.defjvp(slope)

    def step(membrane: Any, current: Any) -> tuple[Any, Any]:
        membrane = decay * membrane + current
        spike = fire(membrane - threshold)
        return membrane * (1 - jax.lax.stop_gradient(spike)), spike

    def run(current: Any) -> Any:
        unroll = len(current) if variant == UNROLLED else 1
        return jax.lax.scan(step, numpy.zeros_like(current[0]), current, unroll=unroll)[1]

    return run
