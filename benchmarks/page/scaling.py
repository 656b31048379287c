"""How cost grows along a sweep: a straight line through time and memory, and how far the points lie from it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.cases import Sweep
from benchmarks.measurement import Measurement
from benchmarks.roster import LOWER_BOUND, OURS


@dataclass(frozen=True)
class Point:
    """One value of a sweep, this project's beside the lower bound's; `memory` in bytes, above what the imports take."""

    value: int
    ours: Measurement
    bound: Measurement | None

    @property
    def seconds(self) -> float:
        """Seconds of a training step."""
        return self.ours.median

    @property
    def memory(self) -> float:
        """The largest memory during training, bytes."""
        return float(self.ours.memory)


@dataclass(frozen=True)
class Line:
    """y = offset + slope x, with the smallest sum of squared relative errors.

    Attributes:
        offset: at x = 0.
        slope: per unit of x.
        deviation: the largest relative distance of a point from the line.
    """

    offset: float
    slope: float
    deviation: float


def points(sweep: Sweep, measurements: Sequence[Measurement]) -> list[Point]:
    """Collect the values of a sweep that were measured."""
    by_name = {
        (measurement.case.name, measurement.entry.name): measurement
        for measurement in measurements
        if measurement.seconds and measurement.found
    }
    return [
        Point(value, by_name[case.name, OURS.name], by_name.get((case.name, LOWER_BOUND.name)))
        for value, case in sweep.points
        if (case.name, OURS.name) in by_name
    ]


def straight_line(x: Sequence[float], y: Sequence[float]) -> Line:
    """Fit a line through at least two points with y > 0."""
    matrix = np.array([[1 / value, at / value] for at, value in zip(x, y, strict=True)])
    (offset, slope), *_ = np.linalg.lstsq(matrix, np.ones(len(y)), rcond=None)
    deviations = [abs(offset + slope * at - value) / value for at, value in zip(x, y, strict=True)]
    return Line(float(offset), float(slope), float(max(deviations)))
