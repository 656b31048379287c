"""What the machine offers and how a process uses it: the allocator, compiled code, the device. It decides no bits.

PyTorch is imported by the functions that need it: simulating recordings does without, and begins two seconds earlier.
"""

import ctypes
import functools
import sys
from collections.abc import Callable
from contextlib import suppress
from types import FunctionType
from typing import TYPE_CHECKING, Any

from numba import njit

from tsslbp.limits import usable_cores, usable_memory
from tsslbp.settings import SettingsError

if TYPE_CHECKING:
    import torch

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4  # glibc's malloc.h
_TOP_PAD = 2**28
THREADS_PER_CORE = 4
"""A row that began on a larger machine may go on here with its number of threads, slowly; more than this is a slip."""


@functools.cache
def keep_large_blocks() -> bool:
    """Let the C library keep freed blocks for the next training step; returns whether it could be told so.

    By default glibc maps every large tensor anew and gives it back after use, and the page faults cost up to half of
    a training step (measured: N-MNIST 813 to 440 ms). Only speed changes, and the process holds on to its peak.
    Without glibc nothing is done.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:
        return False
    return bool(mallopt(_M_MMAP_MAX, 0) and mallopt(_M_TRIM_THRESHOLD, 2**31 - 1) and mallopt(_M_TOP_PAD, _TOP_PAD))


def compiled(cache: bool = False, parallel: bool = False) -> Callable[[Any], Any]:
    """Numba's decorator as every kernel here uses it: IEEE arithmetic, no fastmath, without the interpreter's lock.

    Args:
        cache: keep the compiled code on disk, where there is a folder to keep it in; functions that are called by others need not.
        parallel: let `prange` use Numba's threads.
    """

    def decorate(function: Any) -> Any:
        if parallel:
            # Numba's cache knows a function by its name, not by its options: the same function in one thread would be taken for it.
            function = FunctionType(function.__code__, function.__globals__, function.__name__)
            function.__qualname__ = f"{function.__name__}_parallel"
        if cache:
            try:
                return _with_forgiving_cache(njit(error_model="numpy", nogil=True, cache=True, parallel=parallel)(function))
            except RuntimeError:  # neither the package's folder nor the user's can be written: compile anew in every process
                pass
        return njit(error_model="numpy", nogil=True, parallel=parallel)(function)

    return decorate


def _with_forgiving_cache(kernel: Any) -> Any:
    """Let a kernel be compiled anew where its file in the cache is damaged, as a power cut leaves it, and do without where the disk is full."""
    cache = kernel._cache
    load, save = cache.load_overload, cache.save_overload

    def load_overload(*arguments: Any) -> Any:
        try:
            return load(*arguments)
        except Exception:  # whatever a damaged file makes the interpreter of its pickle do
            with suppress(OSError):
                cache.flush()
            return None

    def save_overload(*arguments: Any) -> None:
        with suppress(OSError):
            save(*arguments)

    cache.load_overload, cache.save_overload = load_overload, save_overload
    return kernel


def pick_device(wanted: str) -> "torch.device":
    """The device that the settings name; "auto" is the GPU where there is one.

    Raises:
        SettingsError: a CUDA device is asked for that is not there.
    """
    import torch

    if wanted == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(wanted)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise SettingsError(f"execution.device: got {wanted!r}, but PyTorch sees {torch.cuda.device_count()} CUDA devices; set auto or cpu")
    return device


def memory_of(device: "torch.device") -> int:
    """Bytes of memory that a device has; of a CPU those that this process may use."""
    if device.type == "cuda":
        import torch

        return torch.cuda.get_device_properties(device).total_memory
    return usable_memory()


def onednn_takes(precision: str) -> bool:
    """Whether oneDNN has dense products in this precision on this processor: those in bf16 need AVX-512, or instructions that came later."""
    import torch

    return precision != "bf16" or bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def check_threads(threads: int) -> None:
    """Refuse a number of CPU threads that this machine cannot serve.

    Raises:
        SettingsError: there are more than `THREADS_PER_CORE` for each core.
    """
    cores = usable_cores()
    if threads > cores * THREADS_PER_CORE:
        raise SettingsError(
            f"execution.threads: got {threads}, but this process may use {cores} cores; set at most {cores * THREADS_PER_CORE}"
        )
