"""The studies of a pipeline: pipelines of their own, under `studies/` beside its settings, whose results its report shows."""

from pathlib import Path

from tsslbp.settings import Settings, SettingsError, load_settings

STUDIES = ("recipes", "ablation")
"""Folders under `studies/`: which recipe gives the published numbers, and what each part of the method does."""


def load_studies(params: Path) -> dict[Path, Settings]:
    """The settings of the studies of a pipeline, by their files; none where it has no such folder, as the quickstart.

    Raises:
        SettingsError: what a file says is wrong, or it has another base than this pipeline.
    """
    studies: dict[Path, Settings] = {}
    for path in (params.parent / "studies" / name / "params.yaml" for name in STUDIES):
        if path.exists():
            studies[path] = load_settings(path)
            base = studies[path].base
            if base is None or base.resolve() != params.resolve():
                raise SettingsError(f"{path}: base: got {base}; a study in this folder has the base {params}")
    return studies
