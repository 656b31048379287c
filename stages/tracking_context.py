"""What MLflow's run of a model shows beside its record: the published numbers, the report's verdict, the data's shape, and files."""

from pathlib import Path
from typing import TYPE_CHECKING

from tsslbp.settings import Settings

if TYPE_CHECKING:
    from tsslbp.tracking import ModelContext

NOT_JUDGED = "not judged yet, the stage report does"


def model_context(settings: Settings, params: Path, key: str, verdict: str = NOT_JUDGED) -> "ModelContext":
    """Gather it.

    Args:
        settings: of the pipeline.
        params: the file they come from; it is logged, and so is the dvc.lock beside it once the report names a verdict.
        key: of the model.
        verdict: the report's; training does not know one yet, and its stage is not in the lock file yet.
    """
    from tsslbp.tracking import ModelContext

    published = settings.published.get(key)
    numbers = {name: getattr(published, name, None) for name in ("mean", "std", "best")}
    return ModelContext(
        protocol_epochs=published.epochs if published else None,
        metrics={f"published_{name}": value for name, value in numbers.items() if value is not None},
        tags={"verdict": verdict},
        dataset=settings.dataset_of(key),
        files=(params,) if verdict == NOT_JUDGED else (params, params.parent / "dvc.lock"),
    )
