"""What MLflow is told, and what is read back from it. No other package imports mlflow; here it is imported when it is first needed.

Training is never held up or lost over tracking: `LiveLog` works in the background and warns, and what MLflow lacks in the end is
logged from the run records by `import_records`. A run is known by the id that its record carries (tag `tsslbp.run_id`), so logging
can be interrupted and repeated as often as one likes: MLflow holds each run once, with every epoch once.
"""

from tsslbp.tracking.identity import Identity, identity
from tsslbp.tracking.ledger import accuracies, complete, import_records, prepare, verify
from tsslbp.tracking.live import LiveLog
from tsslbp.tracking.store import Store, TrackingError, tracking_store

__all__ = [
    "Identity",
    "LiveLog",
    "Store",
    "TrackingError",
    "accuracies",
    "complete",
    "identity",
    "import_records",
    "prepare",
    "tracking_store",
    "verify",
]
