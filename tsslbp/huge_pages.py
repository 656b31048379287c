"""Huge pages under the memory that the C library hands out: 2 MB in one piece, so that the processor looks up far fewer addresses."""

import ctypes
import mmap
import resource
from pathlib import Path

from tsslbp.limits import ROOT, kernel_says, usable_memory

_SHARE = 2
"""One byte of so many that the process may use is marked: address space, which costs nothing until it is used."""


def advise_huge_pages(library: ctypes.CDLL, root: Path = ROOT) -> bool:
    """Ask the kernel for huge pages under what malloc will hand out; returns whether it was asked.

    Most kernels leave that to programs ("madvise"), and the C library does not ask. A block as large as half the memory is taken from it,
    marked and given back untouched; what malloc hands out later comes from there. For that malloc must neither map large blocks apart
    nor give the end of its memory back: see `system.keep_large_blocks`.

    Nothing is done where the kernel has no huge pages, or where address space itself is rationed: by `ulimit`, or by a kernel that
    promises no more memory than it has.

    Args:
        library: the C library of this process.
        root: where `/proc` and `/sys` lie; a test has its own.
    """
    if not _may_ask(root):
        return False
    malloc, free, madvise = library.malloc, library.free, library.madvise
    malloc.restype, malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
    free.restype, free.argtypes = None, [ctypes.c_void_p]
    madvise.restype, madvise.argtypes = ctypes.c_int, [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    size = usable_memory(root) // _SHARE
    block = malloc(size)
    if not block:
        return False
    first, end = -(-block // mmap.PAGESIZE), (block + size) // mmap.PAGESIZE  # whole pages within the block
    refused = madvise(first * mmap.PAGESIZE, (end - first) * mmap.PAGESIZE, mmap.MADV_HUGEPAGE)
    free(block)
    return not refused


def _may_ask(root: Path) -> bool:
    rationed = any(resource.getrlimit(kind)[0] != resource.RLIM_INFINITY for kind in (resource.RLIMIT_AS, resource.RLIMIT_DATA))
    if rationed or kernel_says(root / "proc/sys/vm/overcommit_memory").strip() == "2":
        return False
    return "[madvise]" in kernel_says(root / "sys/kernel/mm/transparent_hugepage/enabled")
