"""What MLflow works out once in each process, before its first model: which package brings which module, in more than a second.

`killing.py` has its server import this module, so that the processes which are forked off it find that done. It only saves time: where
this MLflow has no such function, each does it again.
"""

from contextlib import suppress

with suppress(ImportError, AttributeError):
    from mlflow.utils import requirements_utils

    requirements_utils._init_modules_to_packages_map()
