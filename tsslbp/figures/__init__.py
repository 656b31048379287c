"""Pictures in one style, of plain data: what the report, MLflow and the benchmark show is drawn here and nowhere else."""

import os

# Matplotlib reads this when it is first imported. A notebook's names a backend that a stage need not have, and that stopped the import.
_users = os.environ.pop("MPLBACKEND", None)
import matplotlib  # noqa: E402, F401

if _users is not None:
    os.environ["MPLBACKEND"] = _users
