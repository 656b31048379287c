"""Where the time of a training step goes: products, neurons, optimizer, and what is left.

    python -m benchmarks.step_profile
    python -m benchmarks.step_profile --cases mnist-cnn --threads 1

Writes <reports>/benchmark/profile.md and .csv, of other models or threads <scratch>/benchmark; takes a minute. The clock is read where
one part ends and the next begins, some thirty times per step (stopwatch.py). PyTorch's profiler stores events in between, which moved
large tensors to new pages and made the neurons' part half as long again.
"""

import argparse
import csv
import io
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path

from benchmarks import ROOT
from benchmarks.arguments import interrupted, positive
from benchmarks.cases import NETWORKS, NetworkCase, chosen
from benchmarks.machine import ProcessorTime, available_threads, conditions, with_others
from benchmarks.networks.stopwatch import NEURONS, NEURONS_BACK, PARTS, UPDATE, Stopwatch, watched
from benchmarks.page.markdown import facts, table
from stages.display import ScreenProgress
from tsslbp.settings import Execution, Settings, SettingsError, load_settings
from tsslbp.storage.files import write_text

WARM_UP, SECONDS, LEAST = 3, 4.0, 5
"""Steps before the clock; for how long a network is measured, and how many steps at least."""


@dataclass(frozen=True)
class Profile:
    """A network's step.

    Attributes:
        case: the network's.
        parts: seconds per step, one value for each of `PARTS`: medians over the steps.
    """

    case: NetworkCase
    parts: dict[str, float]

    @property
    def step(self) -> float:
        """Seconds of all parts."""
        return sum(self.parts.values())

    def neuron_nanoseconds(self, threads: int) -> float:
        """Nanoseconds of one thread for one neuron and one time step, forward and backward together."""
        neurons = sum(prod(layer.neuron_shape) for layer in self.case.plan)
        return 1e9 * threads * (self.parts[NEURONS] + self.parts[NEURONS_BACK]) / (neurons * self.case.batch * self.case.time_steps)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line; returns the exit code."""
    options = _parser().parse_args(arguments)
    given = sys.argv[1:] if arguments is None else list(arguments)
    try:
        settings = load_settings(options.params)
        around = conditions(options.threads, ["benchmarks.step_profile", *given], ROOT)
        since = ProcessorTime.now()
        profiles = measure(settings, options.cases, options.threads, ScreenProgress())
    except KeyboardInterrupt:
        return interrupted("benchmarks.step_profile")
    except (ValueError, OSError) as error:
        print(f"benchmarks.step_profile: {error}", file=sys.stderr)
        return 1
    whole = options.cases == list(NETWORKS) and options.threads == available_threads()
    folder = options.output or (settings.folders.reports if whole else settings.folders.scratch) / "benchmark"
    write_text(folder / "profile.csv", csv_text(profiles))
    write_text(folder / "profile.md", markdown(with_others(around, since).facts, profiles, options.threads))
    print(shares(profiles, options.threads))
    print(f"written: {folder}/profile.md, profile.csv", file=sys.stderr)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.step_profile", description="Measure where the time of a training step goes."
    )
    parser.add_argument("--params", type=Path, default=Path("params.yaml"), help="the settings (default: %(default)s)")
    parser.add_argument(
        "--cases", nargs="+", metavar="MODEL", default=list(NETWORKS), help="models of the settings; default: the benchmark's"
    )
    parser.add_argument("--threads", type=positive, default=available_threads(), metavar="N", help="CPU threads; default: all cores")
    parser.add_argument("--output", type=Path, metavar="FOLDER", help="where to write profile.md and profile.csv")
    return parser


def measure(settings: Settings, names: Sequence[str], threads: int, progress: ScreenProgress) -> list[Profile]:
    """Profile these models one after the other.

    Raises:
        SettingsError: a name is not a model of the settings; the message lists those.
    """
    from tsslbp.method.numerics import prepare_device

    if unknown := [name for name in names if name not in settings.models]:
        raise SettingsError(f"--cases: unknown {', '.join(unknown)}; allowed: {', '.join(settings.models)}")
    cases = [case for case in chosen(settings, names, quick=False).cases if isinstance(case, NetworkCase)]
    prepare_device(Execution(device="cpu", threads=threads))
    profiles = []
    for case in cases:
        progress.say(f"{case.name}: {case.title}")
        profiles.append(profiled(case))
    return profiles


def profiled(case: NetworkCase, seconds: float = SECONDS) -> Profile:
    """Train a network for some seconds and divide its steps."""
    from benchmarks.networks.implementations import ours
    from benchmarks.networks.inputs import load

    training, watch = ours(case, load(case)), Stopwatch()
    steps: list[dict[str, float]] = []
    with watched(training, watch):
        for _ in range(WARM_UP):
            training.train()
        while len(steps) < LEAST or sum(sum(parts.values()) for parts in steps) < seconds:
            watch.start()
            training.train()
            watch.mark(UPDATE)
            steps.append(watch.seconds)
    return Profile(case, {part: statistics.median(parts[part] for parts in steps) for part in PARTS})


def csv_text(profiles: Sequence[Profile]) -> str:
    """Write one line per network; seconds."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["case", *PARTS])
    writer.writerows([p.case.name, *(f"{p.parts[part]:.6g}" for part in PARTS)] for p in profiles)
    return buffer.getvalue()


def shares(profiles: Sequence[Profile], threads: int) -> str:
    """Write a table of each part's milliseconds and its share of the step."""
    rows = []
    for p in profiles:
        parts = [f"{1e3 * p.parts[part]:.2f} ({100 * p.parts[part] / p.step:.0f} %)" for part in PARTS]
        rows.append([p.case.name, f"{1e3 * p.step:.1f}", *parts, f"{p.neuron_nanoseconds(threads):.1f}"])
    return table(["network", "step", *PARTS, "ns per neuron and time step"], rows)


def markdown(pairs: Sequence[tuple[str, str]], profiles: Sequence[Profile], threads: int) -> str:
    """Write the page."""
    text = (
        "Milliseconds of a training step's parts, medians over the steps, and their sum. Products are convolutions and matrix products with all\n"
        "that autograd does around them; the neurons' parts contain dropout. The last column is the neurons' parts, forward and backward, times the\n"
        "threads, divided by the neurons of the batch and T."
    )
    return "\n\n".join(["# Where a training step's time goes", facts(pairs), text, shares(profiles, threads)]) + "\n"


if __name__ == "__main__":
    sys.exit(main())
