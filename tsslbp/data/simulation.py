"""Simulate an event camera that looks at the digits as N-MNIST's camera looked at MNIST.

The camera turns through three saccades of 105 ms, so that the scene moves over its 34x34 pixels along a triangle: 3.5 pixels
to the right and 7 down, 3.5 to the right and 7 up, 7 to the left. A pixel reports an event whenever the logarithm of its
brightness has changed by a threshold since its last event: ON when brighter, OFF when darker (Lichtsteiner, Posch &
Delbruck, IEEE JSSC 2008, doi 10.1109/JSSC.2007.914337). Brightness is computed every 2.5 ms; in between its logarithm
is a straight line, from which an event's microsecond follows.

The recordings go into Train.zip and Test.zip in N-MNIST's layout and format, so that the reader of N-MNIST reads them.
"""

import math
import zipfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tsslbp.data.digits import make_digits
from tsslbp.data.events import EVENT, SACCADE_US, SENSOR, SHIFT_X, SHIFT_Y, Events, write_events
from tsslbp.data.images import Split
from tsslbp.data.readers import EVENT_FILES
from tsslbp.progress import Progress
from tsslbp.storage.files import whole_file
from tsslbp.storage.folders import write_errors_named
from tsslbp.system import compiled

SEED = 2015
STEP_US = 2500  # in which the scene moves by a sixth of a pixel; the saccades are multiples of it
DURATION_US = 3 * SACCADE_US
# The scene of 28 pixels and its movement of 7 need one pixel more than the sensor has: half of it is lost on each side.
MARGIN = -0.5
DARK = 0.1  # what the darkest pixel still receives, as a share of the brightest
# Change of the logarithm. A recording gets 3,800 bins in 100 steps and 1,140 in 30; N-MNIST's have 3,900 and 1,380.
THRESHOLD = 0.5
MISMATCH = 0.03  # standard deviation of the pixels' thresholds, relative; real sensors have 2 to 4 percent
NOISE_EVENTS = 60  # events from nothing in a recording, on average


def scene_path() -> NDArray[np.float64]:
    """Return where the scene is, (steps, 2) in pixels to the right and down, at every STEP_US from 0 to the end of the saccades."""
    time = np.arange(0, DURATION_US + 1, STEP_US)
    corners = np.array([0, SACCADE_US, 2 * SACCADE_US, DURATION_US])
    right = np.interp(time, corners, [0, SHIFT_X, 2 * SHIFT_X, 0])
    down = np.interp(time, corners, [0, SHIFT_Y, 0, 0])
    return np.stack([right, down], axis=1)


def simulate(image: NDArray[np.uint8], seed: tuple[int, ...]) -> Events:
    """Simulate one recording of an image.

    Args:
        image: (28, 28), 0 to 255.
        seed: of the sensor's noise; recordings of one seed and image are equal.

    Returns:
        (n,) structured array of EVENT, in the order of time.
    """
    generator = np.random.default_rng(np.random.SeedSequence(seed))
    thresholds = THRESHOLD * (1 + MISMATCH * np.clip(generator.standard_normal((SENSOR, SENSOR)), -3, 3))
    signal = _events_of_changes(image.astype(np.float64) / 255, scene_path(), thresholds)
    noise = _noise(generator)
    events = np.concatenate([signal.astype(np.int32), noise])
    # Equal times are possible: every column decides, so the order does not depend on how events were found.
    events = events[np.lexsort(events.T)]
    recording = np.empty(len(events), EVENT)
    for column, field in enumerate(("x", "y", "p", "t")):
        recording[field] = events[:, column]
    return recording


def _noise(generator: np.random.Generator) -> NDArray[np.int32]:
    high = np.array([SENSOR, SENSOR, 2, DURATION_US])
    return generator.integers(0, high, (generator.poisson(NOISE_EVENTS), 4), dtype=np.int32)


@compiled(cache=True)
def _log_brightness(scene: NDArray[np.float64], x: float, y: float) -> float:
    """Return the logarithm of what falls on a pixel: the scene, linear between its pixels and dark outside, and the DARK share."""
    left, top = math.floor(x), math.floor(y)
    right_share, bottom_share = x - left, y - top
    total = DARK
    for row in range(2):
        for column in range(2):
            j, i = top + row, left + column
            if 0 <= i < scene.shape[1] and 0 <= j < scene.shape[0]:
                share = (right_share if column else 1 - right_share) * (bottom_share if row else 1 - bottom_share)
                total += share * scene[j, i]
    return math.log(total)


@compiled(cache=True)
def _events_of_changes(scene: NDArray[np.float64], path: NDArray[np.float64], thresholds: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return rows (x, y, p, t) of the events that the moving scene causes, pixel by pixel."""
    events = np.empty((4096, 4), np.int64)
    count = 0
    for y in range(SENSOR):
        for x in range(SENSOR):
            before = _log_brightness(scene, x - MARGIN - path[0, 0], y - MARGIN - path[0, 1])
            reported, threshold = before, thresholds[y, x]
            for step in range(1, len(path)):
                now = _log_brightness(scene, x - MARGIN - path[step, 0], y - MARGIN - path[step, 1])
                while abs(now - reported) >= threshold:
                    brighter = now > reported
                    reported += threshold if brighter else -threshold
                    share = (reported - before) / (now - before)
                    if count == len(events):
                        events = np.concatenate((events, np.empty_like(events)))
                    events[count] = (x, y, 1 if brighter else 0, round((step - 1 + share) * STEP_US))
                    count += 1
                before = now
    return events[:count]


def write_recordings(folder: Path, workers: int, progress: Progress) -> None:
    """Write the recordings of all digits as Train.zip and Test.zip into `folder`; the same bytes for any number of workers."""
    with ThreadPoolExecutor(workers) as pool:
        try:
            for split, (name, digits) in enumerate(zip(EVENT_FILES, make_digits(), strict=True)):
                recordings = pool.map(partial(_recording, digits, split), range(len(digits.labels)))
                with progress.track(name, len(digits.labels), "recordings") as advance:
                    _write_archive(folder / name, digits, recordings, advance)
        finally:
            pool.shutdown(cancel_futures=True)


def _write_archive(path: Path, digits: Split, recordings: Iterable[bytes], advance: Callable[[int], None]) -> None:
    with write_errors_named(path), whole_file(path) as part, zipfile.ZipFile(part, "w") as archive:
        for number, (label, data) in enumerate(zip(digits.labels, recordings, strict=True), start=1):
            # Not packed: packed bytes differ between versions of the packing library.
            archive.writestr(zipfile.ZipInfo(f"{path.stem}/{label}/{number:05}.bin"), data)
            advance(1)


def _recording(digits: Split, split: int, index: int) -> bytes:
    return write_events(simulate(digits.images[index, 0], (SEED, split, index)))
