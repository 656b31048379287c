"""What a training run measured, as files in git: `reports/runs/<model>/`.

- `metrics.json`: the accuracies that `dvc metrics show` lists;
- `history.csv`: a row per seed and epoch;
- `record.json`: settings, data, run ids, confusion matrices and checksums of the weights;
- `provenance.json`: when, where and with what it ran.

The first three are equal for equal settings, data and code, interrupted or not; only provenance.json is not.
"""

import csv
import hashlib
import io
import json
import os
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from tsslbp.storage.files import whole_file
from tsslbp.storage.records import Epoch, ModelRecord, Provenance
from tsslbp.storage.summary import shown_metrics

HISTORY_SHA256 = "history_sha256"
RECORD_FILES = ("metrics.json", "history.csv", "provenance.json", "record.json")
"""The files of a record, in the order in which they get their names: record.json, which names another, last."""
FINISHED = "record"
"""The folder beside a model's weights that holds the record of a training that came to its end; `stages.train` publishes it."""


class RecordError(ValueError):
    """A file under reports/runs/ that is missing, damaged or at odds with another."""


def write_record(folder: Path, record: ModelRecord, provenance: Provenance) -> None:
    """Write the four files of one model into `folder`; what is there stays until all of the new ones are on the disk."""
    history = _history_csv(record)
    stored = record.model_dump(mode="json", exclude={"seeds": {"__all__": {"history"}}})
    texts = {
        "metrics.json": _json(shown_metrics(record)),
        "history.csv": history,
        "provenance.json": _json(provenance.model_dump(mode="json")),
        "record.json": _json({**stored, HISTORY_SHA256: hashlib.sha256(history.encode()).hexdigest()}),
    }
    _write_files(folder, {name: text.encode() for name, text in texts.items()})


def publish_record(source: Path, target: Path) -> tuple[ModelRecord, Provenance]:
    """Copy a record to where it is in git, and return it. What is at `target` stays as it is until all of the new one is on the disk.

    Raises:
        RecordError: a file of the source is missing or damaged; the message names it.
        WriteError: a file cannot be written.
    """
    found = read_record(source)
    metrics = _json(shown_metrics(found[0])).encode()  # as it is shown today
    _write_files(target, {name: metrics if name == "metrics.json" else (source / name).read_bytes() for name in RECORD_FILES})
    return found


def _write_files(folder: Path, contents: dict[str, bytes]) -> None:
    with ExitStack() as files:
        for name in reversed(RECORD_FILES):  # what is opened first gets its name last
            with files.enter_context(whole_file(folder / name)).open("wb") as partial:
                partial.write(contents[name])
                partial.flush()
                os.fsync(partial.fileno())  # all are on the disk before the first gets its name


def read_record(folder: Path) -> tuple[ModelRecord, Provenance]:
    """Read what `write_record` wrote.

    Raises:
        RecordError: a file is missing or damaged; the message names it.
    """
    histories = _read_history(folder / "history.csv")
    stored = _read_json(folder / "record.json")
    try:
        # A kill between the two files leaves a history and a record that do not belong together.
        if stored.pop(HISTORY_SHA256) != _text_sha256(folder / "history.csv"):
            raise RecordError(f"{folder}: history.csv and record.json do not belong together; restore both from git or run the model again")
        for seed in stored["seeds"]:
            seed["history"] = histories.get(seed["seed"], [])
        record = ModelRecord.model_validate(stored)
        _check_read_by_others(record)
        provenance = Provenance.model_validate(_read_json(folder / "provenance.json"))
    except (ValidationError, KeyError, TypeError, AttributeError) as error:
        raise RecordError(
            f"{folder}: record.json or provenance.json is damaged ({error}); restore it from git or run the model again"
        ) from None
    for seed in record.seeds:
        if [epoch.epoch for epoch in seed.history] != list(range(1, len(seed.history) + 1)) or not seed.history:
            raise RecordError(
                f"{folder / 'history.csv'}: the epochs of seed {seed.seed} are not 1, 2, 3 ...; restore the file from git or run the model again"
            )
    return record, provenance


def _check_read_by_others(record: ModelRecord) -> None:
    """Look at what the record's model leaves open and its readers rely on."""
    settings, seeds = record.settings, [seed.seed for seed in record.seeds]
    if not isinstance(settings["loss"]["kind"], str) or type(settings["epochs"]) is not int:
        raise TypeError("settings: loss.kind is a name, epochs a whole number")
    if len(set(seeds)) < len(seeds):
        raise TypeError("a seed is there twice")
    if ragged := [seed.seed for seed in record.seeds if any(len(row) != len(seed.confusion) for row in seed.confusion)]:
        raise TypeError(f"the confusion matrix of seed {ragged[0]} is not square")


def _text_sha256(path: Path) -> str:
    """The checksum of a text file with the line ends that it was written with; a checkout may have made others of them."""
    return hashlib.sha256(path.read_bytes().replace(b"\r\n", b"\n")).hexdigest()


def _history_csv(record: ModelRecord) -> str:
    rows = [{"seed": seed.seed, **_cells(row)} for seed in record.seeds for row in seed.history]
    buffer = io.StringIO()
    columns = dict.fromkeys(["seed", "epoch", *_NUMBERS, *(name for row in rows for name in row)])
    writer = csv.DictWriter(buffer, list(columns), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)  # repr of a float reads back as the same float
    return buffer.getvalue()


_NUMBERS = ("train_loss", "train_accuracy", "test_accuracy")
_LATER = ("test_loss", "held_out_accuracy", "input_rate")
"""Columns that a history has only where there is something to say."""
_RATE, _MEASURE = "firing_rate_", "measure_"


def _cells(row: Epoch) -> dict[str, float]:
    """The columns of an epoch."""
    later = {name: value for name in _LATER if (value := getattr(row, name)) is not None}
    rates = {f"{_RATE}{layer}": rate for layer, rate in enumerate(row.firing_rates, start=1)}
    measures = {f"{_MEASURE}{name}": value for name, value in row.measures.items()}
    return {"epoch": row.epoch, **{name: getattr(row, name) for name in _NUMBERS}, **later, **measures, **rates}


def _epoch_of(cells: dict[str, str]) -> dict[str, Any]:
    """An epoch's fields from the columns of its row; an empty cell stands for a number that was not measured."""
    numbers = {name: float(value) for name, value in cells.items() if value != "" and name not in ("seed", "epoch")}
    return {
        "epoch": int(cells["epoch"]),
        **{name: numbers[name] for name in _NUMBERS},
        **{name: numbers[name] for name in _LATER if name in numbers},
        "firing_rates": [value for name, value in numbers.items() if name.startswith(_RATE)],
        "measures": {name.removeprefix(_MEASURE): value for name, value in numbers.items() if name.startswith(_MEASURE)},
    }


def _read_history(path: Path) -> dict[int, list[dict[str, Any]]]:
    histories: dict[int, list[dict[str, Any]]] = {}
    try:
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                histories.setdefault(int(row["seed"]), []).append(_epoch_of(row))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, csv.Error) as error:  # a cell too many has None for its column
        raise RecordError(f"{path}: cannot be read ({error}); restore it from git or run the model again") from None
    return histories


def _json(value: object) -> str:
    return json.dumps(value, indent=1, allow_nan=False) + "\n"


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise RecordError(f"{path}: cannot be read ({error}); restore it from git or run the model again") from None
