"""Compiled code and its cache on disk: a damaged or full one costs time, and nothing else."""

import errno
import os
import subprocess
import sys
from pathlib import Path

from tests.support.paths import ROOT

KERNEL = """
from tsslbp.system import compiled

@compiled(cache=True)
def plus_one(x):
    return x + 1
"""
FULL = f"""
from numba.core.caching import IndexDataCacheFile

def full(*_):
    raise OSError({errno.ENOSPC}, "No space left on device")

IndexDataCacheFile.save = full
"""
USE = "from kernel import plus_one; print(plus_one(1), sum(plus_one.stats.cache_hits.values()))"


def use(folder: Path, before: str = "") -> list[int]:
    """What a new process computes, and how often it found compiled code in the cache."""
    (folder / "kernel.py").write_text(KERNEL)
    environment = {**os.environ, "PYTHONPATH": f"{folder}:{ROOT}", "NUMBA_CACHE_DIR": str(folder / "cache")}
    done = subprocess.run([sys.executable, "-c", before + USE], env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return list(map(int, done.stdout.split()))


def test_a_damaged_file_in_the_cache_is_replaced(tmp_path: Path) -> None:
    """A power cut soon after the first compilation leaves files that have a name and no content."""
    assert use(tmp_path) == [2, 0]
    for suffix in ("nbi", "nbc"):
        (damaged,) = (tmp_path / "cache").rglob(f"*.{suffix}")
        damaged.write_bytes(b"")
        assert use(tmp_path) == [2, 0], suffix
    assert use(tmp_path) == [2, 1]


def test_a_full_disk_leaves_the_cache_empty(tmp_path: Path) -> None:
    assert use(tmp_path, FULL) == [2, 0]
