"""Recordings of an event camera as pure functions: bytes -> events -> stabilized events -> binned events.

An event camera reports no pictures: each pixel sends an event whenever it becomes brighter or darker. N-MNIST's camera has
34x34 pixels and turns through three saccades of about 105 ms, so that the digit moves along a triangle. A recording is a run of
5-byte records: x, y, then 24 bits big-endian, of which the first is the polarity (1 = ON, brighter) and 23 are a timestamp in
microseconds. Source: Orchard et al., Frontiers in Neuroscience 2015, doi 10.3389/fnins.2015.00437; stabilization and binning
are those of the TSSL-BP reference code.

A `shape` is that of one frame: (channels, height, width). A channel is a polarity for a camera.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tsslbp.arguments import shown
from tsslbp.data.event_checks import check_bins, check_events, check_sizes

SENSOR = 34  # N-MNIST's pixels on a side
SHAPE = (2, SENSOR, SENSOR)
RECORD_BYTES = 5
SACCADE_US = 105_000
SHIFT_X, SHIFT_Y = 3.5, 7.0  # pixels that the scene moves to the right and down in the first saccade

EVENT = np.dtype([("x", np.int16), ("y", np.int16), ("p", np.uint8), ("t", np.int32)])
"""One event: column x and row y (0-based), polarity or channel p (1 = ON, 0 = OFF), time t in microseconds."""

Events = NDArray[np.void]
"""A structured array of EVENT, in the order of the recording."""

Shape = tuple[int, int, int]


def read_events(source: str | Path | bytes, sensor: tuple[int, int] = (SENSOR, SENSOR)) -> Events:
    """Read a recording in N-MNIST's format.

    Args:
        source: a `.bin` file, or its content.
        sensor: height and width of the sensor in pixels; the format allows up to 256 each. In recordings of some other cameras
            a record of row 240 is no event but an overflow of the timestamp: these cannot be read.

    Returns:
        (n,) structured array of EVENT.

    Raises:
        TypeError: source is neither a path nor bytes, or sensor not two whole numbers.
        FileNotFoundError: there is no such file.
        ValueError: the recording is a folder, is empty, does not end after a record, or holds a pixel that the sensor does not have.

    >>> read_events(bytes([3, 33, 0x80, 0x03, 0xE8])).tolist()
    [(3, 33, 1, 1000)]
    """
    where = "source" if isinstance(source, bytes) else str(source)
    check_sizes("sensor", sensor, "height, width")
    data = source if isinstance(source, bytes) else _content(source)
    if not data or len(data) % RECORD_BYTES:
        raise ValueError(f"{where}: {len(data)} bytes; a recording has one or more records of {RECORD_BYTES} bytes")
    raw = np.frombuffer(data, np.uint8).reshape(-1, RECORD_BYTES)
    height, width = sensor
    outside = np.flatnonzero((raw[:, 0] >= width) | (raw[:, 1] >= height))
    if outside.size:
        x, y = raw[outside[0], :2].tolist()
        raise ValueError(f"{where}: event {outside[0]} is at x={x}, y={y}; the sensor's pixels are x 0 to {width - 1}, y 0 to {height - 1}")
    events = np.empty(len(raw), EVENT)
    events["x"], events["y"], events["p"] = raw[:, 0], raw[:, 1], raw[:, 2] >> 7
    high, middle, low = (column.astype(np.int32) for column in (raw[:, 2] & 0x7F, raw[:, 3], raw[:, 4]))
    events["t"] = high << 16 | middle << 8 | low
    return events


def _content(source: object) -> bytes:
    if not isinstance(source, (str, Path)):
        raise TypeError(f"source {shown(source)}: expected the path of a recording, or its bytes")
    if Path(source).is_dir():
        raise ValueError(f"source {str(source)!r}: is a folder; expected a recording")
    return Path(source).read_bytes()


def write_events(events: Events, sensor: tuple[int, int] = (SENSOR, SENSOR)) -> bytes:
    """Return the bytes of a recording in N-MNIST's format; `read_events` gives the same events back.

    Args:
        events: (n,) structured array of EVENT, at least one.
        sensor: height and width of the sensor in pixels, at most 256 each.

    Raises:
        ValueError: a pixel, a polarity or a time does not fit a record.
    """
    for axis, size in (("y", min(sensor[0], 256)), ("x", min(sensor[1], 256))):
        if events[axis].min() < 0 or events[axis].max() >= size:
            raise ValueError(f"an event lies outside of the sensor's pixels, {axis} 0 to {size - 1}")
    if events["p"].max() > 1:
        raise ValueError(f"polarities up to {events['p'].max()}; a record holds 0 or 1")
    time = events["t"].astype(np.int64)
    if time.min() < 0 or time.max() >= 1 << 23:
        raise ValueError(f"times from {time.min()} to {time.max()} us; a record holds 0 to {(1 << 23) - 1}")
    raw = np.empty((len(events), RECORD_BYTES), np.uint8)
    raw[:, 0], raw[:, 1] = events["x"], events["y"]
    raw[:, 2], raw[:, 3], raw[:, 4] = events["p"] << 7 | time >> 16, time >> 8 & 0xFF, time & 0xFF
    return raw.tobytes()


def stabilize(events: Events) -> Events:
    """Take the movement of N-MNIST's camera out of the coordinates, so that the digit stands still.

    Args:
        events: (n,) structured array of EVENT from a sensor of 34x34 pixels that moves in N-MNIST's saccades; not edited.

    Returns:
        A new array of the events that lie inside the sensor afterwards, in the same order.

    Raises:
        TypeError: events are not a structured array.
        ValueError: events lack a field, have several axes, or fields that are not whole numbers.
    """
    check_events(events)
    time = events["t"].astype(np.float64)
    first, second = time <= SACCADE_US, time <= 2 * SACCADE_US  # the third is all the rest
    elapsed = time - np.select([first, second], [0, SACCADE_US], 2 * SACCADE_US)
    # Multiplied before divided, so that the halves, which decide how rounding falls, are exact.
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


def select_time(events: Events, first_us: int = 0, last_us: int | None = None) -> Events:
    """Keep the events of a window of time, and count their time from its start.

    Kept are first_us < t <= last_us, and t = 0 where first_us is 0: windows side by side divide a recording, and the first
    saccade of N-MNIST is `last_us=105_000`.

    Args:
        events: (n,) structured array of EVENT; not edited.
        first_us: start of the window in microseconds.
        last_us: its end; None for that of the recording.

    Returns:
        A new array, in the same order.

    >>> events = np.array([(0, 0, 1, t) for t in (0, 900, 1000, 1001)], EVENT)
    >>> select_time(events, last_us=1000)["t"].tolist(), select_time(events, first_us=900)["t"].tolist()
    ([0, 900, 1000], [100, 101])
    """
    time = events["t"]
    kept = (time > first_us) | ((time == 0) & (first_us == 0))
    if last_us is not None:
        kept &= time <= last_us
    selected: Events = events[kept]
    selected["t"] -= first_us
    return selected


def bin_events(events: Events, time_steps: int, window_us: int = 3000, shape: Shape = SHAPE) -> NDArray[np.int16]:
    """Bin events in time; each bin is 0 or 1, however many events fall in it.

    With c = ceil(t / window) an event belongs to step max(c, 1) - 1, and is dropped where c >= time_steps. So the last step
    is always empty, and fewer steps see a prefix of what more steps see. In the reference, too, but for events at t = 0,
    which it puts into the last step (docs/deviations.md).

    Args:
        events: (n,) structured array of EVENT.
        time_steps: number of steps, at least 1.
        window_us: length of a step in microseconds.
        shape: channels, height and width of a frame.

    Returns:
        (m, 4) sorted unique rows (step, polarity, y, x); polarity 1 is ON.

    Raises:
        TypeError: events are not a structured array, or a number is not a whole one.
        ValueError: time_steps or window_us is not positive, there are too many steps for 16 bits, an event lies outside of the
            frame, or `stabilize` would refuse the events.

    >>> events = np.array([(3, 33, 1, 1000), (3, 33, 1, 2000), (0, 5, 0, 3001)], EVENT)
    >>> bin_events(events, time_steps=5).tolist()
    [[0, 1, 33, 3], [1, 0, 5, 0]]
    """
    check_events(events)
    check_bins(time_steps, window_us, shape)
    codes = bin_codes(events, time_steps, window_us, shape)
    return np.stack(np.unravel_index(codes, (time_steps, *shape)), axis=1).astype(np.int16)


def bin_codes(events: Events, time_steps: int, window_us: int, shape: Shape = SHAPE) -> NDArray[np.int64]:
    """Do what `bin_events` does, with each row as one number, its index in a (time_steps, *shape) tensor; sorted and unique."""
    for field, size in zip(("p", "y", "x"), shape, strict=True):
        if len(events) and not 0 <= events[field].min() <= events[field].max() < size:
            raise ValueError(
                f"events with {field} from {events[field].min()} to {events[field].max()}; a frame {shape} has 0 to {size - 1}"
            )
    _, height, width = shape
    window = -(-events["t"].astype(np.int64) // window_us)  # ceil(t / window)
    step = np.maximum(window, 1) - 1
    p, y, x = (events[field].astype(np.int64) for field in ("p", "y", "x"))
    code = ((step * shape[0] + p) * height + y) * width + x
    return np.unique(code[window < time_steps])
