"""Memory of this process, in bytes."""

import contextlib
import ctypes
import gc
from pathlib import Path

from tsslbp.limits import peak_memory


def current() -> int:
    """Read the resident size now; where the system does not tell, the peak."""
    status = _status("VmRSS")
    return peak_memory() if status is None else status


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
