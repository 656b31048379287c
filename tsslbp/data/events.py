"""N-MNIST recordings as pure functions: bytes -> events -> stabilised events -> binned events.

A recording is a run of 5-byte records: x, y, then 24 bits big-endian, of which the first is the polarity (1 = ON, the pixel
became brighter) and 23 are a timestamp in microseconds. The sensor has 34x34 pixels and moves in three saccades of about
105 ms along a triangle. Source: Orchard et al., Frontiers in Neuroscience 2015, doi 10.3389/fnins.2015.00437; the
stabilisation and binning are those of the TSSL-BP reference code.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SENSOR = 34  # pixels on a side
RECORD_BYTES = 5
SACCADE_US = 105_000
SHIFT_X, SHIFT_Y = 3.5, 7.0  # pixels that the scene moves to the right and down in the first saccade

EVENT = np.dtype([("x", np.int16), ("y", np.int16), ("p", np.uint8), ("t", np.int32)])
"""One event: column x and row y (0-based), polarity p (1 = ON, 0 = OFF), time t in microseconds."""

Events = NDArray[np.void]
"""A structured array of EVENT, in the order of the recording."""


def read_events(source: str | Path | bytes) -> Events:
    """Read a recording.

    Args:
        source: a `.bin` file, or its content.

    Returns:
        (n,) structured array of EVENT.

    Raises:
        ValueError: the recording is empty, does not end after a record, or holds a pixel that the sensor does not have.
    """
    where = "recording" if isinstance(source, bytes) else str(source)
    data = source if isinstance(source, bytes) else Path(source).read_bytes()
    if not data or len(data) % RECORD_BYTES:
        raise ValueError(f"{where}: {len(data)} bytes; a recording has one or more records of {RECORD_BYTES} bytes")
    raw = np.frombuffer(data, np.uint8).reshape(-1, RECORD_BYTES)
    outside = np.flatnonzero(raw[:, :2].max(axis=1) >= SENSOR)
    if outside.size:
        x, y = raw[outside[0], :2].tolist()
        raise ValueError(f"{where}: event {outside[0]} is at x={x}, y={y}; the sensor's pixels are 0 to {SENSOR - 1}")
    events = np.empty(len(raw), EVENT)
    events["x"], events["y"], events["p"] = raw[:, 0], raw[:, 1], raw[:, 2] >> 7
    high, middle, low = (column.astype(np.int32) for column in (raw[:, 2] & 0x7F, raw[:, 3], raw[:, 4]))
    events["t"] = high << 16 | middle << 8 | low
    return events


def write_events(events: Events) -> bytes:
    """The bytes of a recording; `read_events` gives the same events back.

    Raises:
        ValueError: a pixel or a time does not fit a record.
    """
    if not all(events[axis].min() >= 0 and events[axis].max() < SENSOR for axis in ("x", "y")):
        raise ValueError(f"an event lies outside of the sensor's pixels, 0 to {SENSOR - 1}")
    time = events["t"].astype(np.int64)
    if time.min() < 0 or time.max() >= 1 << 23:
        raise ValueError(f"times from {time.min()} to {time.max()} us; a record holds 0 to {(1 << 23) - 1}")
    raw = np.empty((len(events), RECORD_BYTES), np.uint8)
    raw[:, 0], raw[:, 1] = events["x"], events["y"]
    raw[:, 2], raw[:, 3], raw[:, 4] = events["p"] << 7 | time >> 16, time >> 8 & 0xFF, time & 0xFF
    return raw.tobytes()


def stabilize(events: Events) -> Events:
    """Take the sensor's movement out of the coordinates, so that the digit stands still.

    Args:
        events: (n,) structured array of EVENT; not edited.

    Returns:
        A new array of the events that lie inside the sensor afterwards, in the same order.
    """
    time = events["t"].astype(np.float64)
    first, second = time <= SACCADE_US, time <= 2 * SACCADE_US  # the third is all the rest
    elapsed = time - np.select([first, second], [0, SACCADE_US], 2 * SACCADE_US)
    # Multiplied before it is divided: so the halves, which rounding decides on, are exact.
    x_moved, y_moved = SHIFT_X * elapsed / SACCADE_US, SHIFT_Y * elapsed / SACCADE_US
    shift_x = np.select([first, second], [-x_moved, -SHIFT_X - x_moved], 2 * x_moved - 2 * SHIFT_X)
    shift_y = np.select([first, second], [-y_moved, y_moved - SHIFT_Y], 0.0)
    # The reference rounds coordinates that count from 1, half away from zero; from 0 the halves would fall differently.
    x = _round_half_away(events["x"] + 1 + shift_x) - 1
    y = _round_half_away(events["y"] + 1 + shift_y) - 1
    inside = (x >= 0) & (x < SENSOR) & (y >= 0) & (y < SENSOR)
    stable = events[inside]
    stable["x"], stable["y"] = x[inside], y[inside]
    return stable


def _round_half_away(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.trunc(values + np.copysign(0.5, values))


def bin_events(events: Events, time_steps: int, window_us: int = 3000) -> NDArray[np.int16]:
    """Bin events in time; each bin is 0 or 1, however many events fall in it.

    With c = ceil(t / window) an event belongs to step max(c, 1) - 1, and is dropped where c >= time_steps. So the last step
    is always empty, as in the reference, and fewer steps see a prefix of what more steps see.

    Args:
        events: (n,) structured array of EVENT.
        time_steps: steps, at least 1.
        window_us: length of a step in microseconds.

    Returns:
        (m, 4) sorted unique rows (step, polarity, y, x); polarity 1 is ON.

    Raises:
        ValueError: time_steps or window_us is not positive, or there are too many steps for 16 bits.
    """
    if not 1 <= time_steps < 1 << 15 or window_us < 1:
        raise ValueError(f"{time_steps} steps of {window_us} us; allowed: 1 to {(1 << 15) - 1} steps of at least 1 us")
    codes = bin_codes(events, time_steps, window_us)
    rows = np.empty((len(codes), 4), np.int16)
    rows[:, 0], rows[:, 1], rows[:, 2], rows[:, 3] = np.unravel_index(codes, (time_steps, 2, SENSOR, SENSOR))
    return rows


def bin_codes(events: Events, time_steps: int, window_us: int) -> NDArray[np.int64]:
    """`bin_events` with each row as one number, its index in a (time_steps, 2, 34, 34) tensor; sorted and unique."""
    window = -(-events["t"].astype(np.int64) // window_us)  # ceil(t / window)
    step = np.maximum(window, 1) - 1
    code = ((step * 2 + events["p"]) * SENSOR + events["y"]) * SENSOR + events["x"]
    return np.unique(code[window < time_steps])
