"""A small case for the tests of the benchmark."""

from benchmarks.cases import NetworkCase, changed
from tsslbp.settings import Settings


def small(settings: Settings, **update: object) -> NetworkCase:
    """A network of every kind of layer that computes in a millisecond, on synthetic samples."""
    values = {"architecture": "3C3-P2-5", "padding": 1, "batch_size": 2, **update}
    return changed(settings, "mnist-cnn", "small", values)
