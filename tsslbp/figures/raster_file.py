"""What the raster shows, as one small file in git: so that the picture can be drawn again without data, weights or training."""

import json
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from tsslbp.figures.raster import Raster
from tsslbp.storage.files import whole_file

FILE_NAME = "raster.npz"


def save_raster(path: Path, shown: Raster) -> None:
    """Write the file, whole or not at all; equal rasters give equal bytes."""
    about = {
        "window_us": shown.window_us,
        "source": shown.source,
        "layers": {name: spikes.shape for name, spikes in shown.layers.items()},
    }
    arrays: dict[str, Any] = {"raw": shown.raw, "stabilized": shown.stabilized, "binned": shown.binned}
    arrays |= {f"layer_{index}": np.packbits(spikes) for index, spikes in enumerate(shown.layers.values())}
    with whole_file(path) as partial, partial.open("wb") as file:
        np.savez_compressed(file, about=np.array(json.dumps(about)), **arrays)


def load_raster(path: Path) -> Raster:
    """Read what `save_raster` wrote.

    Raises:
        ValueError: the file is damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            about = json.loads(str(stored["about"]))
            layers = {
                name: np.unpackbits(stored[f"layer_{index}"], count=steps * neurons).reshape(steps, neurons).astype(bool)
                for index, (name, (steps, neurons)) in enumerate(about["layers"].items())
            }
            return Raster(stored["raw"], stored["stabilized"], stored["binned"], layers, int(about["window_us"]), str(about["source"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(
            f"{path}: is damaged ({error}); restore it from git, make it again with `python -m stages.raster`, or delete it"
        ) from None
