"""What the neurons cost: nanoseconds of one thread per neuron and time step, forward and backward, pooled and not.

    python -m benchmarks.neurons
    python -m benchmarks.neurons --neurons 100000 --repeats 20

Prints one line for each T and each kind of layer: the least of several repeats, on one thread. The layer is that of an image, 24x24
neurons in 15 channels, as in the first layer of mnist-cnn; the batch is as large as brings it near the number of neurons.
"""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from benchmarks.arguments import interrupted, positive
from benchmarks.machine import ProcessorTime, processor
from tsslbp.method.neuron.lif import Neuron, spike
from tsslbp.method.numerics import prepare_device
from tsslbp.settings import Execution
from tsslbp.system import keep_large_blocks

STEPS = (5, 30, 100)
CHANNELS, SIDE, WINDOW = 15, 24, 2
NEURON = Neuron(tau_m=5.0, tau_s=3.0)
DRIVE = 0.75
"""Standard deviation of the current at which about a tenth of the neurons fire per step."""


@dataclass(frozen=True)
class Cost:
    """Nanoseconds of one thread per neuron and time step, and how often a neuron fires per step."""

    forward: float
    backward: float
    rate: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.neurons", description="Measure what the neurons cost, on one thread.")
    parser.add_argument("--neurons", type=positive, default=400_000, metavar="N", help="about so many (default: %(default)s)")
    parser.add_argument("--repeats", type=positive, default=9, metavar="N", help="the least of so many counts (default: %(default)s)")
    parser.add_argument("--steps", type=positive, nargs="+", default=list(STEPS), metavar="T", help="time steps (default: 5 30 100)")
    options = parser.parse_args(arguments)
    prepare_device(Execution(device="cpu", threads=1))
    keep_large_blocks()
    try:
        _report(options.steps, options.neurons, options.repeats)
    except KeyboardInterrupt:
        return interrupted("benchmarks.neurons")
    return 0


def _report(times: Sequence[int], neurons: int, repeats: int) -> None:
    since = ProcessorTime.now()
    print(f"{processor()}, one thread, torch {torch.__version__}; ns per neuron and step, least of {repeats}")
    for steps in times:
        for pooling in (1, WINDOW):
            cost = measure(steps, pooling, neurons, repeats)
            kind = "pooled" if pooling > 1 else "not pooled"
            print(f"T = {steps:3}, {kind:10}: forward {cost.forward:.2f}, backward {cost.backward:.2f} (firing rate {cost.rate:.3f})")
    now = ProcessorTime.now()
    if since and now:
        print(f"other programs took {100 * since.others_until(now):.1f} % of the cores' time meanwhile")


def measure(steps: int, pooling: int, neurons: int, repeats: int) -> Cost:
    """Measure a layer of about so many neurons."""
    torch.manual_seed(0)
    batch = max(1, round(neurons / (CHANNELS * SIDE**2)))
    current = (DRIVE * torch.randn(steps, batch, SIDE, SIDE, CHANNELS)).permute(0, 1, 4, 2, 3).requires_grad_()
    trace, rate = spike(current, NEURON, None, pooling)
    gradient = torch.randn_like(trace)
    forward = _least(repeats, lambda: spike(current, NEURON, None, pooling))
    backward = _least(repeats, lambda: _backward(trace, current, gradient))
    updates = 1e-9 * current.numel()
    return Cost(forward / updates, backward / updates, rate.item())


def _backward(trace: Tensor, current: Tensor, gradient: Tensor) -> None:
    torch.autograd.grad(trace, current, gradient, retain_graph=True)


def _least(repeats: int, action: Callable[[], object]) -> float:
    """The least seconds of several repeats, after one that warms up."""
    action()
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - began)
    return min(seconds)


if __name__ == "__main__":
    sys.exit(main())
