"""What `dvc repro` would cost on this machine, before it is paid: `python -m stages.plan`, or `make plan`.

A few steps of every model that is not up to date, those of the studies among them, are timed on made-up data of the right shape.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from stages.common import load_studies, run, stage_name
from tsslbp.settings import Settings
from tsslbp.storage.meaning import outdated as outdated_models


def main(settings: Settings, options: argparse.Namespace) -> None:
    """Measure every model that would be trained and print a table."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    from tsslbp.costs import measure
    from tsslbp.method.numerics import prepare_device
    from tsslbp.storage.provenance import device_name

    models = _models({options.params: settings, **load_studies(options.params)}, options.all)
    if not models:
        print("every model is up to date: there is nothing to train")
        return
    device = prepare_device(settings.execution)
    table = Table("model", "samples/s", "seeds", "hours a seed", "hours in all", "disk in all", box=SIMPLE_HEAD, pad_edge=False)
    hours, disk = 0.0, 0
    for path, each, key in models:
        name = key if path == options.params else f"{path.parent.name}: {key}"
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        cost, seeds = measure(each, key, device, options.seconds), len(each.seeds_of(key))
        hours += cost.hours * seeds
        disk += cost.disk_bytes * seeds
        rate, once, in_all = f"{cost.train_rate:,.0f}", f"{cost.hours:,.2f}", f"{cost.hours * seeds:,.1f}"
        table.add_row(name, rate, str(seeds), once, in_all, _size(cost.disk_bytes * seeds))
    table.add_row("all", "", "", "", f"{hours:,.1f}", _size(disk))
    Console(highlight=False).print(table)
    print(f"On {device_name(str(device))}. Seeds with a live checkpoint take less; data need up to 2 GB more.")


def _models(pipelines: dict[Path, Settings], up_to_date_too: bool) -> list[tuple[Path, Settings, str]]:
    """Every model of the pipelines, or those whose stage `fit` has something to do, in the order of the settings."""
    models = [(path, settings, key) for path, settings in pipelines.items() for key in settings.models]
    if up_to_date_too:
        return models
    stale = _stale([path.parent / "dvc.yaml" for path in pipelines])
    # DVC does not look upstream, where the code is.
    outdated = {(path, key) for path, settings in pipelines.items() for key in outdated_models(path, settings)}
    return [(path, settings, key) for path, settings, key in models if stage_name("fit", path, key) in stale or (path, key) in outdated]


def _stale(pipelines: Sequence[Path]) -> set[str]:
    """The stages of these pipelines that have something to do."""
    command = [sys.executable, "-m", "dvc", "status", "--json", *map(str, pipelines)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        remedy = "" if Path(".git").exists() else "; DVC needs a git repository, which `git init` makes of this folder"
        reason = done.stderr.strip() or done.stdout.strip()
        raise ValueError(f"dvc status failed: {reason}; `--all` measures every model without asking DVC{remedy}")
    return set(json.loads(done.stdout))


def _size(count: int) -> str:
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{count / 1e6:,.0f} MB"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m stages.plan", description="Measure what dvc repro would cost on this machine.")
    parser.add_argument("--all", action="store_true", help="measure every model, up to date or not")
    parser.add_argument("--seconds", type=float, default=3.0, help="how long to time each model (default: %(default)s)")
    run(main, parser)
