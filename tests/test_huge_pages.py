"""Huge pages are asked for where that helps and costs nothing, and the memory that is used afterwards lies on them."""

import resource
import subprocess
import sys
from pathlib import Path
from unittest.mock import Mock, call

import pytest

from tsslbp.huge_pages import advise_huge_pages
from tsslbp.limits import ROOT, kernel_says

HUGE_PAGES = "sys/kernel/mm/transparent_hugepage/enabled"
OVERCOMMIT = "proc/sys/vm/overcommit_memory"
GIB = 2**30


def c_library(block: int | None = 5000, refuses: bool = False) -> Mock:
    """A C library with one block to give."""
    library = Mock()
    library.malloc.return_value = block
    library.madvise.return_value = -1 if refuses else 0
    return library


def machine(folder: Path, huge_pages: str | None = "always [madvise] never", overcommit: str = "0") -> Path:
    """The files of a kernel on a machine of 8 GiB."""
    files = {"proc/meminfo": f"MemTotal: {8 * GIB // 1024} kB\n", OVERCOMMIT: f"{overcommit}\n"}
    if huge_pages is not None:
        files[HUGE_PAGES] = f"{huge_pages}\n"
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def test_half_of_the_memory_is_marked_in_whole_pages_and_given_back(tmp_path: Path) -> None:
    library = c_library()
    assert advise_huge_pages(library, machine(tmp_path))
    taken, marked, freed = library.mock_calls
    assert (taken, freed) == (call.malloc(4 * GIB), call.free(5000))
    first, length, advice = marked.args
    assert (first % 4096, length % 4096, advice) == (0, 0, 14)  # MADV_HUGEPAGE of asm-generic/mman-common.h
    assert 5000 <= first < 5000 + 4096
    assert 5000 + 4 * GIB - 4096 < first + length <= 5000 + 4 * GIB


@pytest.mark.parametrize("kernel", [None, "[always] madvise never", "always madvise [never]"])
def test_nothing_is_asked_where_the_kernel_does_not_leave_it_to_programs(tmp_path: Path, kernel: str | None) -> None:
    library = c_library()
    assert not advise_huge_pages(library, machine(tmp_path, kernel))
    assert library.mock_calls == []


def test_nothing_is_asked_where_the_kernel_promises_no_more_than_it_has(tmp_path: Path) -> None:
    library = c_library()
    assert not advise_huge_pages(library, machine(tmp_path, overcommit="2"))
    assert library.mock_calls == []


@pytest.mark.parametrize("limited", [resource.RLIMIT_AS, resource.RLIMIT_DATA])
def test_nothing_is_asked_where_address_space_is_rationed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limited: int) -> None:
    limits = {limited: (16 * GIB, 16 * GIB)}
    monkeypatch.setattr(resource, "getrlimit", lambda kind: limits.get(kind, (resource.RLIM_INFINITY,) * 2))
    library = c_library()
    assert not advise_huge_pages(library, machine(tmp_path))
    assert library.mock_calls == []


def test_a_library_that_has_no_such_block_is_left_alone(tmp_path: Path) -> None:
    library = c_library(block=None)
    assert not advise_huge_pages(library, machine(tmp_path))
    assert library.mock_calls == [call.malloc(4 * GIB)]


def test_the_block_is_given_back_where_the_kernel_refuses(tmp_path: Path) -> None:
    library = c_library(refuses=True)
    assert not advise_huge_pages(library, machine(tmp_path))
    assert [name for name, *_ in library.mock_calls] == ["malloc", "madvise", "free"]


ALLOCATE = """
import torch
from tsslbp.system import keep_large_blocks

assert keep_large_blocks()
blocks = [torch.ones(16 << 20) for _ in range(4)]  # 64 MB each
pages = next(int(line.split()[1]) for line in open("/proc/self/smaps_rollup") if line.startswith("AnonHugePages:"))
print(pages // 1024)
"""


@pytest.mark.skipif("[madvise]" not in kernel_says(ROOT / HUGE_PAGES), reason="this kernel does not leave huge pages to programs")
def test_large_tensors_lie_on_huge_pages() -> None:
    done = subprocess.run([sys.executable, "-c", ALLOCATE], capture_output=True, text=True, check=True, timeout=120)
    assert int(done.stdout) >= 128  # MB of 256: a kernel whose memory is in pieces has no more
