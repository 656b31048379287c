"""Peak memory of this process, in bytes."""

import contextlib
import ctypes
import gc
import os
import resource
import sys
from pathlib import Path


def peak() -> int:
    """Read the largest resident size so far.

    On Linux from /proc: `ru_maxrss` there starts with the size of the process that started this one.
    """
    status = _status("VmHWM")
    if status is not None:
        return status
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def current() -> int:
    """Read the resident size now; where the system does not tell, the peak."""
    status = _status("VmRSS")
    return peak() if status is None else status


def available() -> int:
    """Read what the system could give to new processes; where it does not tell, half of what there is."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2


def forget_peak() -> None:
    """Let the peak start anew from what is resident now, where the system can."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def give_back() -> None:
    """Hand freed memory to the system, which the allocator would keep for the next step; only glibc can."""
    gc.collect()
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def _status(field: str) -> int | None:
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:")), None)
