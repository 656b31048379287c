"""The records of a pipeline's training runs, and where each of them comes from."""

import re
import textwrap
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from tsslbp.settings import Settings
from tsslbp.storage.live_provenance import THEN
from tsslbp.storage.record_files import RecordError, read_record
from tsslbp.storage.records import ModelRecord, Provenance, SeedProvenance

Run = tuple[ModelRecord, Provenance]

IsPresent = Callable[[ModelRecord, Provenance], bool]
"""Whether a record was made by code that means the same as today's, as `storage.meaning.is_present` says."""

LIBRARIES = {"onednn": "oneDNN", "blas": "BLAS"}
"""The libraries of the dense products by their values in records: processors of one name may differ in what they have."""

RECORD_FILES = ("metrics.json", "history.csv", "record.json", "provenance.json")


def read_runs(settings: Settings, folder: Path) -> dict[str, Run]:
    """Read the records of every model in params.yaml that has any; results of removed models are not looked at.

    Args:
        settings: whose models to look for.
        folder: holds one folder of records per model.

    Raises:
        RecordError: a record is damaged, incomplete, or another model's.
    """
    runs: dict[str, Run] = {}
    for key in settings.models:
        if not any((folder / key / name).exists() for name in RECORD_FILES):
            continue
        runs[key] = read_record(folder / key)
        _check_belongs(settings, key, runs[key][0], folder / key / "record.json")
    return runs


def _check_belongs(settings: Settings, key: str, record: ModelRecord, path: Path) -> None:
    expected, found = (key, settings.model(key).dataset), (record.model, record.data.dataset)
    if found != expected:
        raise RecordError(
            f"{path}: is a record of model and dataset {found}, expected {expected}; restore it from git or run the model again"
        )


@dataclass(frozen=True)
class Origin:
    """Where the numbers of a model come from; values that differ between its seeds stand side by side.

    Attributes:
        data_checksum: of the raw files of the data that the model was trained on.
        git_commit: commit of the code.
        device: what it ran on, with how many threads and, on a CPU, with which library of dense products.
        code: digest of the code that decides its numbers.
        is_present_code: whether that is the code of today; None where nobody compared them.
        hours: wall-clock time of all seeds together, failed ones included; None where nothing ran.
        versions: libraries with their versions.
        started: first day, ISO 8601.
        failures: the seeds that failed, each with what went wrong.
        run_ids: of the seeds that finished, as in their record and in MLflow's tags.
    """

    data_checksum: str = ""
    git_commit: str = ""
    device: str = ""
    code: str = ""
    is_present_code: bool | None = None
    hours: float | None = None
    versions: str = ""
    started: str = ""
    failures: tuple[tuple[int, str], ...] = ()
    run_ids: str = ""

    @property
    def failure_notes(self) -> tuple[str, ...]:
        """A line for each thing that went wrong, with the seeds that it went wrong with."""
        seeds: dict[str, list[int]] = {}
        for seed, message in self.failures:
            seeds.setdefault(message.partition(";")[0], []).append(seed)
        return tuple(f"seed{'s' if len(which) > 1 else ''} {', '.join(map(str, which))} failed: {what}" for what, which in seeds.items())


def origin_of(run: Run | None, is_present: IsPresent | None = None) -> Origin:
    """Gather what the provenance of the seeds has to say; an empty Origin where there is none.

    Args:
        run: a model's record and provenance.
        is_present: compares its code with today's; None: nobody does.
    """
    if run is None:
        return Origin()
    record, provenance = run
    seeds = provenance.seeds
    finished = {seed.seed for seed in record.seeds}
    return Origin(
        data_checksum=record.data.checksum,
        git_commit=", ".join(_distinct(commit for seed in seeds for commit in seed.git_commit.split(THEN))),
        device="; ".join(_distinct(_place(seed) for seed in seeds)),
        code=record.code,
        is_present_code=None if is_present is None else is_present(record, provenance),
        hours=sum(sum(seed.seconds) for seed in seeds) / 3600,
        versions=", ".join(_versions(seeds)),
        started=min((seed.started for seed in seeds), default="")[: len("2021-03-01")],
        failures=tuple((seed.seed, _brief(seed.failed)) for seed in seeds if seed.failed and seed.seed not in finished),
        run_ids=", ".join(seed.run_id for seed in record.seeds),
    )


def library_of(seed: SeedProvenance) -> str:
    """The library of the dense products of a seed, in its usual spelling; "" on a GPU, which has its own, and where a record does not say."""
    return LIBRARIES.get(seed.products or "", "") if seed.device.startswith("cpu") else ""


def _place(seed: SeedProvenance) -> str:
    """The device, its threads and its library of dense products, on which both the bits and the hours depend."""
    return ", ".join(filter(None, (seed.device, f"{seed.threads} thread{'s' if seed.threads != 1 else ''}", library_of(seed))))


def _distinct(values: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(value for value in values if value))


def _versions(seeds: Iterable[SeedProvenance]) -> list[str]:
    found: dict[str, list[str]] = {}
    for seed in seeds:
        for name, version in seed.versions.items():
            found.setdefault(name, []).extend(version.split(THEN))
    return [f"{name} {' / '.join(_distinct(versions))}" for name, versions in sorted(found.items())]


def _brief(message: str) -> str:
    """A failure's message on one line, without the folders of the machine that it happened on."""
    without_folders = re.sub(r"(?<![\w.:/])/(?:[^\s/:'\"]+/)+", "", message)
    return textwrap.shorten(without_folders, 120, placeholder=" ...")
