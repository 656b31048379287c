"""The experiment that holds a pipeline's runs."""

from typing import TYPE_CHECKING

from tsslbp.tracking.faults import TrackingError
from tsslbp.tracking.mlflow_runs import REPLACED
from tsslbp.tracking.store import Connection
from tsslbp.tracking.views import view_tags

if TYPE_CHECKING:
    from mlflow.entities import Experiment

TAGS = {
    # Without it the UI opens an experiment on its pages for language models, where there is nothing to see.
    "mlflow.experimentKind": "custom_model_development",
    "mlflow.note.content": 'One run per model holds one run per seed. To compare seeds, filter `params.model = "..."` and sort by `seed`.',
}


def experiment_id(connection: Connection, name: str) -> str:
    """MLflow's id of an experiment; creates it, or brings it back where it was deleted.

    Raises:
        TrackingError: the server is not MLflow's.
    """
    found = connection.client.get_experiment_by_name(name) or _create(connection, name)
    if found.name != name or not found.experiment_id:
        raise TrackingError(
            f"MLflow at {connection.store.shown} answers, but not as an MLflow server does; correct or unset MLFLOW_TRACKING_URI"
        )
    if found.lifecycle_stage == "deleted":
        _restore(connection, found.experiment_id)
    return str(found.experiment_id)


def _create(connection: Connection, name: str) -> "Experiment":
    from mlflow.exceptions import MlflowException

    try:
        connection.client.create_experiment(name, artifact_location=connection.store.artifacts, tags={**TAGS, **view_tags()})
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":  # another checkout was faster
            raise
    found = connection.client.get_experiment_by_name(name)
    if found is None:
        raise TrackingError(f"MLflow at {connection.store.shown} does not keep the experiment {name!r} that it was told to create")
    return found


def _restore(connection: Connection, experiment: str) -> None:
    """Restore an experiment. MLflow restores all its runs, also those that had been replaced before: ours are deleted again."""
    connection.client.restore_experiment(experiment)
    for run in connection.client.search_runs([experiment], filter_string=f"tags.`{REPLACED}` = 'yes'"):
        if connection.owns(run):
            connection.client.delete_run(run.info.run_id)


def renew_views(connection: Connection, experiment: str) -> None:
    """Give an experiment that an older version made the views that `views.page` names."""
    tags = connection.client.get_experiment(experiment).tags
    for name, value in view_tags().items():
        if tags.get(name) != value:
            connection.client.set_experiment_tag(experiment, name, value)
