"""Test the networks in git on the official data, and compare them with the records: `python -m stages.verify`, or `make verify`.

It takes seconds and trains nothing. A network gives the recorded accuracy to the last sample where everything is as it was when it
was trained; another processor, version of PyTorch or state of the code may round a few samples into another class.
"""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from stages.common import run, stage_name
from stages.published_weights import belongs_in_git, weights_path, who_publishes
from tsslbp.settings import Settings
from tsslbp.storage.files import checksum

if TYPE_CHECKING:
    from tsslbp.experiment import ModelRun
    from tsslbp.report.origin import Run
    from tsslbp.report.rows import ResultRow
    from tsslbp.storage.records import SeedProvenance

ELSEWHERE = 5
"""Test samples of 10,000 that may fall to another class where sums are rounded in another order."""


def main(settings: Settings, options: argparse.Namespace) -> None:
    """Test every network that is in git, and say which rows have none.

    Raises:
        ValueError: a network is not that of its record, or does not give what the record says.
    """
    from tsslbp.report.origin import read_runs
    from tsslbp.report.rows import make_rows

    runs = read_runs(settings, settings.folders.runs)
    there = [key for key in settings.models if weights_path(settings, key).exists()]
    if options.stages:
        # Where the data are there, DVC is not asked: it would refuse beside a training that reads them.
        needed = dict.fromkeys(
            name for key in there if not (settings.folders.data / "processed" / (name := settings.model(key).dataset)).exists()
        )
        print(*(stage_name("preprocess", options.params, name) for name in needed))
        return
    rows = make_rows(settings, runs)
    wrong = [row.model for row in rows if row.model in there and not _verify(settings, row, runs.get(row.model))]
    for row in rows:
        if row.model not in there:
            print(f"{row.model}: no network in git; {_why_none(settings, row, options.params, runs.get(row.model))}")
    if wrong:
        raise ValueError(f"{', '.join(wrong)}: not confirmed, see above")


def _why_none(settings: Settings, row: "ResultRow", params: Path, found: "Run | None") -> str:
    """Why a row has no network in git."""
    if not row.was_run or found is None:
        return "the row was not run"
    if row.departures:
        return f"the row was not run in full: {'; '.join(row.departures)}"
    if not belongs_in_git(settings, row.model, *found):
        return "only rows of the pipeline that have a published one beside them go into git"
    return who_publishes(params, row.model, found[0].seeds[0].seed)


def _verify(settings: Settings, row: "ResultRow", found: "Run | None") -> bool:
    """Test one network, say what came out, and return whether it is what the record says."""
    from stages.evaluation import evaluate_weights

    key, path = row.model, weights_path(settings, row.model)
    if found is None:
        return _fail(f"{path}: there is no record of {key} in {settings.folders.runs}")
    record, provenance = found
    if not record.seeds:
        return _fail(f"{path}: every seed on record of {key} failed, so it is of an older training; remove it, or train {key} again")
    seed, origin = record.seeds[0], provenance.seeds[0]
    if checksum(path, "sha256") != seed.best_weights_sha256:
        if row.departures:  # an experiment, or a row that has begun anew: no such training puts its network into git
            return _fail(
                f"{path}: is of another training than the record of {key} ({'; '.join(row.departures)}); take the record back with "
                f"`git checkout {settings.folders.runs / key}`, or remove the network until the row is run in full"
            )
        return _fail(
            f"{path}: is not the network of seed {seed.seed} that the record of {key} names; restore it from git or train {key} again"
        )
    try:
        model, result = evaluate_weights(settings, key, path, _products(origin))
    except ValueError as error:  # of this row alone: the others are tested all the same
        return _fail(f"{key}: cannot be tested: {error}")
    if model.data.checksum != record.data.checksum:
        return _fail(f"{key}: the data here are not those of the record ({'; '.join(model.data.subset) or 'another checksum'})")
    samples = model.data.test_samples
    off = round(abs(result.accuracy - seed.best) * samples / 100)
    changes = _changes(model, found)
    allowed = ELSEWHERE * samples // 10_000 if changes else 0
    judged = "equal to the record" if off == 0 else f"{off} samples from the record's {seed.best:.2f} %, {allowed} are allowed"
    elsewhere = f"; other than the record's: {', '.join(changes)}" if changes else ""
    text = f"{key}: {result.accuracy:.2f} % of {samples:,} test samples of {model.data.title}, {judged}{elsewhere}"
    if off > allowed:
        return _fail(text)
    print(text, flush=True)
    return True


def _products(origin: "SeedProvenance") -> Literal["auto", "onednn", "blas"]:
    """The library of the products that the record names, where it is here."""
    from tsslbp.method.products import onednn_is_there

    if origin.products == "blas":
        return "blas"
    return "onednn" if origin.products == "onednn" and onednn_is_there() else "auto"


def _changes(model: "ModelRun", found: "Run") -> list[str]:
    """What may round differently here than it did when the network was trained."""
    import torch

    from tsslbp.storage.meaning import is_present
    from tsslbp.storage.provenance import library_versions

    origin = found[1].seeds[0]
    same = {
        "processor": origin.device == model.device_name,
        "threads": origin.threads == torch.get_num_threads(),
        "PyTorch": origin.versions.get("torch") == library_versions()["torch"],
        "state of the code": is_present(*found),
    }
    return [name for name, equal in same.items() if not equal]


def _fail(text: str) -> bool:
    print(text, file=sys.stderr, flush=True)
    return False


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        prog="python -m stages.verify", description="Test the networks in git and compare them with the records."
    )
    parser.add_argument("--stages", action="store_true", help="only print the stages of DVC that bring the data which this needs")
    run(main, parser)
