"""A zip archive of recordings -> sparse arrays, on all cores.

A split of n recordings becomes, in `folder`:
- `cells.npy`: uint16, every bin that holds an event, as its index in a (2, 34, 34) frame; recording after recording, and
  within a recording step after step;
- `offsets.npy`: int64 (n + 1,), where each recording's cells begin, and where the last one's end;
- `steps.npy`: uint32 (n, time_steps + 1), where within its recording the cells of each step begin, and where they end;
- `labels.npy`: uint8 (n,).
"""

import os
import re
import signal
import threading
import zipfile
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context, parent_process
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tsslbp.data.archives import open_zip, read_entry
from tsslbp.data.arrays import GrowingArray
from tsslbp.data.events import SENSOR, bin_codes, read_events, stabilize
from tsslbp.progress import Progress
from tsslbp.settings import Dataset

FRAME = 2 * SENSOR * SENSOR
"""Cells of one time step."""

# Opening the largest archive takes 0.5 s, and every chunk does it; 2,048 recordings take 2 s.
LARGEST_CHUNK = 2048


@dataclass(frozen=True)
class Member:
    """A recording in an archive."""

    name: str
    label: int
    number: int


@dataclass(frozen=True)
class Chunk:
    """The sparse arrays of some consecutive recordings; `counts` (n,) are the cells of each."""

    cells: NDArray[np.uint16]
    counts: NDArray[np.int64]
    steps: NDArray[np.uint32]


def list_members(path: Path, archive: zipfile.ZipFile, classes: int) -> list[Member]:
    """The recordings `<label>/<number>.bin` of an archive, by number, so that sample i is the same everywhere.

    Raises:
        ValueError: a recording is not named so, its label is no class, or there are none.
    """
    members = []
    for name in archive.namelist():
        if not name.endswith(".bin"):
            continue
        match = re.fullmatch(r"(?:[^/]+/)?(\d{1,9})/(\d{1,9})\.bin", name)
        if match is None or int(match[1]) >= classes:
            raise ValueError(f"{path}: entry {name!r}; a recording is named <label>/<number>.bin with a label from 0 to {classes - 1}")
        members.append(Member(name, int(match[1]), int(match[2])))
    if not members:
        raise ValueError(f"{path}: holds no recordings, <label>/<number>.bin")
    return sorted(members, key=lambda member: (member.number, member.label, member.name))


def convert(path: Path, folder: Path, dataset: Dataset, workers: int, progress: Progress) -> int:
    """Convert the recordings of the archive `path` into sparse arrays in `folder`.

    Args:
        path: the archive.
        folder: exists; what it holds is no result until this function returns.
        dataset: its time_steps and window_us say how to bin.
        workers: processes; the arrays are the same for any number of them.
        progress: told of every chunk of recordings.

    Returns:
        The number of recordings.

    Raises:
        ValueError: the archive or a recording is damaged; the message names both.
        OSError: a file cannot be written.
        MemoryError: a worker was killed, which is what happens where memory is short.
    """
    time_steps, window_us = _binning(dataset)
    with open_zip(path) as archive:
        members = list_members(path, archive, dataset.classes)
    size = max(1, min(LARGEST_CHUNK, len(members) // (4 * workers)))
    names = [[member.name for member in members[start : start + size]] for start in range(0, len(members), size)]
    np.save(folder / "labels.npy", np.array([member.label for member in members], np.uint8))
    counts = [np.zeros(1, np.int64)]
    with ExitStack() as stack:
        cells = stack.enter_context(GrowingArray(folder / "cells.npy", np.uint16))
        steps = stack.enter_context(GrowingArray(folder / "steps.npy", np.uint32, (time_steps + 1,)))
        advance = stack.enter_context(progress.track(path.name, len(members), "recordings"))
        for chunk in _in_order(partial(convert_chunk, path, time_steps, window_us), names, workers):
            cells.append(chunk.cells)
            steps.append(chunk.steps)
            counts.append(chunk.counts)
            advance(len(chunk.counts))
    np.save(folder / "offsets.npy", np.cumsum(np.concatenate(counts)))
    return len(members)


def _binning(dataset: Dataset) -> tuple[int, int]:
    if dataset.shape != (2, SENSOR, SENSOR) or dataset.time_steps is None or dataset.window_us is None:
        raise ValueError(f"{dataset.title}: shape {list(dataset.shape)}; recordings are stabilised for [2, {SENSOR}, {SENSOR}] alone")
    return dataset.time_steps, dataset.window_us


def convert_chunk(path: Path, time_steps: int, window_us: int, names: Sequence[str]) -> Chunk:
    """Convert some recordings of an archive; runs in a worker process."""
    codes: list[NDArray[np.int64]] = []
    with open_zip(path) as archive:
        for name in names:
            data = read_entry(archive, name)
            try:
                codes.append(bin_codes(stabilize(read_events(data)), time_steps, window_us))
            except ValueError as error:
                raise ValueError(f"{path}: entry {name!r}: {error}") from None
    first_codes = np.arange(time_steps + 1) * FRAME
    return Chunk(
        cells=np.concatenate([code % FRAME for code in codes]).astype(np.uint16),
        counts=np.array([len(code) for code in codes], np.int64),
        steps=np.stack([np.searchsorted(code, first_codes) for code in codes]).astype(np.uint32),
    )


def _in_order(task: Callable[[list[str]], Chunk], chunks: Sequence[list[str]], workers: int) -> Iterator[Chunk]:
    """Results in the order of `chunks`, with few of them waiting in memory."""
    if workers == 1:
        yield from map(task, chunks)
        return
    # "spawn": a forked copy of a process that runs threads (torch, Numba) may stop for ever.
    with ProcessPoolExecutor(workers, get_context("spawn"), _start_worker) as pool:
        waiting: deque[Future[Chunk]] = deque()
        try:
            for chunk in chunks:
                waiting.append(pool.submit(task, chunk))
                if len(waiting) > 2 * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BrokenExecutor:
            raise MemoryError("a worker process was killed, perhaps for want of memory; try fewer (execution.workers)") from None
        finally:
            pool.shutdown(cancel_futures=True)


def _start_worker() -> None:
    """Let an interrupt from the keyboard, which reaches every process, end this one without a word; and never outlive the parent."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    threading.Thread(target=_follow_parent, daemon=True).start()


def _follow_parent() -> None:
    if (parent := parent_process()) is not None:
        parent.join()
        os._exit(1)
