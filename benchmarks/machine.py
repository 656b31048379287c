"""The machine, the software and the command that a benchmark's numbers belong to."""

import os
import platform
import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.roster import PEERS
from tsslbp.storage.provenance import device_name, git_commit, library_versions

BUSY_SHARE = 0.03
"""Of the cores' time: more than this used by other programs spoils a comparison, and of those with many small parallel loops most."""
BUSY_LOAD = 0.3
"""Of a core: a load average above this before the start means that other programs compute, too."""


@dataclass(frozen=True)
class Conditions:
    """What a reader needs to judge or repeat the numbers.

    Attributes:
        facts: name and value, in the order to show them.
        load: the load average of the minute before the start; None where the system does not tell.
        others: the share of the cores' time that other programs took during the run; None where the system does not tell.
    """

    facts: tuple[tuple[str, str], ...]
    load: float | None
    others: float | None = None

    @property
    def busy(self) -> bool:
        """Whether other programs computed before the start."""
        return self.load is not None and self.load > BUSY_LOAD

    @property
    def disturbed(self) -> bool:
        """Whether other programs computed during the run; where that is unknown, before it."""
        return self.busy if self.others is None else self.others > BUSY_SHARE


@dataclass(frozen=True)
class ProcessorTime:
    """Seconds since some time in the past: `busy` of all cores with all programs, `own` of this program and its ended children."""

    clock: float
    busy: float
    own: float

    @staticmethod
    def now() -> "ProcessorTime | None":
        """The present state; None where the system does not tell."""
        try:
            first = Path("/proc/stat").read_text(encoding="ascii").splitlines()[0].split()
            ticks = os.sysconf("SC_CLK_TCK")
        except (OSError, ValueError):
            return None
        user, nice, system, _idle, _waiting, *interrupts_and_stolen = (int(field) for field in first[1:9])
        own = sum(os.times()[:4])
        return ProcessorTime(time.monotonic(), (user + nice + system + sum(interrupts_and_stolen)) / ticks, own)

    def others_until(self, later: "ProcessorTime") -> float:
        """The share of the cores' time that other programs took between two states."""
        taken = (later.busy - self.busy) - (later.own - self.own)
        return max(0.0, taken / max(1e-9, (later.clock - self.clock) * (os.cpu_count() or 1)))


def available_threads() -> int:
    """The cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def conditions(threads: int, command: Sequence[str], root: Path) -> Conditions:
    """The conditions now; `command` is the module that runs, and its arguments."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    versions = library_versions()
    peers = ", ".join(f"{peer.title} {peer.version or 'not installed'}" for peer in PEERS)
    facts = (
        ("machine", device_name("cpu").removeprefix("cpu, ")),
        ("cores and memory", f"{available_threads()} cores, {_memory()}"),
        ("threads", f"{threads} for every contestant"),
        ("load before the start", "unknown" if load is None else f"{load:.2f}"),
        ("system", f"{platform.system()} {platform.release()}, {platform.machine()}"),
        ("software", f"Python {versions['python']}, torch {versions['torch']}, numba {versions['numba']}, numpy {versions['numpy']}"),
        ("libraries beside it", peers),
        ("commit", git_commit(root)),
        ("date", f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"),
        ("command", shlex.join(["python", "-m", *command])),
    )
    return Conditions(facts, load)


def _memory() -> str:
    try:
        return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB"
    except (ValueError, OSError, AttributeError):
        return "memory unknown"


def with_others(before: Conditions, since: ProcessorTime | None) -> Conditions:
    """The conditions, and what other programs took of the processor since then."""
    now = ProcessorTime.now()
    if since is None or now is None:
        return before
    others = since.others_until(now)
    return replace(before, others=others, facts=(*before.facts, ("other programs meanwhile", f"{100 * others:.1f} % of the cores' time")))
