"""What MLflow is told, and what is read back from it. No other package imports mlflow; here it is imported when it is first needed.

Training is never held up or lost over tracking: `LiveLog` works in the background and gives up at the first fault, and what MLflow
lacks in the end is logged from the run records by `import_records`. A run is known by the id that its record carries (tag
`tsslbp.run_id`) and by the checkout that logged it (`tsslbp.checkout`), so logging can be interrupted and repeated as often as one
likes, and several checkouts may share a server: each sees, changes and replaces its own runs alone.
"""

from tsslbp.tracking.faults import TrackingError
from tsslbp.tracking.ledger import accuracies, complete, has_runs, import_records, prepare, verify
from tsslbp.tracking.live import LiveLog
from tsslbp.tracking.store import Store, tracking_store
from tsslbp.tracking.tracked_run import ModelContext, TrackedRun, tracked_run
from tsslbp.tracking.views import View, page

__all__ = [
    "LiveLog",
    "ModelContext",
    "Store",
    "TrackedRun",
    "TrackingError",
    "View",
    "accuracies",
    "complete",
    "has_runs",
    "import_records",
    "page",
    "prepare",
    "tracked_run",
    "tracking_store",
    "verify",
]
