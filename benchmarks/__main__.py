"""Measure this project beside its peers and beside the lower bound; write reports/benchmark.

    python -m benchmarks
    python -m benchmarks --quick
    python -m benchmarks --cases mnist-cnn linear-lif-512 scaling-time --implementations tsslbp lower-bound

A run of everything on all cores writes <reports>/benchmark; a shortened or interrupted one, or one of fewer threads, <scratch>/benchmark,
unless --output says otherwise.
"""

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from benchmarks import run
from benchmarks.arguments import interrupted, positive
from benchmarks.machine import available_threads
from benchmarks.roster import ROSTER
from stages.display import ScreenProgress
from tsslbp.settings import load_settings
from tsslbp.system import check_threads


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line; returns the exit code: 0 done, 1 an expected error or an implementation that failed, 130 interrupted."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _interrupt)
    given = sys.argv[1:] if arguments is None else list(arguments)
    try:
        settings = load_settings(options.params)
        entries = [ROSTER[name] for name in options.implementations or ROSTER]
        threads = options.threads or available_threads()
        check_threads(threads)
        plan = run.Plan(settings, options.cases, entries, threads, options.quick, options.repetitions)
        unfinished = options.output or settings.folders.scratch / "benchmark"
        whole = not plan.shortened and threads == available_threads()
        folder = (options.output or settings.folders.reports / "benchmark") if whole else unfinished
        good = run.run(plan, folder, unfinished, given, ScreenProgress())
    except KeyboardInterrupt:
        return interrupted("benchmarks")
    except (ValueError, OSError) as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 1
    return 0 if good else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Measure training speed beside other libraries and the lower bound."
    )
    parser.add_argument(
        "--params", type=Path, default=Path("params.yaml"), help="the settings that name the networks (default: %(default)s)"
    )
    parser.add_argument(
        "--cases", nargs="+", metavar="CASE", help="models of the settings, lif-512, linear-lif-512 ..., scaling-time ...; default: all"
    )
    parser.add_argument("--implementations", nargs="+", choices=list(ROSTER), metavar="NAME", help=f"of {', '.join(ROSTER)}; default: all")
    parser.add_argument("--repetitions", type=positive, metavar="N", help="turns of each implementation in a case, at most")
    parser.add_argument("--threads", type=positive, metavar="N", help="CPU threads of each implementation; default: all cores")
    parser.add_argument(
        "--quick", action="store_true", help="seconds instead of minutes: two turns of one step, smaller sweeps; for trying out"
    )
    parser.add_argument("--output", type=Path, metavar="FOLDER", help="where to write results.csv, results.md and the figures")
    return parser


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
