"""What the tests of `make ui` run it on."""

import shutil
from pathlib import Path

from tests.support.paths import ROOT


def params_in(folder: Path) -> Path:
    """The project's settings, copied into a folder."""
    return Path(shutil.copy(ROOT / "params.yaml", folder / "params.yaml"))
