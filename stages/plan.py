"""What `dvc repro` would cost, before it is paid: `python -m stages.plan`, or `make plan`; with `--nodes 3 --cores 8 --memory 32` on such machines.

A few steps of every model that is not up to date, those of the studies among them, are timed on made-up data of the right shape.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from stages.common import load_studies, run, stage_name
from tsslbp.cluster_plan import Machines
from tsslbp.limits import available_memory, usable_cores, usable_memory
from tsslbp.settings import Settings
from tsslbp.storage.meaning import outdated as outdated_models

if TYPE_CHECKING:
    from rich.table import Table

MOST = 100_000
"""Nodes, or cores or GB of one."""
HEADS = ("model", "samples/s", "seeds", "hours\na seed", "hours\nin all", "disk\nin all")
INDENT = "  "
"""Before a model of a study, whose name has a line of its own."""


def main(settings: Settings, options: argparse.Namespace) -> None:
    """Measure every model that would be trained and print a table."""
    import torch
    from rich.console import Console

    from tsslbp.costs import measure, memory_estimate
    from tsslbp.method.numerics import prepare_device
    from tsslbp.storage.provenance import device_name

    models = _models({options.params: settings, **load_studies(options.params)}, options.all)
    if not models:
        print("every model is up to date: there is nothing to train")
        return
    device = prepare_device(settings.execution)
    rows = list[Sequence[str]]()
    machines = _machines(options, torch.get_num_threads())
    hours, memory, disk, most = list[float](), list[int](), 0, 1
    shown = None
    for study, each, key in models:
        print(f"measuring {f'{study}: ' if study else ''}{key} ...", file=sys.stderr, flush=True)
        if study != shown and study:
            rows.append([f"{study}:"])
        shown = study
        need, seeds = memory_estimate(each, key), len(each.seeds_of(key))
        beside = _side_by_side(machines, need)
        cost = measure(each, key, device, options.seconds, beside)
        hours, memory, most = [*hours, *seeds * [cost.hours]], [*memory, *seeds * [need]], max(most, beside or 1)
        disk += cost.disk_bytes * seeds
        rate, once, in_all = f"{cost.train_rate:,.0f}", f"{cost.hours:,.2f}", f"{cost.hours * seeds:,.1f}"
        rows.append([f"{INDENT}{key}" if study else key, rate, str(seeds), once, in_all, _size(cost.disk_bytes * seeds)])
    rows.append(["all", "", "", "", f"{sum(hours):,.1f}", _size(disk)])
    Console(highlight=False).print(table_of(rows))
    print(f"On {device_name(str(device))}. Seeds with a live checkpoint take less; data need up to 2 GB more.")
    if machines:
        print(_on(machines, hours, memory, most))


def table_of(rows: Sequence[Sequence[str]]) -> "Table":
    """The table of these rows. It fits 80 columns, and no name or number is cut short there."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Column, Table

    table = Table(*(Column(head, no_wrap=True) for head in HEADS), box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for row in rows:
        table.add_row(*row)
    return table


def _machines(options: argparse.Namespace, threads: int) -> Machines | None:
    """The machines that the command line describes; None where it describes none."""
    if options.nodes is None and options.cores is None and options.memory is None:
        return None
    memory = usable_memory() if options.memory is None else options.memory * 10**9
    return Machines(options.nodes or 1, options.cores or usable_cores(), threads, memory)


def _side_by_side(machines: Machines | None, need: int) -> int | None:
    """How many seeds that need so much memory are measured at a time: as many as one of the machines trains, but no more than fit here.

    None where no machines are described: this process measures one.
    """
    if machines is None:
        return None
    here = Machines(1, usable_cores(), machines.threads, available_memory())
    return min(machines.fitting(need), here.fitting(need))


def _on(machines: Machines, hours: Sequence[float], memory: Sequence[int], most: int) -> str:
    """What the seeds take on several machines."""
    least = min(map(machines.fitting, memory))
    fewer = f" ({least} on each where {_size(machines.memory or 0)} of memory allow no more)" if least < machines.seeds_per_node else ""
    return (
        f"On {machines.nodes} x {machines.cores} cores like these, {machines.seeds} seeds of {machines.threads} "
        f"threads at a time{fewer}, all models at once: {_time(machines.hours(hours, memory))}; no cluster takes less than its longest "
        f"seed, {_time(max(hours))}. Measured with up to {most} seeds side by side on this machine."
    )


def _time(hours: float) -> str:
    if hours >= 1:
        return f"{hours:,.1f} hours"
    return f"{hours * 60:.1f} minutes" if hours >= 1 / 60 else f"{hours * 3600:.1f} s"


def _count(text: str) -> int:
    """A number of nodes, cores or GB."""
    if not text.isdecimal() or not 1 <= int(text) <= MOST:
        raise argparse.ArgumentTypeError(f"got {text!r}; a number from 1 to {MOST:,}")
    return int(text)


def _models(pipelines: dict[Path, Settings], up_to_date_too: bool) -> list[tuple[str, Settings, str]]:
    """Every model of the pipelines, or those whose stage `fit` has something to do, in the order of the settings.

    Before each model's settings and key, the name of its study; "" for the first pipeline, which is none.
    """
    models = [(path, settings, key) for path, settings in pipelines.items() for key in settings.models]
    if not up_to_date_too:
        models = _those_to_run(pipelines, models)
    first = next(iter(pipelines))
    return [("" if path == first else path.parent.name, settings, key) for path, settings, key in models]


def _those_to_run(pipelines: dict[Path, Settings], models: list[tuple[Path, Settings, str]]) -> list[tuple[Path, Settings, str]]:
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
    parser = argparse.ArgumentParser(
        prog="python -m stages.plan", description="Measure what dvc repro and the studies would cost on this machine."
    )
    parser.add_argument("--all", action="store_true", help="measure every model, up to date or not")
    parser.add_argument("--seconds", type=float, default=3.0, help="how long to time each model (default: %(default)s)")
    parser.add_argument("--nodes", type=_count, metavar="N", help="say what it would take on N machines, too")
    parser.add_argument("--cores", type=_count, metavar="M", help="of M cores each (default: as many as here)")
    parser.add_argument("--memory", type=_count, metavar="GB", help="and this much memory each (default: as much as here)")
    run(main, parser)
