"""The views that MLflow's pages of an experiment open with: which columns its list of runs has, which curves its charts show.

MLflow keeps a view that somebody shares as a tag of the experiment, JSON under a key, and the key stands in the address of the page.
So the views below are there for everyone who opens the experiment, on a server too. Seen with MLflow 3.17.
"""

import json
from enum import StrEnum

VIEW_TAG = "mlflow.sharedViewState."

_FILTER = {
    "searchFilter": "",
    "orderByKey": "attributes.start_time",
    "orderByAsc": False,
    "startTime": "ALL",
    "lifecycleFilter": "Active",
    "modelVersionFilter": "All Runs",
    "datasetsFilter": [],
}
_COLUMNS = ["metrics.`best_mean`", "metrics.`published_mean`", "metrics.`best`", "metrics.`final`", "params.`epochs`", "tags.`verdict`"]


class View(StrEnum):
    """The key of a view: `models` lists each model's run over its seeds, with accuracies; `curves` draws every epoch of every seed."""

    MODELS = "tsslbp-models"
    CURVES = "tsslbp-curves"


_STATES = {
    View.MODELS: {**_FILTER, "selectedColumns": _COLUMNS},
    # Sorted by anything but the date, seeds stand for themselves and not folded into their model's run. MLflow draws ten runs unless told.
    View.CURVES: {
        **_FILTER,
        "searchFilter": "params.seed LIKE '%'",
        "orderByKey": "params.`model`",
        "orderByAsc": True,
        "selectedColumns": _COLUMNS,
        "runsHiddenMode": "SHOWALL",
    },
}


def view_tags() -> dict[str, str]:
    """The tags of an experiment that hold the views."""
    return {f"{VIEW_TAG}{view}": json.dumps(state) for view, state in _STATES.items()}


def page(view: View, experiment: str) -> str:
    """The address of a view, from the `#` on, which follows the server's own.

    Args:
        view: which one.
        experiment: MLflow's id of the experiment.
    """
    # MLflow opens on its pages for language models unless the address asks for model training.
    mode = "&compareRunsMode=CHART" if view is View.CURVES else ""
    return f"#/experiments/{experiment}/runs?workflowType=machine_learning{mode}&viewStateShareKey={view}"
