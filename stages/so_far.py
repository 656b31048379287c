"""The record of a row that is not finished: the epochs that are complete here, beside the seeds that were recorded before.

So a row can be made in parts, on several machines or one after the other: whoever has epochs to add takes the record from git, adds them
and commits it.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from shlex import quote

from stages.common import report_command, stage_name, warn
from stages.conditions import departures, refuse_other_binning
from stages.published_weights import belongs_in_git, publish_weights, weights_path, who_publishes
from tsslbp.experiment import ModelRun, Outcome
from tsslbp.settings import Settings
from tsslbp.storage.checkpoints import TrainingState
from tsslbp.storage.files import checksum
from tsslbp.storage.kept_checkpoints import pick_checkpoint
from tsslbp.storage.live_provenance import load_live
from tsslbp.storage.record_files import FINISHED, RECORD_FILES, RecordError, read_record, write_record
from tsslbp.storage.records import ModelRecord, Provenance, SeedProvenance


def record_so_far(settings: Settings, key: str, params: Path) -> None:
    """Write the record of an interrupted training, so that the report can show it as what it is: so many seeds, so many epochs.

    A seed that was recorded before with the same settings, data and code stays, unless as many of its epochs are complete here; one that
    failed stays unless more are, or it failed here, too; one that the settings no longer name stays in any case. Training goes on from the
    checkpoints all the same.

    Raises:
        ValueError: no epoch is complete here and no seed failed, or a checkpoint or the record from before is damaged.
        WriteError: a file cannot be written.
    """
    from tsslbp.method.numerics import prepare_device

    train = stage_name("train", params, key)
    model = ModelRun.open(settings, key, prepare_device(settings.execution))
    refuse_other_binning(params, settings, key)
    found = {seed: one for seed in settings.seeds_of(key) if (one := _found_here(model, seed)) is not None}
    if not found:
        raise ValueError(_nothing(model, train))
    before = _recorded_before(settings, key)
    origins = {seed: _origin(model, seed, *one, before.get(seed)) for seed, one in found.items()}
    gone_on = [seed for seed, origin in origins.items() if seed not in before or _goes_beyond(origin, before[seed])]
    here = {seed: _outcome(model, found[seed][0], origins[seed]) for seed in gone_on}
    order = (*settings.seeds_of(key), *_others_on_record(settings, key, before))
    outcomes = {seed: here.get(seed) or before[seed] for seed in order if seed in here or seed in before}
    _write(model, list(outcomes.values()), set(here), params)
    for seed, outcome in outcomes.items():
        print(_line(model, outcome) + ("" if seed in here else f", as recorded before on {outcome.provenance.device}"))
    print(f"written: {settings.folders.runs / key}; `{report_command(settings, params)}` shows it")
    if begun := [seed for seed, origin in origins.items() if len(origin.seconds) < model.model.epochs]:
        alone = f"python -m stages.fit --params {quote(str(params))} --model {key} --seeds {' '.join(map(str, begun))}"
        print(f"`{f'dvc repro {train}' if set(found) == set(settings.seeds_of(key)) else alone}` goes on with the training")


def _recorded_before(settings: Settings, key: str) -> dict[int, Outcome]:
    """The seeds of the record in git, failed ones too, where it is one of the present settings, data and code; says where it is not."""
    folder = settings.folders.runs / key
    if not (folder / RECORD_FILES[-1]).exists():  # written last
        if folder.exists() and any(folder.iterdir()):
            warn(f"{folder}: holds no {RECORD_FILES[-1]}, which a kill or a full disk can leave behind; it is written anew")
        return {}
    try:
        record, provenance = read_record(folder)
    except RecordError as error:
        raise RecordError(f"{error}; or delete {folder}, and what is complete here is recorded anew") from None
    if different := [name for name in departures(settings, key, record, provenance) if name != "seeds"]:
        warn(f"{folder}: is of other conditions than there are now and is written anew: {', '.join(different)}")
        return {}
    found = {seed.seed: seed for seed in record.seeds}
    return {run.seed: Outcome(run, found.get(run.seed)) for run in provenance.seeds}


def _others_on_record(settings: Settings, key: str, before: Mapping[int, Outcome]) -> list[int]:
    """The seeds on record that the settings do not name; says so, since a list with the new seed alone may be a mistake."""
    others = [seed for seed in before if seed not in settings.seeds_of(key)]
    if others:
        folder = settings.folders.runs / key
        warn(
            f"{folder}: seeds of {key} that the settings do not name stay on record: {', '.join(map(str, others))}; delete the folder to drop them"
        )
    return others


def _found_here(model: ModelRun, seed: int) -> tuple[TrainingState | None, SeedProvenance | None] | None:
    """The complete epochs of a seed and what is noted of them; None where there are none, unless it failed in its first."""
    # A shorter training may have set the longer one aside.
    pick_checkpoint(model.checkpoint(seed), model.seed_key(seed), model.model.epochs)
    state, noted = model.state(seed), load_live(model.live_provenance(seed), warn)
    failed_at_once = noted is not None and noted.failed is not None and not noted.seconds
    return (state, noted) if state is not None or failed_at_once else None


def _origin(
    model: ModelRun, seed: int, state: TrainingState | None, noted: SeedProvenance | None, before: Outcome | None
) -> SeedProvenance:
    """How the epochs of a seed came about. Whoever records them need not have trained them, so nothing is said of this process."""
    if state is None:
        assert noted is not None
        return noted
    if noted is None and before is not None and before.provenance.seconds == state.seconds:
        return before.provenance  # of the same epochs: no two trainings take equally long
    origin = noted or model.unknown_start(seed, state)
    done = len(state.seconds)
    # A failure counts until the seed gets past it, which one that is tried again and interrupted has not, or needs no such epoch any more.
    failed = origin.failed if done <= len(origin.seconds) and done < model.model.epochs else None
    return origin.model_copy(update={"seconds": state.seconds, "failed": failed, "run_id": origin.run_id if failed else None})


def _goes_beyond(here: SeedProvenance, before: Outcome) -> bool:
    """Whether what a seed came to here takes the place of what is on record."""
    if before.record is not None:
        return len(here.seconds) >= len(before.record.history)
    # The epochs before a failure are no training that goes well, wherever their checkpoint is.
    return len(here.seconds) + bool(here.failed) > len(before.provenance.seconds)


def _outcome(model: ModelRun, state: TrainingState | None, origin: SeedProvenance) -> Outcome:
    return Outcome(origin, None) if state is None or origin.failed else model.finished(origin, state)


def _write(model: ModelRun, outcomes: list[Outcome], here: set[int], params: Path) -> None:
    settings, key = model.settings, model.key
    record, provenance = model.record(outcomes), model.provenance(outcomes)
    replaced = here & {seed.seed for seed in record.seeds}  # the weights of these were just written
    finished = settings.folders.checkpoints / key / FINISHED
    if replaced and finished.exists() and not _is_record(finished, record):
        shutil.rmtree(finished)
    write_record(settings.folders.runs / key, record, provenance)
    if belongs_in_git(settings, key, record, provenance):
        _publish(model, record, provenance, params)


def _is_record(folder: Path, record: ModelRecord) -> bool:
    """Whether what DVC finished is this very record: without it the row would be stale."""
    try:
        return read_record(folder)[0] == record
    except RecordError:
        return False


def _publish(model: ModelRun, record: ModelRecord, provenance: Provenance, params: Path) -> None:
    """Publish the network of the first seed, which may have been trained elsewhere, or say who can."""
    settings, key, first = model.settings, model.key, record.seeds[0]
    if _is(model.weights_path(first.seed, "best"), first.best_weights_sha256):
        print(publish_weights(settings, key, record, provenance))
    elif not _is(weights_path(settings, key), first.best_weights_sha256):
        print(f"{key}: its network is not in git: {who_publishes(params, key, first.seed)}")


def _is(path: Path, sha256: str) -> bool:
    return path.exists() and checksum(path, "sha256") == sha256


def _line(model: ModelRun, outcome: Outcome) -> str:
    name, seed = f"{model.key} seed {outcome.provenance.seed}", outcome.record
    if seed is None:
        return f"{name}: FAILED: {outcome.provenance.failed}"
    return f"{name}: {len(seed.history)} of {model.model.epochs} epochs, best {seed.best:.2f} % (epoch {seed.best_epoch})"


def _nothing(model: ModelRun, train: str) -> str:
    import torch

    return (
        f"{model.key}: no epoch is complete with these settings, data and method on {model.device.type} with {torch.get_num_threads()} "
        f"threads; `dvc repro {train}` trains, with the number of threads that earlier epochs had it goes on from them"
    )
