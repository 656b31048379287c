"""With which settings a folder's recordings were binned: noted beside the folder, because neither its arrays nor its data.json say it.

The folder itself is what trainings depend on, and stays as it is. The note names arrays by their checksum, so it holds whatever DVC
puts into the folder later; arrays of before the note, or from elsewhere, are in no note.
"""

import json
from pathlib import Path
from typing import Any

from tsslbp.settings import Dataset
from tsslbp.storage.files import write_text
from tsslbp.storage.records import DataRecord

Binning = dict[str, Any]
"""What `Dataset.binning` returns."""


def note_path(processed: Path) -> Path:
    """Where the note on a processed folder lies; the name of no dataset has a dot."""
    return processed.with_name(f"{processed.name}.binning.json")


def note_binning(processed: Path, dataset: Dataset, record: DataRecord) -> None:
    """Note with which settings the arrays that `record` names were binned; of images there is nothing to note.

    Raises:
        WriteError: the note cannot be written.
    """
    noted = _noted(processed)
    known = noted.setdefault(record.arrays, [])
    if dataset.is_events and dataset.binning not in known:
        known.append(dataset.binning)  # other settings may give the same arrays
        write_text(note_path(processed), json.dumps(noted, indent=1) + "\n")


def noted_binnings(processed: Path, record: DataRecord) -> list[Binning]:
    """All settings that are known to give the arrays that `record` names; empty where none are."""
    return _noted(processed).get(record.arrays, [])


def check_binning(processed: Path, dataset: Dataset, known: list[Binning], key: str) -> None:
    """Refuse recordings that were binned with other settings than there are now.

    Args:
        processed: their folder.
        dataset: the present settings.
        known: with which settings they may have been binned; empty: nobody knows, and nothing is refused.
        key: the dataset's name.

    Raises:
        ValueError: none of these are the present ones.
    """
    now = dataset.binning
    different = [
        [f"{name} was {value} and is {now[name]}" for name, value in each.items() if now.get(name, value) != value] for each in known
    ]
    if different and all(different):
        raise ValueError(
            f"{processed}: its recordings were binned with other settings than datasets.{key} has now: {', '.join(different[-1])}; "
            f"run the preprocess stage of {key} again, or restore these settings"
        )


def _noted(processed: Path) -> dict[str, list[Binning]]:
    """The whole note. One that cannot be read is as good as none: whoever preprocesses next writes it anew."""
    try:
        noted = json.loads(note_path(processed).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    entries = noted.items() if isinstance(noted, dict) else ()
    return {arrays: each for arrays, each in entries if isinstance(each, list) and all(isinstance(one, dict) for one in each)}
