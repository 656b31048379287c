"""Run records: what is read is what was written, and damage is named."""

import errno
import json
import math
import os
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.support.record_builders import make_epoch, make_provenance, make_record, make_seed
from tsslbp.storage.files import WriteError
from tsslbp.storage.record_files import RecordError, read_record, write_record
from tsslbp.storage.records import Epoch, ModelRecord, Provenance
from tsslbp.storage.summary import metrics, shown_metrics

numbers = st.floats(allow_nan=False)
percents = st.floats(0, 100)
rows = st.tuples(numbers, percents, percents, st.tuples(numbers, numbers))
Row = tuple[float, float, float, tuple[float, ...]]


def with_histories(histories: list[list[Row]]) -> tuple[ModelRecord, Provenance]:
    names = ("train_loss", "train_accuracy", "test_accuracy", "firing_rates")
    record, provenance = make_record(seeds=tuple(range(len(histories))))
    seeds = [
        seed.model_copy(update={"history": tuple(Epoch(epoch=i, **dict(zip(names, row, strict=True))) for i, row in enumerate(history, 1))})
        for seed, history in zip(record.seeds, histories, strict=True)
    ]
    return record.model_copy(update={"seeds": tuple(seeds)}), provenance


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(rows, min_size=1, max_size=4), max_size=3))
def test_what_was_written_is_read_to_the_last_bit(tmp_path: Path, histories: list[list[Row]]) -> None:
    record, provenance = with_histories(histories)
    write_record(tmp_path, record, provenance)
    assert read_record(tmp_path) == (record, provenance)


def test_an_equal_record_is_an_equal_file(tmp_path: Path) -> None:
    """The files are in git and their checksums in dvc.lock: the same result must not look changed."""
    for name in ("one", "two"):
        write_record(tmp_path / name, *make_record())
    for file in (tmp_path / "one").iterdir():
        assert file.read_bytes() == (tmp_path / "two" / file.name).read_bytes()
    assert {file.name for file in (tmp_path / "one").iterdir()} == {"metrics.json", "history.csv", "record.json", "provenance.json"}


def test_time_and_place_are_in_one_file_alone(tmp_path: Path) -> None:
    record, provenance = make_record(seeds=(0,))
    later = make_provenance(0).model_copy(update={"started": "2027-01-01T00:00:00+00:00", "seconds": (9.0, 9.0, 9.0)})
    write_record(tmp_path / "one", record, provenance)
    write_record(tmp_path / "two", record, Provenance(seeds=(later,)))
    differing = [file.name for file in (tmp_path / "one").iterdir() if file.read_bytes() != (tmp_path / "two" / file.name).read_bytes()]
    assert differing == ["provenance.json"]


def test_the_history_reads_as_a_table(tmp_path: Path) -> None:
    write_record(tmp_path, *make_record(seeds=(4,), epochs=1))
    row = make_epoch(1, 4)
    assert (tmp_path / "history.csv").read_text().splitlines() == [
        "seed,epoch,train_loss,train_accuracy,test_accuracy,firing_rate_1,firing_rate_2",
        f"4,1,{row.train_loss},{row.train_accuracy},{row.test_accuracy},0.1,0.05",
    ]


# --- damage


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-20])


def edit(file: Path, change: Callable[[dict[str, Any]], object]) -> None:
    stored = json.loads(file.read_text())
    change(stored)
    file.write_text(json.dumps(stored))


def misspell(file: Path) -> None:
    file.write_text(file.read_text().replace("seed", "sead"))


DAMAGE: dict[str, tuple[str, Callable[[Path], object]]] = {
    "no history": ("history.csv", Path.unlink),
    "no record": ("record.json", Path.unlink),
    "no provenance": ("provenance.json", Path.unlink),
    "a folder": ("record.json", lambda file: (file.unlink(), file.mkdir())),
    "a record cut off": ("record.json", cut),
    "a provenance cut off": ("provenance.json", cut),
    "a misspelt column": ("history.csv", misspell),
    "a misspelt key": ("record.json", misspell),
    "a merge conflict": ("history.csv", lambda file: file.write_text("<<<<<<< HEAD\n" + file.read_text())),
    "a missing epoch": ("history.csv", lambda file: file.write_text("\n".join(file.read_text().splitlines()[:2] + file.read_text().splitlines()[3:]))),
    "an epoch twice": ("history.csv", lambda file: file.write_text(file.read_text() + file.read_text().splitlines()[-1])),
    "no epochs": ("history.csv", lambda file: file.write_text(file.read_text().splitlines()[0])),
    "no number": ("history.csv", lambda file: file.write_text(file.read_text().replace("0.05", "much"))),
    "no text": ("history.csv", lambda file: file.write_bytes(b"\xff\xfe\x00")),
    "an unknown key": ("provenance.json", lambda file: file.write_text(json.dumps({"seeds": [], "new": 1}))),
    "a list": ("record.json", lambda file: file.write_text("[1]")),
    "nothing": ("record.json", lambda file: file.write_text("null")),
    "a number": ("record.json", lambda file: file.write_text("7")),
    "a text": ("record.json", lambda file: file.write_text('"seeds"')),
    "a bottomless list": ("record.json", lambda file: file.write_text("[" * 100_000)),
    "seeds that are none": ("record.json", lambda file: file.write_text('{"seeds": [3]}')),
    "a seed twice": ("record.json", lambda file: edit(file, lambda stored: stored["seeds"].append(stored["seeds"][0]))),
    "no loss": ("record.json", lambda file: edit(file, lambda stored: stored["settings"].pop("loss"))),
    "a loss without its kind": ("record.json", lambda file: edit(file, lambda stored: stored["settings"].update(loss="kernel"))),
    "epochs as text": ("record.json", lambda file: edit(file, lambda stored: stored["settings"].update(epochs="3"))),
    "a ragged confusion matrix": ("record.json", lambda file: edit(file, lambda stored: stored["seeds"][0]["confusion"][0].pop())),
}  # fmt: skip


def test_a_disk_that_is_full_at_the_last_file_leaves_the_old_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record, provenance = make_record()
    write_record(tmp_path, record, provenance)
    flushed = []

    def full_at_last(descriptor: int) -> None:
        flushed.append(descriptor)
        if len(flushed) == 4:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full_at_last)
    with pytest.raises(WriteError, match="No space left"):
        write_record(tmp_path, *make_record(epochs=5))
    assert read_record(tmp_path) == (record, provenance)
    assert len(list(tmp_path.iterdir())) == 4


@pytest.mark.parametrize("case", DAMAGE)
def test_damage_is_named_with_its_folder(case: str, tmp_path: Path) -> None:
    name, damage = DAMAGE[case]
    write_record(tmp_path, *make_record())
    damage(tmp_path / name)
    with pytest.raises(RecordError, match=r"restore .* from git or run the model again") as caught:
        read_record(tmp_path)
    assert str(tmp_path) in str(caught.value)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(["history.csv", "record.json", "provenance.json"]), st.integers(0, 2000), st.binary(max_size=6))
def test_any_damage_is_a_record_error_or_none(tmp_path: Path, name: str, position: int, new: bytes) -> None:
    write_record(tmp_path, *make_record())
    content = (tmp_path / name).read_bytes()
    position %= len(content)
    (tmp_path / name).write_bytes(content[:position] + new + content[position + len(new) :])
    try:
        record, _ = read_record(tmp_path)
    except RecordError as error:
        assert str(tmp_path) in str(error)
    else:
        assert isinstance(record, ModelRecord)


# --- numbers


def test_best_is_the_first_of_equal_epochs() -> None:
    rows = tuple(make_epoch(i).model_copy(update={"test_accuracy": accuracy}) for i, accuracy in enumerate((90.0, 95.0, 95.0, 91.0), 1))
    seed = make_seed(0).model_copy(update={"history": rows})
    assert (seed.best, seed.best_epoch, seed.final) == (95.0, 2, 91.0)


@pytest.mark.parametrize("seeds", [(0, 1), (0, 1, 2, 3, 4)])
def test_metrics_are_mean_sample_stddev_and_maximum(seeds: tuple[int, ...]) -> None:
    record, _ = make_record(seeds=seeds)
    best = [seed.best for seed in record.seeds]
    values = metrics(record)
    assert values["best_mean"] == pytest.approx(sum(best) / len(best))
    assert values["best_std"] == pytest.approx(math.sqrt(sum((one - statistics.fmean(best)) ** 2 for one in best) / (len(best) - 1)))
    assert values["best_max"] == max(best)
    assert shown_metrics(record)["seeds"] == len(seeds)


def test_beside_whole_seeds_one_that_has_begun_does_not_count() -> None:
    record, _ = make_record(seeds=(0, 1, 2))
    begun = record.seeds[2].model_copy(update={"history": record.seeds[2].history[:1]})
    uneven = record.model_copy(update={"seeds": (*record.seeds[:2], begun)})
    whole = record.model_copy(update={"seeds": record.seeds[:2]})
    assert (metrics(uneven), shown_metrics(uneven)) == (metrics(whole), shown_metrics(whole))
    assert shown_metrics(uneven)["seeds"] == 2


def test_one_seed_has_no_stddev_and_none_has_no_mean() -> None:
    assert metrics(make_record(seeds=(0,))[0])["best_std"] is None
    assert metrics(make_record(seeds=())[0])["final_mean"] is None


def test_records_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        make_epoch(1).epoch = 2
