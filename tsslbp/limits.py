"""What the machine, or the container around this process, has for it: cores and memory."""

import math
import os
import resource
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

ROOT = Path("/")
_MEMORY_FILES = (
    ("memory.max", "memory.current", "inactive_file"),
    ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)
"""Control groups of version 2 and 1: the limit, what is used, and the name in `memory.stat` of what gives way."""


def usable_cores(root: Path = ROOT) -> int:
    """How many cores this process may use: those that it may run on, less where its container has a quota.

    Args:
        root: where `/proc` and `/sys` lie; a test has its own.
    """
    return len(core_numbers(root))


def core_numbers(root: Path = ROOT) -> list[int]:
    """The system's numbers of these cores: who was given other cores, by `taskset` or a batch system, has other numbers.

    Args:
        root: where `/proc` and `/sys` lie; a test has its own.
    """
    numbers = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))
    quotas = [_quota(folder) for folder in _own_groups(root)]
    return numbers[: max(1, min((math.ceil(quota) for quota in quotas if quota is not None), default=len(numbers)))]


def available_memory(root: Path = ROOT) -> int | None:
    """Bytes that can still be had: the machine's, less where a container has a limit; None where nobody says.

    Args:
        root: where `/proc` and `/sys` lie; a test has its own.
    """
    limits = [_machine_memory(root, "MemAvailable"), *(_cgroup_memory(folder) for folder in _own_groups(root))]
    return min((limit for limit in limits if limit is not None), default=None)


def usable_memory(root: Path = ROOT) -> int:
    """Bytes that this process may ever have, were nothing else running: the machine's, less where a container or `ulimit -v` allows less.

    Args:
        root: where `/proc` and `/sys` lie; a test has its own.
    """
    groups = (_cgroup_limit(folder) for folder in _own_groups(root))
    limits = [_machine_memory(root, "MemTotal"), resource.getrlimit(resource.RLIMIT_AS)[0], *groups]
    return min((limit for limit in limits if limit is not None and limit > 0), default=2**63)


def peak_memory(root: Path = ROOT) -> int:
    """Bytes that this process has had resident at most.

    Linux says it in `/proc`; its `ru_maxrss` starts with the size of the process that started this one.

    Args:
        root: where `/proc` lies; a test has its own.
    """
    peak = _kilobytes(root / "proc/self/status", "VmHWM")
    if peak is not None:
        return peak
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def resident_memory(root: Path = ROOT) -> int:
    """Bytes that this process has resident now; where the system does not tell, the peak.

    Args:
        root: where `/proc` lies; a test has its own.
    """
    now = _kilobytes(root / "proc/self/status", "VmRSS")
    return peak_memory(root) if now is None else now


def _machine_memory(root: Path, name: str) -> int | None:
    return _kilobytes(root / "proc/meminfo", name)


def _kilobytes(path: Path, name: str) -> int | None:
    """Bytes that a line of a file names in kB; None where there is no such line."""
    for line in _read(path).splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    return None


def _own_groups(root: Path) -> Iterator[Path]:
    """The control groups of this process, its own first, then those around it: each may set a limit."""
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        # Version 2 has one tree, without a name. Version 1 has one for each controller; where "cpuacct,cpu" share a tree, its
        # folder may be "cpu,cpuacct", with links of the single names beside it.
        for name in dict.fromkeys([controllers, *controllers.split(",")]):
            top = root / "sys/fs/cgroup" / name
            own = top / path.lstrip("/")
            yield from (folder for folder in (own, *own.parents) if folder.is_relative_to(top))


def _quota(folder: Path) -> float | None:
    """Cores of a group: microseconds in each period. No limit is "max" in the one file of version 2, -1 in the two of version 1."""
    version_1 = " ".join(_read(folder / f"cpu.cfs_{name}_us") for name in ("quota", "period"))
    with suppress(ValueError):
        quota, period = map(int, (_read(folder / "cpu.max") or version_1).split())
        return quota / period if quota > 0 else None
    return None


def _cgroup_memory(folder: Path) -> int | None:
    """What a group may still take; files that are only cached give way."""
    for limit, used, cached in _MEMORY_FILES:
        with suppress(ValueError):
            statistics = dict(line.split() for line in _read(folder / "memory.stat").splitlines())
            left = int(_read(folder / limit)) - int(_read(folder / used)) + int(statistics.get(cached, 0))
            return max(0, left)
    return None


def _cgroup_limit(folder: Path) -> int | None:
    for limit, *_ in _MEMORY_FILES:
        with suppress(ValueError):  # "max", or no such file
            return int(_read(folder / limit))
    return None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""
