"""Where seeds run: this process and worker processes (`local.py`) or a Ray cluster (`ray.py`), behind the same few names.

A driver hands an engine `Job`s and reads `Event`s. Whatever the engine, the driver's process alone writes files: a checkpoint is
on disk when its `EpochDone` arrives, and a seed whose worker is lost goes on from there.
"""

from tsslbp.engines.jobs import (
    Engine,
    EngineError,
    EpochDone,
    Event,
    Events,
    Failed,
    Finished,
    Job,
    Lost,
    OnBatch,
    Started,
)

__all__ = ["Engine", "EngineError", "EpochDone", "Event", "Events", "Failed", "Finished", "Job", "Lost", "OnBatch", "Started"]
