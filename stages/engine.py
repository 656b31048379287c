"""The engine that the settings name, for one model."""

import os
import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tsslbp.costs import memory_estimate
from tsslbp.engines import Engine
from tsslbp.engines.capacity import Machine, Need, seeds_at_a_time
from tsslbp.engines.local import LocalEngine
from tsslbp.engines.slots import CoreBudget
from tsslbp.experiment import ModelRun
from tsslbp.limits import core_numbers, usable_cores
from tsslbp.settings import Settings, SettingsError, load_settings

Say = Callable[[str], None]


@contextmanager
def open_engine(model: ModelRun, seeds: int, say: Say) -> Iterator[tuple[Engine, int]]:
    """Have an engine for as long as the block lasts.

    Args:
        model: the model.
        seeds: how many are to be trained; for none, nothing is started.
        say: takes a warning of one line.

    Yields:
        The engine, and how many seeds it will train at a time.

    Raises:
        SettingsError: the settings name an engine that is not installed.
        EngineError: there is no cluster to be had.
    """

    def tell(text: str) -> None:
        say(f"{model.key}: {text}")

    if model.settings.execution.engine == "ray" and seeds:
        with _ray(model, seeds, tell) as found:
            yield found
    else:
        yield _local(model, seeds, tell)


def _local(model: ModelRun, seeds: int, say: Say) -> tuple[Engine, int]:
    at_a_time, budget = _share_of_this_machine(model, seeds, say)
    return LocalEngine(at_a_time, budget, say), at_a_time


def _share_of_this_machine(model: ModelRun, seeds: int, say: Say) -> tuple[int, CoreBudget]:
    """How many seeds to train at a time, and the cores that the trainings of a pipeline and its studies share."""
    settings, need = model.settings, _need(model)
    at_a_time, notes = seeds_at_a_time(settings.execution, seeds, need, Machine.this())
    for note in notes:
        say(note)
    folder = _shared_scratch(settings) / "cores" / platform.node()  # another machine may see the same files
    budget = CoreBudget(folder, _cores(at_a_time * need.threads))
    if seeds and not budget.counts():
        say(f"{folder}: the file system knows no locks, so trainings do not wait for each other's cores; start one at a time")
    return at_a_time, budget


def _cores(wanted: int) -> list[int | str]:
    """The cores that this process may use; where the settings ask for more at a time, as many more in name.

    Each of these is named after a core of this process: a name that all share would make who has other cores wait.
    """
    numbers = core_numbers()
    beyond = (divmod(more, len(numbers)) for more in range(wanted - len(numbers)))
    return [*numbers, *(f"{numbers[place]}-beyond-{turn}" for turn, place in beyond)]


def _need(model: ModelRun) -> Need:
    return Need(model.task(0).threads, memory_estimate(model.settings, model.key), model.device.type == "cuda")


@contextmanager
def _ray(model: ModelRun, seeds: int, say: Say) -> Iterator[tuple[Engine, int]]:
    try:
        from tsslbp.engines.ray import RayEngine
        from tsslbp.engines.ray_actor import Room
        from tsslbp.engines.ray_cluster import open_cluster
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"execution.engine: got ray, but {error.name} is not installed; `pip install '.[ray]'` installs it, `engine: local` does without"
        ) from None
    execution, need = model.settings.execution, _need(model)
    address = os.environ.get("RAY_ADDRESS") or None
    if address is None:  # Ray cannot know of the trainings beside this one, which have a Ray of their own
        limit, budget = _share_of_this_machine(model, seeds, say)
        with open_cluster(None, max(usable_cores(), limit * need.threads)) as cluster:
            yield RayEngine(cluster, limit, Room(need, execution.gpu_share, counts_memory=False), budget, say), limit
        return
    limit = seeds if execution.parallel == "auto" else min(seeds, execution.parallel)
    with open_cluster(address) as cluster:
        yield (
            RayEngine(cluster, limit, Room(need, execution.gpu_share, counts_memory=True), None, say),
            max(1, min(limit, cluster.slots(need.threads))),
        )


def _shared_scratch(settings: Settings) -> Path:
    """The folder that a pipeline and its studies share."""
    return settings.folders.scratch if settings.base is None else load_settings(settings.base).folders.scratch
