"""Datasets: fetch and verify, raw files to compact arrays, arrays to batches.

Its modules are imported on first use: `tsslbp.data.events` works after `import tsslbp`.
"""

from importlib import import_module
from importlib.util import find_spec
from types import ModuleType


def __getattr__(name: str) -> ModuleType:
    """Import a module of this package (PEP 562)."""
    if name.startswith("_") or find_spec(f"tsslbp.data.{name}") is None:
        raise AttributeError(f"module 'tsslbp.data' has no attribute {name!r}")
    return import_module(f"tsslbp.data.{name}")
