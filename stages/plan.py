"""What `dvc repro` would cost on this machine, before it is paid: `python -m stages.plan`, or `make plan`.

A few steps of every model that is not up to date are timed, on made-up data of the right shape.
"""

import argparse
import json
import subprocess
import sys

from stages.common import run
from tsslbp.config import Settings


def main(settings: Settings, options: argparse.Namespace) -> None:
    """Measure every model that would be trained and print a table."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    from tsslbp.costs import measure
    from tsslbp.provenance import device_name
    from tsslbp.runs import prepare_device

    stale = list(settings.models) if options.all else _stale(settings)
    if not stale:
        print("every model is up to date: there is nothing to train")
        return
    device = prepare_device(settings.execution)
    table = Table("model", "samples/s", "hours a seed", "hours in all", "disk in all", box=SIMPLE_HEAD, pad_edge=False)
    hours, disk, seeds = 0.0, 0, len(settings.seeds)
    for key in stale:
        print(f"measuring {key} ...", file=sys.stderr, flush=True)
        cost = measure(settings, key, device, options.seconds)
        hours += cost.hours * seeds
        disk += cost.disk_bytes * seeds
        table.add_row(key, f"{cost.train_rate:,.0f}", f"{cost.hours:,.1f}", f"{cost.hours * seeds:,.1f}", _size(cost.disk_bytes * seeds))
    table.add_row("all", "", "", f"{hours:,.1f}", _size(disk))
    Console(highlight=False).print(table)
    print(f"{seeds} seeds each, on {device_name(str(device))}. Seeds with a live checkpoint take less; data need up to 2 GB more.")


def _stale(settings: Settings) -> list[str]:
    """The models whose stage `train` has something to do, in the order of the settings."""
    done = subprocess.run([sys.executable, "-m", "dvc", "status", "--json"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ValueError(
            f"dvc status failed: {done.stderr.strip() or done.stdout.strip()}; `--all` measures every model without asking DVC"
        )
    stages = json.loads(done.stdout)
    return [key for key in settings.models if f"train@{key}" in stages]


def _size(count: int) -> str:
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{count / 1e6:,.0f} MB"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m stages.plan", description="Measure what dvc repro would cost on this machine.")
    parser.add_argument("--all", action="store_true", help="measure every model, up to date or not")
    parser.add_argument("--seconds", type=float, default=3.0, help="how long to time each model (default: %(default)s)")
    run(main, parser)
