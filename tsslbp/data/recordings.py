"""Convert a file of recordings into sparse arrays, on all cores.

A split of n recordings becomes, in `folder`:
- `cells.npy`: every bin that holds an event, as its index in a frame (channels, height, width), uint16 where a frame has no
  more cells than that counts, otherwise uint32; recording after recording, and within a recording step after step;
- `offsets.npy`: int64 (n + 1,), where each recording's cells begin, and where the last one's end;
- `steps.npy`: uint32 (n, time_steps + 1), where within its recording the cells of each step begin, and where they end;
- `labels.npy`: uint8 (n,).
"""

import math
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tsslbp.data.arrays import GrowingArray
from tsslbp.data.events import Events, Shape, bin_codes, select_time, stabilize
from tsslbp.data.readers import NMNIST, Reader
from tsslbp.progress import Progress
from tsslbp.settings import Dataset

# Opening the largest archive takes 0.5 s, and every chunk does it; 2,048 recordings take 2 s.
LARGEST_CHUNK = 2048


@dataclass(frozen=True)
class Chunk:
    """The sparse arrays of some consecutive recordings; `counts` (n,) are the cells of each."""

    cells: NDArray[Any]
    counts: NDArray[np.int64]
    steps: NDArray[np.uint32]


@dataclass(frozen=True)
class Converted:
    """How many samples a split has, and how many of them are recordings without an event in the steps that are kept."""

    samples: int
    empty: int = 0


def cell_type(shape: Shape) -> np.dtype[Any]:
    """Return the type of the cells of a frame of this shape."""
    return np.dtype(np.uint16 if math.prod(shape) <= 1 << 16 else np.uint32)


def prepare(events: Events, dataset: Dataset) -> Events:
    """Return the events of a recording that its dataset's settings keep: stabilized where they say so, in their window of time."""
    return select_time(stabilize(events) if dataset.stabilize else events, dataset.first_us, dataset.last_us)


def convert(path: Path, folder: Path, dataset: Dataset, workers: int, progress: Progress, reader: Reader = NMNIST) -> Converted:
    """Convert the recordings of a raw file into sparse arrays in `folder`.

    Args:
        path: the raw file.
        folder: an existing folder; what it holds is not a result until this function returns.
        dataset: its settings say which events to keep and how to bin them.
        workers: number of processes; the arrays are the same for any number of them.
        progress: told of every chunk of recordings.
        reader: how to read the raw file.

    Returns:
        The number of recordings, and of those without an event.

    Raises:
        ValueError: the file or a recording is damaged; the message names both.
        OSError: a file cannot be written.
        MemoryError: a worker was killed, which is what happens where memory is short.
    """
    assert dataset.time_steps is not None  # which a dataset of events always has
    members = reader.members(path, dataset.classes)
    size = max(1, min(LARGEST_CHUNK, len(members) // (4 * workers)))
    names = [[member.name for member in members[start : start + size]] for start in range(0, len(members), size)]
    np.save(folder / "labels.npy", np.array([member.label for member in members], np.uint8))
    counts = [np.zeros(0, np.int64)]
    with ExitStack() as stack:
        cells = stack.enter_context(GrowingArray(folder / "cells.npy", cell_type(dataset.shape)))
        steps = stack.enter_context(GrowingArray(folder / "steps.npy", np.uint32, (dataset.time_steps + 1,)))
        advance = stack.enter_context(progress.track(path.name, len(members), "recordings"))
        for chunk in _in_order(partial(convert_chunk, path, reader, dataset), names, workers):
            cells.append(chunk.cells)
            steps.append(chunk.steps)
            counts.append(chunk.counts)
            advance(len(chunk.counts))
    every = np.concatenate(counts)
    np.save(folder / "offsets.npy", np.cumsum(np.concatenate([[0], every])))
    return Converted(len(members), int((every == 0).sum()))


def convert_chunk(path: Path, reader: Reader, dataset: Dataset, names: Sequence[str]) -> Chunk:
    """Convert some recordings of a raw file; runs in a worker process."""
    assert dataset.time_steps is not None
    assert dataset.window_us is not None
    codes: list[NDArray[np.int64]] = []
    for name, events in zip(names, reader.read(path, names, dataset.shape), strict=True):
        try:
            codes.append(bin_codes(prepare(events, dataset), dataset.time_steps, dataset.window_us, dataset.shape))
        except ValueError as error:
            raise ValueError(f"{path}: recording {name!r}: {error}") from None
    frame = math.prod(dataset.shape)
    first_codes = np.arange(dataset.time_steps + 1) * frame
    return Chunk(
        cells=np.concatenate([code % frame for code in codes]).astype(cell_type(dataset.shape)),
        counts=np.array([len(code) for code in codes], np.int64),
        steps=np.stack([np.searchsorted(code, first_codes) for code in codes]).astype(np.uint32),
    )


def _in_order(task: Callable[[list[str]], Chunk], chunks: Sequence[list[str]], workers: int) -> Iterator[Chunk]:
    """Yield results in the order of `chunks`, with few of them waiting in memory."""
    if workers == 1:
        yield from map(task, chunks)
        return
    # "spawn": a forked copy of a process that runs threads (torch, Numba) may hang.
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
    """Let an interrupt from the keyboard, which reaches every process, end this one silently; never outlive the parent."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    threading.Thread(target=_follow_parent, daemon=True).start()


def _follow_parent() -> None:
    if (parent := parent_process()) is not None:
        parent.join()
        os._exit(1)
