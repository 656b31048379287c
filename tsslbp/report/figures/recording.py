"""What the raster shows, as one small file in git: so that the picture can be drawn again without data, weights or training."""

import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tsslbp.storage.files import whole_file

FILE_NAME = "raster.npz"


@dataclass(frozen=True)
class Recording:
    """One recording on its way through a network.

    Attributes:
        raw: events with fields x, y (0-based), p (1 = ON) and t (microseconds).
        stabilized: the same after stabilising.
        binned: (n, 4) rows of step, polarity, y, x.
        layers: by name, (T, neurons) of spikes, 0 or 1, from the input's side on.
        window_us: length of a step in microseconds.
        source: which recording of which data, what network, and the commit: the end of the picture's caption.
    """

    raw: NDArray[Any]
    stabilized: NDArray[Any]
    binned: NDArray[np.integer[Any]]
    layers: Mapping[str, NDArray[np.bool_]]
    window_us: int
    source: str


def save_recording(path: Path, recording: Recording) -> None:
    """Write the file, whole or not at all; equal recordings give equal bytes."""
    about = {
        "window_us": recording.window_us,
        "source": recording.source,
        "layers": {name: spikes.shape for name, spikes in recording.layers.items()},
    }
    arrays: dict[str, Any] = {"raw": recording.raw, "stabilized": recording.stabilized, "binned": recording.binned}
    arrays |= {f"layer_{index}": np.packbits(spikes) for index, spikes in enumerate(recording.layers.values())}
    with whole_file(path) as partial, partial.open("wb") as file:
        np.savez_compressed(file, about=np.array(json.dumps(about)), **arrays)


def load_recording(path: Path) -> Recording:
    """Read what `save_recording` wrote.

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
            return Recording(stored["raw"], stored["stabilized"], stored["binned"], layers, int(about["window_us"]), str(about["source"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(
            f"{path}: is damaged ({error}); restore it from git, make it again with `python -m stages.raster`, or delete it"
        ) from None
