"""Recordings under fire: any bytes, archives as people's programs pack them, and datasets of which little is kept."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from tests.fuzzing.fire import Target
from tests.support.data_builders import Said, event_dataset
from tsslbp.data.events import SENSOR, SHAPE, bin_events, read_events, stabilize
from tsslbp.data.kinds import load_split
from tsslbp.data.preprocessing import preprocess
from tsslbp.data.processed import Recordings
from tsslbp.data.readers import NMNIST
from tsslbp.data.recordings import convert_chunk
from tsslbp.method.batches import EventBatches
from tsslbp.settings import Dataset

STEPS = 30

records = st.lists(st.tuples(st.integers(0, SENSOR), st.integers(0, SENSOR), st.binary(min_size=3, max_size=3)), min_size=1, max_size=60)
recordings = st.binary(max_size=300) | st.builds(
    lambda rows, tail: b"".join(bytes([x, y]) + rest for x, y, rest in rows) + tail, records, st.just(b"") | st.binary(max_size=6)
)


def check_recording(data: bytes, folder: Path) -> None:
    """Events or a ValueError; no event outside of the frame; and what is processed becomes the same frames."""
    try:
        events = read_events(data)
    except ValueError:
        return
    rows = bin_events(stabilize(events), STEPS)
    assert ((rows >= 0) & (rows < [STEPS, 2, SENSOR, SENSOR])).all()
    with zipfile.ZipFile(folder / "Train.zip", "w") as archive:
        archive.writestr("7/1.bin", data)
    chunk = convert_chunk(folder / "Train.zip", NMNIST, event_dataset(time_steps=STEPS), ["7/1.bin"])
    processed = Recordings(chunk.cells, np.array([0, len(chunk.cells)]), chunk.steps, np.array([7], np.uint8), SHAPE)
    ((frames, _),) = EventBatches(processed, STEPS, 1).in_order()
    np.testing.assert_array_equal(np.argwhere(frames[:, 0].numpy()), rows)
    np.testing.assert_array_equal(np.argwhere(processed.frames(0)), rows)


# --- archives of recordings, as people's programs pack them

good_records = st.lists(st.tuples(pixels := st.integers(0, SENSOR - 1), pixels, st.binary(min_size=3, max_size=3)), min_size=1, max_size=9)
good_recordings = good_records.map(lambda rows: b"".join(bytes([x, y]) + rest for x, y, rest in rows))
splits = st.lists(st.tuples(st.integers(0, 9), good_recordings), min_size=1, max_size=4)
EXTRAS = ["readme.txt", ".DS_Store", "Train/.DS_Store", "Train/0/Thumbs.db", "Train/", "1.bin/"]


@st.composite
def packed_recordings(draw: st.DrawFn) -> tuple[list[tuple[int, bytes]], list[tuple[str, bytes]], int]:
    """Label and bytes of each recording; the entries of an archive of them, whose contents are right however it is packed; its method."""
    samples = draw(splits)
    place = "".join(f"{folder}/" for folder in draw(st.lists(st.sampled_from(["Train", "N-MNIST", "my data", "\u00e9.bin"]), max_size=3)))
    suffix, digits, mac = draw(st.sampled_from([".bin", ".BIN", ".Bin"])), draw(st.sampled_from(["", "05"])), draw(st.booleans())
    entries = [(f"{place}{label}/{number:{digits}}{suffix}", data) for number, (label, data) in enumerate(samples)]
    if mac:
        for name, _ in list(entries):
            folder, _, own = name.rpartition("/")
            entries += [(f"__MACOSX/{folder}/._{own}", b"Mac OS X"), (f"{folder}/._{own}", b"Mac OS X")]
    entries += [(name, b"") for name in draw(st.lists(st.sampled_from(EXTRAS), unique=True))]
    separator = draw(st.sampled_from("/\\"))
    entries = [(name.replace("/", separator), data) for name, data in draw(st.permutations(entries))]
    return samples, entries, draw(st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]))


def check_packed(packed: tuple[list[tuple[int, bytes]], list[tuple[str, bytes]], int], folder: Path) -> None:
    """All recordings, in the order of their numbers and with their labels."""
    samples, entries, method = packed
    with zipfile.ZipFile(folder / "Train.zip", "w") as archive:
        for name, data in entries:
            archive.writestr(zipfile.ZipInfo(name), data, method)
    members = NMNIST.members(folder / "Train.zip", 10)
    assert [(member.label, member.number) for member in members] == [(label, number) for number, (label, _) in enumerate(samples)]
    found = NMNIST.read(folder / "Train.zip", [member.name for member in members], SHAPE)
    for events, (_, data) in zip(found, samples, strict=True):
        np.testing.assert_array_equal(events, read_events(data))


# --- datasets of recordings: what is kept, and what is told

kept = st.fixed_dictionaries(
    {
        "time_steps": st.integers(2, 120),
        "window_us": st.integers(1, 50_000),
        "stabilize": st.booleans(),
        "first_us": st.integers(0, 1 << 22),
    },
    optional={"last_us": st.integers((1 << 22) + 1, (1 << 31) - 1)},
)
early = good_recordings.map(
    lambda data: b"".join(data[at : at + 2] + bytes([data[at + 2] & 0x80]) + data[at + 3 : at + 5] for at in range(0, len(data), 5))
)
datasets = st.tuples(
    kept | kept.map(lambda settings: settings | {"first_us": 0}), st.lists(good_recordings | early, min_size=1, max_size=4)
)


def frames_of(data: bytes, dataset: Dataset) -> np.ndarray:
    """The frames of a recording by the definition, event by event."""
    events = stabilize(read_events(data)) if dataset.stabilize else read_events(data)
    first, last = dataset.first_us, dataset.last_us or 1 << 31
    frames = np.zeros((dataset.time_steps, *SHAPE), np.uint8)
    for x, y, polarity, time in events.tolist():
        window = -(-(time - first) // dataset.window_us)
        if (first < time <= last or time == first == 0) and window < dataset.time_steps:
            frames[max(window, 1) - 1, polarity, y, x] = 1
    return frames


def check_dataset(drawn: tuple[dict[str, Any], list[bytes]], folder: Path) -> None:
    """Arrays of the events that the settings keep; recordings that are empty then are counted, and never kept quiet about."""
    settings, samples = drawn
    dataset = event_dataset(**settings, train_samples=len(samples), test_samples=len(samples))
    (folder / "raw").mkdir(exist_ok=True)
    for name in ("Train", "Test"):
        with zipfile.ZipFile(folder / "raw" / f"{name}.zip", "w") as archive:
            for number, data in enumerate(samples):
                archive.writestr(f"{number}/{number}.bin", data)
    record = preprocess("small", dataset, folder / "raw", folder / "processed", 1, Said(said := []))
    train = load_split(folder / "processed/train", dataset, len(samples))
    expected = [frames_of(data, dataset) for data in samples]
    for index, frames in enumerate(expected):
        np.testing.assert_array_equal(train.frames(index), frames)
    empty = sum(not frames.any() for frames in expected)
    assert record.empty_recordings == 2 * empty
    told = f" {empty} of {len(samples)} recordings hold no event in the steps that are kept"
    assert sum(line.startswith("warning") and line.endswith(told) for line in said) == (2 if empty else 0)


RECORDING_TARGETS = {
    "recording": Target(recordings, check_recording),
    "packed recordings": Target(packed_recordings(), check_packed),
    "dataset of recordings": Target(datasets, check_dataset),
}
