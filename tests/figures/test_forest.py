"""The forest plot: every estimate is seen, none is cut off, and what lies beyond the frame is an arrow."""

import itertools
from unittest import mock

from matplotlib.axes import Axes

from tsslbp.figures import forest as forest_module
from tsslbp.figures.canvas import finish
from tsslbp.figures.forest import Line, forest


def test_a_line_without_an_estimate_says_why(monkeypatch):
    written = []
    monkeypatch.setattr(Axes, "text", lambda self, x, y, text, **kwargs: written.append((y, text)))
    forest([Line("a", "+0.10", 0.1, 0.0, 0.2), Line("b", "", instead="training fails (2 of 2 seeds)")], "t", "n", "c", "a")
    assert written == [(1, "training fails (2 of 2 seeds)")]


def test_as_many_dots_as_seeds_though_some_are_equal():
    with mock.patch.object(Axes, "plot", autospec=True, side_effect=Axes.plot) as plot:
        forest([Line("a", "+0.10", 0.1, 0.0, 0.2, dots=(0.03, 0.10, 0.03, 0.03))], "t", "n", "c", "a")
    places = [call.args[1:3] for call in plot.call_args_list if call.args[3:] == (".",)]
    assert sorted(x for x, _ in places) == [0.03, 0.03, 0.03, 0.10]
    assert len({y for x, y in places if x == 0.03}) == 3
    assert all(0 < y < 0.5 for _, y in places)  # within the row


def test_beyond_the_frame_one_arrow_stands_for_all_equal_seeds():
    far = Line("far", "−9.00", -9.0, -9.0, -9.0, dots=(-9.0, -9.0), fits=False)
    with mock.patch.object(Axes, "plot", autospec=True, side_effect=Axes.plot) as plot:
        forest([Line("near", "+0.10", 0.1, 0.0, 0.2), far], "t", "n", "c", "a")
    arrows = [call.args[2] for call in plot.call_args_list if call.args[3:] == ("<",)]
    assert len(arrows) == 2  # the mean's and the seeds'


def test_an_interval_that_leaves_the_frame_has_an_arrow_at_each_such_end():
    wide = Line("wide", "−0.08", -0.08, -0.39, 0.15, fits=False)
    both = Line("both", "+0.01", 0.01, -0.9, 0.9, fits=False)
    with mock.patch.object(Axes, "plot", autospec=True, side_effect=Axes.plot) as plot:
        forest([Line("near", "+0.10", 0.1, 0.0, 0.2), wide, both], "t", "n", "c", "a")
    arrows = [(call.args[2], call.args[3]) for call in plot.call_args_list if call.args[3:] in (("<",), (">",))]
    assert arrows == [(1, "<"), (2, "<"), (2, ">")]


def test_no_mark_is_cut_off_by_the_edge_of_the_frame():
    lines = [Line("fits", "", 0.1, 0.0, 0.38), *(Line("near", "", x, x, x, marker="D", fits=False) for x in (-0.43, 0.46, -0.9))]
    with mock.patch.object(forest_module, "finish", wraps=finish) as drawn:
        forest(lines, "t", "n", "c", "a")
    (axes,) = drawn.call_args.args[0].axes
    width, half = axes.get_window_extent().width, (7.5 / 2**0.5 + 1) / 72 * axes.figure.dpi  # a diamond stands on its corner
    low, high = axes.get_xlim()
    inside = [line for line in axes.lines if line.get_marker() == "D"]
    assert len(inside) == 2 and sum(line.get_marker() == "<" for line in axes.lines) == 1
    places = [(line.get_xdata()[0] - low) / (high - low) * width for line in inside]
    assert all(half < place < width - half for place in places)


def test_no_label_reaches_into_another():
    long = "the name of a model with a hypothesis and an extent of three of five seeds that takes three lines"
    with mock.patch.object(forest_module, "finish", wraps=finish) as drawn:
        forest([Line(name, "+0.10 [−0.10, +0.30]", 0.1, -0.1, 0.3) for name in (*[long] * 9, "short", long)], "t", "n", "c", "a")
    (axes,) = drawn.call_args.args[0].axes
    boxes = [label.get_window_extent() for label in axes.get_yticklabels()]
    assert all(above.y0 > below.y1 for above, below in itertools.pairwise(boxes))
