"""A small case and made-up measurements, for the tests of the benchmark."""

from benchmarks.cases import NetworkCase, changed
from benchmarks.measurement import Measurement
from benchmarks.processes.commands import Findings
from tsslbp.settings import Settings


def small(settings: Settings, **update: object) -> NetworkCase:
    """A network of every kind of layer that computes in a millisecond, on synthetic samples."""
    values = {"architecture": "3C3-P2-5", "padding": 1, "batch_size": 2, **update}
    return changed(settings, "mnist-cnn", "small", values)


def measured(case, entry, seconds, mode="train", peak=3_000_000, **changes) -> Measurement:
    return Measurement(case, entry, mode, seconds, 1, "", Findings((0.1,), "synthetic", 1_000_000, peak), **changes)
