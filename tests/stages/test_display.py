"""What a training shows: plain lines, bars on a terminal, and the time that is left of the row."""

import io
import re
from unittest.mock import Mock

import pytest
from rich.console import Console

from stages.display import TimeLeft, TrainingDisplay
from stages.seeds import _Driver
from tests.support.paths import ROOT
from tsslbp.engines import Lost, Started
from tsslbp.engines.jobs import RETRIES
from tsslbp.engines.losses import Losses
from tsslbp.settings import load_settings
from tsslbp.storage.records import Epoch


def row(epoch: int) -> Epoch:
    return Epoch(epoch=epoch, train_loss=0.25, train_accuracy=90, test_accuracy=91, firing_rates=(0.1,))


def test_nothing_is_known_before_the_first_epoch():
    left = TimeLeft({0: 5}, 1)
    assert left.seconds is None
    assert str(left) == ""


@pytest.mark.parametrize(("at_a_time", "epochs"), [(1, 14), (2, 7), (3, 5), (5, 5)])
def test_the_time_left_is_that_of_all_seeds_so_many_at_a_time(at_a_time, epochs):
    left = TimeLeft({0: 5, 1: 5, 2: 5}, at_a_time)
    left.epoch(0, 10.0)
    assert left.seconds == pytest.approx(epochs * 10.0)


def test_it_follows_the_last_epochs():
    left = TimeLeft({0: 6}, 1)
    for seconds in (100.0, 10.0, 20.0):
        left.epoch(0, seconds)
    assert left.seconds == pytest.approx(3 * 15.0)


def test_a_seed_that_failed_takes_no_more_time():
    left = TimeLeft({0: 6, 1: 6}, 1)
    left.epoch(0, 10.0)
    left.end(1)
    assert str(left) == "0:00:50"


def test_the_time_left_is_longer_where_other_trainings_have_the_cores():
    left = TimeLeft({0: 5, 1: 5}, 2)
    left.begin(0)
    left.epoch(0, 10.0)
    assert left.seconds == pytest.approx(90)
    left.begin(1)
    assert left.seconds == pytest.approx(50)
    left.rest(1)
    assert left.seconds == pytest.approx(90)


def test_a_seed_that_is_given_up_takes_no_more_time(model):
    console = Console(file=io.StringIO())
    display = TrainingDisplay("mlp", 6, 1000, {0: 6, 1: 6}, 2, console)
    driver = _Driver(model, Mock(), Mock(), display, Mock(), {})
    for seed in (0, 1):
        driver.handle(Started(seed, "cpu"))
    display.epoch(0, row(1), 10.0)
    driver.handle(Lost(1, "is lost"))
    assert display._left.seconds == pytest.approx(110)
    driver.handle(Lost(1, "is lost for good", again=False))
    assert display._left.seconds == pytest.approx(50)


def test_a_seed_is_given_up_after_three_losses():
    losses = Losses()
    assert [losses.lost(0, "the worker")[0].again for _ in range(RETRIES + 1)] == [True] * RETRIES + [False]


def test_elsewhere_than_on_a_terminal_every_epoch_is_a_plain_line():
    out = io.StringIO()
    with TrainingDisplay("mlp", 2, 1000, {3: 2, 4: 2}, 2, Console(file=out, soft_wrap=True)) as display:
        display.batch(3, 1, 500)
        display.epoch(3, row(1), 2.0)
        display.end(3)
    assert out.getvalue() == "mlp seed 3 epoch 1/2: loss 0.2500, test 91.00 %, 0:00:04 left\n"


def test_on_a_terminal_each_seed_that_runs_has_a_line_and_the_row_has_one():
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=120)
    with TrainingDisplay("mlp", 2, 1000, {3: 2, 4: 2}, 2, console) as display:
        display.batch(3, 1, 500)
        display.batch(4, 1, 250)
        display.epoch(3, row(1), 2.0)
        display._bars.refresh()
        both = out.getvalue()
        display.end(3)
        out.seek(0)
        out.truncate()
        display._bars.refresh()
        one = out.getvalue()
    for text in ("seed 3 epoch 1/2", "500/1000", "seed 4 epoch 1/2", "250/1000", "mlp, epochs of all seeds", "1/4", "0:00:04 left"):
        assert text in both
    assert "seed 3" not in one
    assert "seed 4" in one


@pytest.mark.parametrize("is_terminal", [True, False])
@pytest.mark.parametrize("pipeline", ["params.yaml", "quickstart/params.yaml"])
def test_every_line_fits_80_columns(pipeline, is_terminal):
    """Of the longest name, in the tenth hour; hours are counted on, and a row of some days still fits."""
    settings = load_settings(ROOT / pipeline)
    name = max(settings.models, key=len)
    out = io.StringIO()
    console = Console(file=out, force_terminal=is_terminal, width=80, soft_wrap=not is_terminal)
    with TrainingDisplay(name, 150, 60_000, {0: 150, 4: 150}, 2, console) as display:
        display.batch(0, 150, 59_999)
        display.epoch(0, row(150), 2400.0)
        display._bars.refresh()
    text = re.sub(r"\x1b\[[0-9;]*m", "", out.getvalue())
    lines = [line.rstrip() for line in re.split(r"\x1b\[[0-9;?]*[A-Za-z]|[\r\n]", text)]
    assert max(map(len, lines)) <= 80
    assert f"{name} seed 0 epoch 150/150: loss 0.2500, test 91.00 %, 100:00:00 left" in lines
    assert any("100:00:00 left" in line and "1/300" in line for line in lines) == is_terminal, "a bar is cut off"
