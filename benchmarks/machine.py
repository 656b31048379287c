"""The machine, the software and the command that a benchmark's numbers belong to."""

import os
import platform
import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import SPIN_COUNT, SPIN_COUNT_OF_USER
from benchmarks.processes.job import OPENMP_SPIN_COUNT
from benchmarks.roster import PEERS
from tsslbp.limits import usable_cores, usable_memory
from tsslbp.storage.provenance import device_name, git_commit, library_versions

MOST_SHARE, MOST_CORES = 0.02, 0.5
"""What other programs may take of the cores' time during a turn: this share of it, and no more than this part of one core."""


def busy_share(cores: int) -> float:
    """Compute the share of the cores' time above which other programs disturb: 2 %, but at most half a core.

    Of many cores, 2 % are more than a program that holds one of them.
    """
    return min(MOST_SHARE, MOST_CORES / cores)


BUSY_SHARE = busy_share(os.cpu_count() or 1)
"""A turn during which other programs took more than this share is measured again."""
UNLIMITED = 2**63
"""What `usable_memory` says where nobody knows."""
BUSY_LOAD = 0.3
"""Of a core: a load average above this before the start means that other programs compute, too."""


@dataclass(frozen=True)
class Conditions:
    """What a reader needs to judge or repeat the numbers.

    Attributes:
        facts: name and value, in the order to show them.
        load: the load average of the minute before the start; None where the system does not tell.
    """

    facts: tuple[tuple[str, str], ...]
    load: float | None

    @property
    def busy(self) -> bool:
        """Whether other programs computed before the start."""
        return self.load is not None and self.load > BUSY_LOAD

    @property
    def machine(self) -> str:
        """The processor, for a sentence."""
        return dict(self.facts).get("machine", "this machine")


@dataclass(frozen=True)
class ProcessorTime:
    """Seconds since some time in the past.

    Attributes:
        clock: of the wall.
        idle: in which cores had nothing to do, summed over the cores.
        own: in which this program and its ended children computed.
    """

    clock: float
    idle: float
    own: float

    @staticmethod
    def now() -> "ProcessorTime | None":
        """Read the present state; None where the system does not tell."""
        try:
            first = Path("/proc/stat").read_text(encoding="ascii").splitlines()[0].split()
            idle, waiting = int(first[4]), int(first[5])
        except (OSError, ValueError, IndexError):
            return None
        # What is not idle is some program's, or the host's: the kernel measures idle time, and only samples the rest.
        return ProcessorTime(time.monotonic(), (idle + waiting) * _tick(), sum(os.times()[:4]))

    def others_until(self, later: "ProcessorTime", measured: float = 0.0) -> float:
        """Compute the share of the cores' time that other programs took between two states.

        Args:
            later: the second state.
            measured: seconds that a child, which goes on, computed in between.
        """
        window = (later.clock - self.clock) * (os.cpu_count() or 1)
        taken = window - (later.idle - self.idle) - (later.own - self.own) - measured
        return max(0.0, taken - _tick()) / max(1e-9, window)  # idle time is known to a tick


def _tick() -> float:
    return 1 / os.sysconf("SC_CLK_TCK")


def available_threads() -> int:
    """Count the cores that this process may use: a container's quota counts, as it does where threads are checked."""
    return usable_cores()


def conditions(threads: int, command: Sequence[str], root: Path) -> Conditions:
    """Describe the conditions now; `command` is the module that runs, and its arguments."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    versions = library_versions()
    peers = ", ".join(f"{entry.title} {entry.version or 'not installed'}" for entry in PEERS)
    facts = (
        ("machine", processor()),
        ("cores and memory", f"{available_threads()} cores, {_memory()}"),
        ("threads", f"{threads} for every implementation"),
        ("idle threads", _idle_threads()),
        ("load before the start", "unknown" if load is None else f"{load:.2f}"),
        ("system", f"{platform.system()} {platform.release()}, {platform.machine()}"),
        ("software", f"Python {versions['python']}, torch {versions['torch']}, numba {versions['numba']}, numpy {versions['numpy']}"),
        ("libraries beside it", peers),
        ("commit", git_commit(root)),
        ("date", f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"),
        ("command", shlex.join(["python", "-m", *command])),
    )
    return Conditions(facts, load)


def _idle_threads() -> str:
    if SPIN_COUNT_OF_USER is not None:
        return f"{SPIN_COUNT}={SPIN_COUNT_OF_USER} in every process of PyTorch"
    return f"{SPIN_COUNT}={os.environ[SPIN_COUNT]}; {OPENMP_SPIN_COUNT}, GNU OpenMP's own, for the libraries on PyTorch"


def _memory() -> str:
    memory = usable_memory()
    return f"{memory / 2**30:.0f} GiB" if memory < UNLIMITED else "memory unknown"


def processor() -> str:
    """Name the processor, with the numbers that tell its generation: AMD's Zen 4 and Zen 5 have one name."""
    name = device_name("cpu").removeprefix("cpu, ")
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return name
    found = dict(line.split(":", 1) for line in reversed(lines) if ":" in line)
    fields = {key.strip(): value.strip() for key, value in found.items()}
    numbers = ", ".join(f"{word} {fields[key]}" for word, key in (("family", "cpu family"), ("model", "model")) if key in fields)
    return f"{name} ({numbers})" if numbers else name


def with_others(before: Conditions, since: ProcessorTime | None) -> Conditions:
    """Add what other programs took of the processor since then."""
    now = ProcessorTime.now()
    if since is None or now is None:
        return before
    others = 100 * since.others_until(now)
    return replace(before, facts=(*before.facts, ("other programs meanwhile", f"{others:.1f} % of the cores' time")))
