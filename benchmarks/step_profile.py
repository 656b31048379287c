"""Where the time of a training step goes: products, neurons, optimiser, and what is left.

    python -m benchmarks.step_profile
    python -m benchmarks.step_profile --cases mnist-cnn --threads 1

Writes <reports>/benchmark/profile.md and .csv; a minute. The clock is read where one part ends and the next begins, some
thirty times a step. (PyTorch's profiler stores events in between, which moved large tensors to new pages and made the neurons' part
half as long again.)
"""

import argparse
import csv
import io
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any
from unittest.mock import patch

from benchmarks.cases import NETWORKS, NetworkCase, chosen
from benchmarks.machine import available_threads, conditions
from benchmarks.markdown import table
from stages.display import ScreenProgress
from tsslbp.settings import Execution, Settings, load_settings
from tsslbp.storage.files import write_text

PRODUCTS, PRODUCTS_BACK = "products forward", "products backward"
NEURONS, NEURONS_BACK = "neurons forward", "neurons backward"
LOSS, UPDATE, REST = "loss", "clip, AdamW, clamp", "all else"
PARTS = (PRODUCTS, NEURONS, LOSS, NEURONS_BACK, PRODUCTS_BACK, UPDATE, REST)
WARM_UP, SECONDS, LEAST = 3, 4.0, 5
"""Steps before the clock; for how long a network is measured, and how many steps at least."""


class Stopwatch:
    """Divides time into parts: every mark gives what went by since the one before to a part."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self.start()

    def start(self) -> None:
        """Begin at nothing."""
        self.seconds = dict.fromkeys(PARTS, 0.0)
        self._last, self._part = self._clock(), REST

    def mark(self, part: str) -> None:
        """The time since the last mark belongs to this part."""
        now = self._clock()
        self.seconds[part] += now - self._last
        self._last, self._part = now, part

    def mark_before_backward(self) -> None:
        """The time before a layer's neurons go backward: that of the product behind them, or of the loss behind the last ones."""
        self.mark(LOSS if self._part == NEURONS else PRODUCTS_BACK)


@dataclass(frozen=True)
class Profile:
    """A network's step.

    Attributes:
        case: the network's.
        parts: seconds a step, a value for each of `PARTS`: medians over the steps.
    """

    case: NetworkCase
    parts: dict[str, float]

    @property
    def step(self) -> float:
        """Seconds."""
        return sum(self.parts.values())

    def neuron_nanoseconds(self, threads: int) -> float:
        """Of one thread, for one neuron and one time step, forward and backward together."""
        neurons = sum(prod(layer.neuron_shape) for layer in self.case.plan)
        return 1e9 * threads * (self.parts[NEURONS] + self.parts[NEURONS_BACK]) / (neurons * self.case.batch * self.case.time_steps)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line; returns the exit code."""
    options = _parser().parse_args(arguments)
    given = sys.argv[1:] if arguments is None else list(arguments)
    try:
        settings = load_settings(options.params)
        facts = conditions(options.threads, ["benchmarks.step_profile", *given], Path(__file__).parent.parent).facts
        profiles = measure(settings, options.cases, options.threads, ScreenProgress())
    except (ValueError, OSError) as error:
        print(f"benchmarks.step_profile: {error}", file=sys.stderr)
        return 1
    folder = options.output or settings.folders.reports / "benchmark"
    write_text(folder / "profile.csv", csv_text(profiles))
    write_text(folder / "profile.md", markdown(facts, profiles, options.threads))
    print(shares(profiles, options.threads))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.step_profile", description="Measure where the time of a training step goes."
    )
    parser.add_argument("--params", type=Path, default=Path("params.yaml"), help="the settings (default: %(default)s)")
    parser.add_argument(
        "--cases", nargs="+", metavar="MODEL", default=list(NETWORKS), help="models of the settings; default: the benchmark's"
    )
    parser.add_argument("--threads", type=int, choices=range(1, available_threads() + 1), metavar="N", default=available_threads(), help="CPU threads; default: all cores")  # fmt: skip
    parser.add_argument("--output", type=Path, metavar="FOLDER", help="where to write profile.md and profile.csv")
    return parser


def measure(settings: Settings, names: Sequence[str], threads: int, progress: ScreenProgress) -> list[Profile]:
    """Profile networks of the settings, one after the other, in this process.

    Raises:
        ValueError: a name that is no model's.
    """
    from tsslbp.method.numerics import prepare_device

    cases = [case for case in chosen(settings, names, quick=False)[0] if isinstance(case, NetworkCase)]
    prepare_device(Execution(device="cpu", threads=threads))
    profiles = []
    for case in cases:
        progress.say(f"{case.name}: {case.title}")
        profiles.append(profiled(case))
    return profiles


def profiled(case: NetworkCase) -> Profile:
    """Train a network for some seconds and divide its steps."""
    from benchmarks.contestants import build
    from benchmarks.inputs import load
    from benchmarks.roster import OURS

    contestant = build(OURS, case, None, load(case))
    watch = Stopwatch()
    steps: list[dict[str, float]] = []
    with _watched(watch):
        for _ in range(WARM_UP):
            contestant.train()
        while len(steps) < LEAST or sum(sum(parts.values()) for parts in steps) < SECONDS:
            watch.start()
            contestant.train()
            watch.mark(UPDATE)
            steps.append(watch.seconds)
    return Profile(case, {part: statistics.median(parts[part] for parts in steps) for part in PARTS})


@contextmanager
def _watched(watch: Stopwatch) -> Iterator[None]:
    """Have the watch read at the borders of the parts."""
    import torch

    from tsslbp.method.layers import SpikingConvolution, SpikingLinear
    from tsslbp.method.neuron import cpu

    def between(function: Callable[..., Any], before: Callable[[], None], part: str | None) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            before()
            result = function(*arguments, **named)
            if part is not None:
                watch.mark(part)
            return result

        return call

    def rest() -> None:
        watch.mark(REST)

    borders: list[tuple[Any, str, Callable[[], None], str | None]] = [
        (SpikingConvolution, "forward", rest, PRODUCTS),
        (SpikingLinear, "forward", rest, PRODUCTS),
        (cpu, "spike_forward", rest, NEURONS),
        (cpu, "spike_backward", watch.mark_before_backward, NEURONS_BACK),
        (torch.nn.utils, "clip_grad_norm_", watch.mark_before_backward, None),
    ]
    with ExitStack() as stack:
        for where, name, before, part in borders:
            stack.enter_context(patch.object(where, name, between(getattr(where, name), before, part)))
        yield


def csv_text(profiles: Sequence[Profile]) -> str:
    """A line a network; seconds."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["case", *PARTS])
    writer.writerows([p.case.name, *(f"{p.parts[part]:.6g}" for part in PARTS)] for p in profiles)
    return buffer.getvalue()


def shares(profiles: Sequence[Profile], threads: int) -> str:
    """Milliseconds of each part, and its share of the step: a table."""
    rows = []
    for p in profiles:
        parts = [f"{1e3 * p.parts[part]:.2f} ({100 * p.parts[part] / p.step:.0f} %)" for part in PARTS]
        rows.append([p.case.name, f"{1e3 * p.step:.1f}", *parts, f"{p.neuron_nanoseconds(threads):.1f}"])
    return table(["network", "step", *PARTS, "ns a neuron and time step"], rows)


def markdown(facts: Sequence[tuple[str, str]], profiles: Sequence[Profile], threads: int) -> str:
    """The page."""
    text = (
        "Milliseconds of a training step's parts, medians over the steps, and their sum. Products are convolutions and matrix products with all that\n"
        "autograd does around them. The last column is the neurons' part, forward and backward, times the threads, divided by\n"
        "the neurons of the batch and T."
    )
    lines = ["# Where a training step's time goes\n", *(f"- {name}: {value}" for name, value in facts)]
    return "\n".join([*lines, "", text, "", shares(profiles, threads), ""])


if __name__ == "__main__":
    sys.exit(main())
