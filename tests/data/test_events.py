import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.paths import REFERENCE
from tsslbp.data.events import EVENT, SACCADE_US, SENSOR, bin_events, read_events, stabilize, write_events

BINNED = REFERENCE / "nmnist_binning.npz"
recordings = st.lists(
    st.tuples(st.integers(0, 33), st.integers(0, 33), st.integers(0, 1), st.integers(0, (1 << 23) - 1)), min_size=1, max_size=60
)


def make_events(rows):
    return np.array(rows, dtype=EVENT)


@pytest.mark.parametrize("recording", range(3))
@pytest.mark.parametrize("time_steps", [100, 30])
def test_equals_the_reference(recording, time_steps):
    with np.load(BINNED) as reference:
        events = read_events(reference[f"raw_{recording}"].tobytes())
        expected = reference[f"bins{time_steps}_{recording}"]
    np.testing.assert_array_equal(bin_events(stabilize(events), time_steps), expected)


def test_reads_every_bit_of_a_record(tmp_path):
    path = tmp_path / "one.bin"
    path.write_bytes(bytes([3, 33, 0x81, 0x02, 0x03, 0, 0, 0x7F, 0xFF, 0xFF]))
    events = read_events(path)
    assert events["x"].tolist() == [3, 0]
    assert events["y"].tolist() == [33, 0]
    assert events["p"].tolist() == [1, 0]
    assert events["t"].tolist() == [0x010203, 0x7FFFFF]


@settings(deadline=None)
@given(recordings)
def test_write_and_read_are_inverse(rows):
    events = make_events(rows)
    np.testing.assert_array_equal(read_events(write_events(events)), events)


@pytest.mark.parametrize("width", ["u1", "u4", "u8", "i8"])
def test_events_of_any_whole_numbers_give_the_same_frames(width):
    """NumPy would make floats of unsigned 64-bit numbers beside signed ones."""
    events = make_events([(3, 5, 1, 4000), (33, 0, 0, 90_000)])
    others = events.astype([(field, width if field != "t" else "i8") for field in EVENT.names])
    np.testing.assert_array_equal(bin_events(others, 30), bin_events(events, 30))


@pytest.mark.parametrize("length", [0, 1, 4, 6, 5001])
def test_a_length_that_is_no_multiple_of_five_is_refused(tmp_path, length):
    path = tmp_path / "00007.bin"
    path.write_bytes(bytes(length))
    with pytest.raises(ValueError, match=rf"00007\.bin: {length} bytes"):
        read_events(path)


@pytest.mark.parametrize(("x", "y"), [(34, 0), (0, 34), (255, 255)])
def test_a_pixel_beyond_the_sensor_is_refused(x, y):
    with pytest.raises(ValueError, match=rf"event 1 is at x={x}, y={y}; .* 0 to 33"):
        read_events(bytes(5) + bytes([x, y, 0, 0, 0]))


@pytest.mark.parametrize(("field", "value"), [("x", 34), ("y", -1), ("p", 2), ("t", 1 << 23), ("t", -1)])
def test_what_fits_no_record_is_not_written(field, value):
    events = make_events([(0, 0, 0, 0)])
    events[field] = value
    with pytest.raises(ValueError, match=r"record|sensor"):
        write_events(events)


def exact_stabilized(x, y, t):
    """The same by whole numbers: 1-based coordinates over the common denominator 2 * SACCADE_US, halves away from zero."""
    scale = 2 * SACCADE_US
    if t <= SACCADE_US:
        shift_x, shift_y = -7 * t, -14 * t
    elif t <= 2 * SACCADE_US:
        shift_x, shift_y = -7 * t, -7 * scale + 14 * (t - SACCADE_US)
    else:
        shift_x, shift_y = -7 * scale + 14 * (t - 2 * SACCADE_US), 0
    rounded = []
    for value in ((x + 1) * scale + shift_x, (y + 1) * scale + shift_y):
        magnitude = (2 * abs(value) + scale) // (2 * scale)
        rounded.append((magnitude if value >= 0 else -magnitude) - 1)
    return tuple(rounded) if all(0 <= value < SENSOR for value in rounded) else None


# Multiples of 7,500 us are where coordinates fall on halves, which is where rounding could go wrong.
@settings(deadline=None)
@given(st.integers(0, 33), st.integers(0, 33), st.one_of(st.integers(0, 400_000), st.integers(0, 45).map(lambda k: 7500 * k)))
def test_stabilize_equals_exact_arithmetic(x, y, t):
    stable = stabilize(make_events([(x, y, 1, t)]))
    assert [(event["x"], event["y"]) for event in stable] == [place for place in [exact_stabilized(x, y, t)] if place]


@settings(deadline=None)
@given(recordings)
def test_stabilize_edits_nothing_and_keeps_polarity_time_and_order(rows):
    events = make_events([(*row, index) for index, row in enumerate(row[:3] for row in rows)])
    before = events.copy()
    stable = stabilize(events)
    np.testing.assert_array_equal(events, before)
    assert not np.shares_memory(events, stable)
    kept = events[np.isin(events["t"], stable["t"])]
    np.testing.assert_array_equal(stable["t"], kept["t"])
    np.testing.assert_array_equal(stable["p"], kept["p"])
    assert all(stable[axis].min(initial=0) >= 0 and stable[axis].max(initial=0) < SENSOR for axis in ("x", "y"))


def test_a_point_that_moves_with_the_saccades_stands_still_when_stabilized():
    path = [(0, 5, 5), (60_000, 7, 9), (105_000, 9, 12), (150_000, 10, 9), (210_000, 12, 5), (270_000, 8, 5), (315_000, 5, 5)]
    stable = stabilize(make_events([(x, y, 1, t) for t, x, y in path]))
    assert len(stable) == len(path)
    assert np.abs(stable["x"] - 5).max() <= 1
    assert np.abs(stable["y"] - 5).max() <= 1


@settings(deadline=None)
@given(recordings, st.integers(1, 120), st.integers(1, 10_000))
def test_binning_equals_its_definition(rows, time_steps, window_us):
    expected = set()
    for x, y, polarity, time in rows:
        window = -(-time // window_us)
        if window < time_steps:
            expected.add((max(window, 1) - 1, polarity, y, x))
    assert [tuple(row) for row in bin_events(make_events(rows), time_steps, window_us).tolist()] == sorted(expected)


@settings(deadline=None)
@given(recordings, st.integers(2, 50))
def test_fewer_steps_see_a_prefix_and_the_last_step_is_empty(rows, time_steps):
    events = make_events(rows)
    long, short = bin_events(events, 100), bin_events(events, time_steps)
    np.testing.assert_array_equal(short, long[long[:, 0] < time_steps - 1])


@pytest.mark.parametrize(("time_steps", "window_us"), [(0, 3000), (-1, 3000), (1 << 15, 3000), (10, 0)])
def test_impossible_bins_are_refused(time_steps, window_us):
    with pytest.raises(ValueError, match=rf"(time_steps {time_steps}|window_us {window_us}): must be 1 to"):
        bin_events(make_events([(0, 0, 0, 0)]), time_steps, window_us)


@pytest.mark.parametrize(
    ("events", "error", "message"),
    [
        ([(0, 0, 0, 0)], TypeError, "events .*: expected a structured NumPy array"),
        (np.zeros((4, 4)), TypeError, r"events ndarray of shape \(4, 4\)"),
        (make_events([(0, 0, 0, 0)])[None], ValueError, r"events of shape \(1, 1\)"),
        (make_events([(0, 0, 0, 0)])[["x", "y", "p"]], ValueError, "t is missing"),
        (make_events([(0, 0, 0, 0)]).astype([(name, "f4") for name in EVENT.names]), ValueError, "x is missing or not a whole number"),
    ],
)
def test_what_are_not_events_is_named(events, error, message):
    for call in (stabilize, lambda found: bin_events(found, 5)):
        with pytest.raises(error, match=message):
            call(events)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((5.0, 3000), TypeError, r"time_steps 5\.0: expected a whole number"),
        ((5, 0.5), TypeError, r"window_us 0\.5"),
        ((5, 2**70), ValueError, "window_us 1180591620717411303424: must be 1 to 2147483647"),
        ((5, 3000, (34, 34)), ValueError, r"shape \(34, 34\): expected \(channels, height, width\)"),
        ((5, 3000, (2, 34, 0)), ValueError, "shape 0: must be 1 to"),
    ],
)
def test_bins_that_cannot_be_are_named(arguments, error, message):
    with pytest.raises(error, match=message):
        bin_events(make_events([(0, 0, 0, 0)]), *arguments)


@pytest.mark.parametrize("source", [None, 5, [1, 2], bytearray(5)])
def test_what_is_neither_a_path_nor_bytes_is_named(source):
    with pytest.raises(TypeError, match=r"source .*: expected the path of a recording, or its bytes"):
        read_events(source)


def test_a_folder_is_not_a_recording(tmp_path):
    with pytest.raises(ValueError, match=r"source .*: is a folder"):
        read_events(tmp_path)
