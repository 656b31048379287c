"""Disks that are small, full, or hold no large file."""

import errno
import os
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

Mount = Callable[[Path], None]


@contextmanager
def small_disks() -> Iterator[Mount]:
    """Put a file system of 64 MB, in memory, at a folder; where that is not possible, the test is skipped."""
    mounted: list[Path] = []

    def mount_at(folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", folder], capture_output=True, text=True)
        if done.returncode != 0:
            pytest.skip(f"a small disk cannot be mounted here: {done.stderr.strip()}")
        mounted.append(folder)

    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("to mount a small disk one has to be root")
    try:
        yield mount_at
    finally:
        for folder in mounted:
            subprocess.run(["umount", "--lazy", folder], check=True)


def fill(folder: Path, room: int) -> Path:
    """A file that leaves so many bytes of a disk free."""
    filler = folder / "filler"
    with filler.open("wb") as file:
        free = os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize
        file.write(bytes(max(free - room, 0)))
    return filler


def limit(size: int) -> None:
    """Let no file grow beyond this: what a quota or an old file system does, without a disk of one's own."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def fill_at(name: str) -> None:
    """A disk that turns out to be full when a file of this name is to reach it."""
    reach = os.fsync

    def fsync(descriptor: int) -> None:
        if name in str(Path(f"/proc/self/fd/{descriptor}").readlink()):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        reach(descriptor)

    os.fsync = fsync
