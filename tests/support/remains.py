"""What stages leave in a project's folder that were ended in the middle of it: which files are whole, and whether they are as they should be."""

import csv
import re
from pathlib import Path

import torch

HOURS = re.compile(r"& [\d.]+ \\\\$|\| [\d.]+ (?=\|[^|]*python[^|]*\|$)|<td class=\"number hours\">.*$", re.MULTILINE)
"""The last cell of LaTeX's table of origins, the last but one of Markdown's, a cell of the page's."""


def is_partial(path: Path) -> bool:
    """Whether a name says that what it names is not whole: `.name.xyz.partial`, or anything in a folder that is called so."""
    return any(re.fullmatch(r"\..+\.partial(-journal)?", part) for part in path.parts)


def whole_files(folder: Path) -> set[Path]:
    """The files below a project's folder that a reader would take for whole, relative to it; neither locks nor what MLflow and Matplotlib keep."""
    paths = {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}
    return {
        path
        for path in paths
        if not (
            is_partial(path) or path.name.endswith("lock") or path.parts[0].startswith(("mlflow.db", "mlart")) or "matplotlib" in path.parts
        )
    }


def check_whole(path: Path, whole: Path) -> None:
    """Fail where a file is not what it is in a project that was never disturbed; times apart."""
    if path.suffix == ".pt":
        torch.load(path, weights_only=True)
    elif path.name == "provenance.json" or path.match("seed-*.json"):
        assert path.read_text().endswith("}\n"), path
    elif path.name.startswith("results."):
        assert timeless(path) == timeless(whole), path
    else:
        assert path.read_bytes() == whole.read_bytes(), path


def timeless(path: Path) -> list[str]:
    """The lines of a table, without the hours and the dates of the runs."""
    if path.suffix == ".csv":
        with path.open(newline="") as file:
            return [str({name: value for name, value in row.items() if name != "hours"}) for row in csv.DictReader(file)]
    return re.sub(r"\b\d{4}-\d\d-\d\d\b", "DATE", HOURS.sub("HOURS", path.read_text())).splitlines()
