"""How many seeds run at a time on this machine: as many as its cores and its memory allow."""

from dataclasses import dataclass

from tsslbp.limits import available_memory, usable_cores
from tsslbp.settings import Execution

GB = 1e9


@dataclass(frozen=True)
class Machine:
    """What there is: cores, and bytes of memory that can be had (None where nobody says)."""

    cores: int
    memory: int | None

    @classmethod
    def this(cls) -> "Machine":
        """The machine that this process runs on."""
        return cls(usable_cores(), available_memory())


@dataclass(frozen=True)
class Need:
    """What one seed needs.

    Attributes:
        threads: CPU threads.
        memory: bytes while it trains, by estimate.
        on_gpu: whether it trains on a GPU, which seeds share only when they are told to.
    """

    threads: int
    memory: int
    on_gpu: bool = False


def seeds_at_a_time(execution: Execution, seeds: int, need: Need, machine: Machine) -> tuple[int, list[str]]:
    """Choose how many seeds run at a time.

    Args:
        execution: `parallel` is a number, or "auto".
        seeds: how many are to be trained.
        need: what one of them needs.
        machine: what there is.

    Returns:
        The number, at least 1, and lines for the user: why it is lower than asked for, and which cores stay idle. No lines for no seed.
    """
    if not seeds:
        return 1, []
    wanted = min(seeds, _by_cores(need, machine) if execution.parallel == "auto" else execution.parallel)
    chosen, notes = _by_memory(wanted, need, machine)
    return chosen, [*notes, *_about_cores(chosen, seeds, need, machine)]


def _by_cores(need: Need, machine: Machine) -> int:
    return 1 if need.on_gpu else max(1, machine.cores // need.threads)


def _by_memory(wanted: int, need: Need, machine: Machine) -> tuple[int, list[str]]:
    if machine.memory is None or wanted <= 1 or wanted * need.memory <= machine.memory:
        return wanted, []
    chosen = max(1, machine.memory // need.memory)
    return chosen, [
        f"memory allows {_seeds(chosen)} at a time, not {wanted}: one needs about {_gb(need.memory)}, {_gb(machine.memory)} can be had"
    ]


def _about_cores(chosen: int, seeds: int, need: Need, machine: Machine) -> list[str]:
    busy = chosen * need.threads
    if busy > machine.cores:
        return [f"{_seeds(chosen)} x {_threads(need.threads)} on {_cores(machine.cores)}: more than there are is slower than as many"]
    if need.on_gpu or busy == machine.cores or chosen < min(seeds, machine.cores // need.threads):
        return []
    more = machine.cores // seeds
    remedy = f"set execution.threads: {more} to use them (a row that has begun then starts anew), or " if more > need.threads else ""
    return [
        f"{machine.cores - busy} of {machine.cores} cores idle: {_seeds(chosen)} x {_threads(need.threads)}; "
        f"{remedy}train several models at a time: make repro JOBS=n"
    ]


def _seeds(count: int) -> str:
    return f"{count} seed{'s' * (count != 1)}"


def _threads(count: int) -> str:
    return f"{count} thread{'s' * (count != 1)}"


def _cores(count: int) -> str:
    return f"{count} core{'s' * (count != 1)}"


def _gb(count: int) -> str:
    return f"{count / GB:,.1f} GB"
