"""What a process does with its memory between two measurements."""

import contextlib
import ctypes
import gc
from pathlib import Path


def forget_peak() -> None:
    """Let the peak start anew from what is resident now, where the system can."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def give_back() -> None:
    """Hand freed memory to the system, which the allocator would keep for the next step; only glibc can."""
    gc.collect()
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
