"""The record of a row that is not finished: the epochs that are complete here, beside the seeds that were recorded before.

So a row can be made in parts, on several machines or one after the other: whoever has epochs to add takes the record from git, adds them
and commits it.
"""

import shutil
from pathlib import Path

from stages.common import stage_name, warn
from stages.conditions import departures
from stages.published_weights import publish_weights
from tsslbp.experiment import ModelRun, Outcome
from tsslbp.settings import Settings
from tsslbp.storage.checkpoints import TrainingState
from tsslbp.storage.live_provenance import load_live
from tsslbp.storage.record_files import FINISHED, read_record, write_record
from tsslbp.storage.records import SeedProvenance


def record_so_far(settings: Settings, key: str, params: Path) -> None:
    """Write the record of an interrupted training, so that the report can show it as what it is: so many seeds, so many epochs.

    A seed that was recorded before with the same settings, data and code stays, unless as many of its epochs are complete here.
    Training goes on from the checkpoints all the same.

    Raises:
        ValueError: no epoch is complete here, or a checkpoint or the record from before is damaged.
        WriteError: a file cannot be written.
    """
    from tsslbp.method.numerics import prepare_device

    train = stage_name("train", params, key)
    model = ModelRun.open(settings, key, prepare_device(settings.execution))
    states = {seed: state for seed in settings.seeds_of(key) if (state := model.state(seed)) is not None}
    if not states:
        raise ValueError(_nothing(model, train))
    before = _recorded_before(settings, key)
    shorter = {seed for seed, state in states.items() if seed in before and len(state.history) < _epochs(before[seed])}
    longer = {seed: state for seed, state in states.items() if seed not in shorter}
    here = {seed: model.finished(_origin(model, seed, state, before.get(seed)), state) for seed, state in longer.items()}
    outcomes = {seed: here.get(seed) or before[seed] for seed in settings.seeds_of(key) if seed in here or seed in before}
    _write(model, list(outcomes.values()), set(here))
    for seed, outcome in outcomes.items():
        print(_line(model, outcome) + ("" if seed in here else f", as recorded before on {outcome.provenance.device}"))
    print(f"written: {settings.folders.runs / key}; the stage report shows it, and `dvc repro {train}` goes on with the training")


def _recorded_before(settings: Settings, key: str) -> dict[int, Outcome]:
    """The seeds of the record in git, failed ones too, where it is one of the present settings, data and code; says where it is not."""
    folder = settings.folders.runs / key
    if not folder.exists():
        return {}
    record, provenance = read_record(folder)
    if different := [name for name in departures(settings, key, record, provenance) if name != "seeds"]:
        warn(f"{folder}: is of other conditions than there are now and is written anew: {', '.join(different)}")
        return {}
    found = {seed.seed: seed for seed in record.seeds}
    return {run.seed: Outcome(run, found.get(run.seed)) for run in provenance.seeds}


def _origin(model: ModelRun, seed: int, state: TrainingState, before: Outcome | None) -> SeedProvenance:
    """How the epochs of a seed came about. Whoever records them need not have trained them, so nothing is said of this process."""
    noted = load_live(model.live_provenance(seed), warn)
    if noted is None and before is not None and before.provenance.seconds == state.seconds:
        return before.provenance  # of the same epochs: no two trainings take equally long
    return noted or model.unknown_start(seed, state)


def _epochs(outcome: Outcome) -> int:
    return len(outcome.record.history) if outcome.record else 0


def _write(model: ModelRun, outcomes: list[Outcome], here: set[int]) -> None:
    settings, key = model.settings, model.key
    finished = settings.folders.checkpoints / key / FINISHED
    if here and finished.exists():
        shutil.rmtree(finished)  # its weights were just replaced
    record, provenance = model.record(outcomes), model.provenance(outcomes)
    write_record(settings.folders.runs / key, record, provenance)
    if record.seeds[0].seed in here and (done := publish_weights(settings, key, record, provenance)):
        print(done)


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
