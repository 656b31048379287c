import numpy as np
import pytest
from sklearn.linear_model import RidgeClassifier

from tsslbp.data import simulation
from tsslbp.data.digits import make_digits
from tsslbp.data.events import SACCADE_US, SENSOR, bin_events, read_events, stabilize, write_events
from tsslbp.data.images import Split
from tsslbp.data.simulation import DURATION_US, NOISE_EVENTS, simulate
from tsslbp.progress import Silent

BRIGHT, DARK = np.full((28, 28), 255, np.uint8), np.zeros((28, 28), np.uint8)


@pytest.fixture(scope="module")
def digits():
    return make_digits()


def square():
    image = DARK.copy()
    image[8:20, 8:20] = 255
    return image


@pytest.fixture
def quiet(monkeypatch):
    monkeypatch.setattr(simulation, "NOISE_EVENTS", 0)
    monkeypatch.setattr(simulation, "MISMATCH", 0.0)


def test_a_recording_fits_the_format_and_is_in_order(digits):
    events = simulate(digits[0].images[0, 0], (1, 2))
    np.testing.assert_array_equal(read_events(write_events(events)), events)
    assert (np.diff(events["t"]) >= 0).all()
    assert events["t"].max() <= DURATION_US


def test_the_same_seed_gives_the_same_noise(digits):
    image = digits[0].images[0, 0]
    assert write_events(simulate(image, (1, 2))) == write_events(simulate(image, (1, 2)))
    assert write_events(simulate(image, (1, 2))) != write_events(simulate(image, (1, 3)))


def test_nothing_to_see_gives_noise_alone(quiet):
    assert len(simulate(DARK, (0,))) == 0


def test_noise_comes_without_a_cause():
    counts = [len(simulate(DARK, (0, index))) for index in range(30)]
    assert np.mean(counts) == pytest.approx(NOISE_EVENTS, rel=0.1)


def test_brighter_is_on_and_darker_is_off(quiet):
    events = simulate(square(), (0,))
    first = events[events["t"] < SACCADE_US]
    # In the first saccade the square moves to the right and down: its right and lower edges bring light, the others take it.
    stable = stabilize(first)
    for axis in ("x", "y"):
        assert stable[axis][stable["p"] == 1].mean() > stable[axis][stable["p"] == 0].mean() + 4
    # A pixel that was dark is dark again at the end, so it has seen as much light come as go.
    assert np.count_nonzero(events["p"] == 1) == pytest.approx(np.count_nonzero(events["p"] == 0), rel=0.1)


def edges(events):
    """Smallest and largest column and row with many events."""
    found = []
    for axis in ("x", "y"):
        counts = np.bincount(events[axis], minlength=SENSOR)
        found += [np.flatnonzero(counts > counts.max() / 4)[[0, -1]]]
    return np.concatenate(found)


def test_stabilised_events_stand_still_where_the_square_is(quiet):
    stable = stabilize(simulate(square(), (0,)))
    # The square covers rows and columns 8 to 19 of the scene, whose first pixel falls on half a pixel before the sensor's.
    for start in range(0, DURATION_US, 35_000):
        part = stable[(stable["t"] >= start) & (stable["t"] < start + 35_000)]
        columns, rows = edges(part)[:2], edges(part)[2:]
        for low, high in (columns, rows) if start < 2 * SACCADE_US else (columns,):
            assert abs(low - 7) <= 1
            assert abs(high - 19) <= 1


def test_unstabilised_events_do_not_stand_still(quiet):
    events = simulate(square(), (0,))
    early, late = (events[abs(events["t"] - time) < 10_000] for time in (15_000, SACCADE_US - 15_000))
    assert edges(late)[2] - edges(early)[2] >= 4


def test_the_recordings_are_as_dense_as_n_mnist(digits):
    events = [simulate(image, (0, index)) for index, image in enumerate(digits[0].images[:40, 0])]
    assert 3000 < np.mean([len(recording) for recording in events]) < 6000


def test_the_first_saccade_tells_digits_apart(digits):
    features, labels = [], digits[0].labels[:500]
    for index, image in enumerate(digits[0].images[:500, 0]):
        frame = np.zeros((2, SENSOR, SENSOR))
        rows = bin_events(stabilize(simulate(image, (0, index))), 30)
        np.add.at(frame, tuple(rows[:, 1:].T), 1)
        features.append(frame.reshape(2, 17, 2, 17, 2).sum((2, 4)).ravel())
    features = np.array(features)
    assert RidgeClassifier(1e4).fit(features[:400], labels[:400]).score(features[400:], labels[400:]) > 0.85


def test_the_archives_are_the_same_for_any_number_of_workers(tmp_path, monkeypatch, digits):
    few = tuple(Split(part.images[:8], part.labels[:8]) for part in digits)
    monkeypatch.setattr(simulation, "make_digits", lambda: few)
    for workers in (1, 3):
        simulation.write_recordings(tmp_path / str(workers), workers, Silent())
    for name in ("Train.zip", "Test.zip"):
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "3" / name).read_bytes()
    assert (tmp_path / "1/Train.zip").read_bytes() != (tmp_path / "1/Test.zip").read_bytes()
