"""Where the project is, and in it the vectors that the authors' code produced."""

import shutil
from pathlib import Path

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "tests/reference"


def params_in(folder: Path) -> Path:
    """The project's settings, copied into a folder."""
    return Path(shutil.copy(ROOT / "params.yaml", folder / "params.yaml"))
