"""Stage `fit`: every seed of one model, each going on from its last complete epoch: `python -m stages.fit --model mnist-cnn`.

It writes the weights to `<folders.checkpoints>/<model>/` and, when all is done, the finished record beside them; `stages.train` publishes
that. So whatever ends this stage early, what was published before is as it was.
"""

import argparse
import os
import shutil
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from stages.common import only_training, run, tracking_folder, warn, weights_of
from stages.conditions import changed_since, conditions, refuse_outdated_meaning
from tsslbp.settings import Settings
from tsslbp.storage.provenance import UNKNOWN, git_commit
from tsslbp.storage.records import FINISHED, write_record

if TYPE_CHECKING:
    from tsslbp.experiment import ModelRun, Outcome
    from tsslbp.tracking import LiveLog


def main(settings: Settings, options: argparse.Namespace) -> None:
    """Train a model."""
    settings.model(options.model)
    refuse_outdated_meaning(options.params, settings, options.model)
    with only_training(settings, options.model):
        _fit(settings, options.model, options.params)


def _fit(settings: Settings, key: str, params: Path) -> None:
    from tsslbp.system import pick_device

    kind = pick_device(settings.execution.device).type
    before = conditions(settings, key, kind)
    # The method is imported after that look at its files, so that an edit in between does not pass unseen.
    from tsslbp.experiment import ModelRun
    from tsslbp.method.numerics import prepare_device
    from tsslbp.tracking import LiveLog, tracking_store

    model = ModelRun.open(settings, key, prepare_device(settings.execution))
    for note in model.data.subset:
        warn(f"{key}: these are NOT the official data of {model.data.title}, but {note}")
    if git_commit(Path.cwd()) == UNKNOWN:
        warn(f"{key}: git names no commit of this folder, so the record says {UNKNOWN!r} where its code's would stand")
    finished = settings.folders.checkpoints / key / FINISHED
    if finished.exists():
        shutil.rmtree(finished)  # it is of the weights that are about to be replaced
    store = tracking_store(tracking_folder(settings, params), os.environ.get("MLFLOW_TRACKING_URI"))
    with LiveLog(store, warn, remedy=f"python -m stages.report --params {params}") as log:
        outcomes = _train_seeds(model, log)
        changed = changed_since(before, params, key, kind)
        if not changed:
            write_record(finished, model.record(outcomes), model.provenance(outcomes))
        _log_model(model, outcomes, log)
    if changed:
        raise ValueError(
            f"{key}: changed while it was trained: {'; '.join(changed)}. Nothing is published, for DVC would file it under what is there now. "
            "The finished epochs are kept: with the old state again the same command goes on from them, with the new one it trains anew"
        )
    _say_failure(settings, key, params, outcomes)


def _train_seeds(model: "ModelRun", log: "LiveLog") -> "list[Outcome]":
    """Train all seeds of a model, one after the other."""
    return [_train_seed(model, seed, log) for seed in model.settings.seeds_of(model.key)]


def _train_seed(model: "ModelRun", seed: int, log: "LiveLog") -> "Outcome":
    from stages.display import TrainingDisplay
    from tsslbp.experiment import train_seed
    from tsslbp.method.loop import TrainingFailure
    from tsslbp.tracking import identity

    provenance = model.started(seed)
    who = identity(model.record(), seed, model.run_id(seed), provenance)
    log.start(who)
    samples, before = model.splits.train.samples, model.state(seed)
    state = before
    with TrainingDisplay(f"{model.key} seed {seed}", model.model.epochs, samples) as display:
        try:
            for state in train_seed(model.task(seed), model.splits, before, display.batch):
                model.keep(seed, state)
                display.epoch(state.history[-1], state.seconds[-1])
                log.epoch(who, state.history[-1], samples / state.seconds[-1])
            assert state is not None  # at least one epoch is asked for
            outcome = model.finished(provenance, state)
        except TrainingFailure as failure:
            outcome = model.failed(provenance, str(failure), failure.state)
    if outcome.record is None:
        reason = outcome.provenance.failed or "unknown"
        warn(f"{model.key} seed {seed} FAILED: {reason}. The other seeds go on")
        log.fail(who, reason)
        return outcome
    print(
        f"{model.key} seed {seed}: best {outcome.record.best:.2f} % (epoch {outcome.record.best_epoch}), final {outcome.record.final:.2f} %",
        flush=True,
    )
    log.finish(who, outcome.record, weights_of(model.settings, model.key, seed))
    return outcome


def _log_model(model: "ModelRun", outcomes: "list[Outcome]", log: "LiveLog") -> None:
    """Log the run of the model as a whole."""
    from tsslbp.tracking import identity

    record, provenance = model.record(outcomes), model.provenance(outcomes)
    if record.seeds:
        log.model(record, provenance, partial(weights_of, model.settings))
        return
    first = outcomes[0].provenance
    log.fail(identity(record, first.seed, model.run_id(first.seed), first).parent(), f"every seed failed: {first.failed}")


def _say_failure(settings: Settings, key: str, params: Path, outcomes: "list[Outcome]") -> None:
    """Raise a ValueError where every seed failed; of a study's variant that is a finding, and the study goes on."""
    if any(outcome.record for outcome in outcomes):
        return
    message = f"{key}: every seed failed; the messages above say how"
    if settings.base is None:
        raise ValueError(
            f"{message}. What was published before is as it was; `python -m stages.train --params {params} --model {key}` publishes the failure"
        )
    warn(message)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m stages.fit", description="Train every seed of one model.")
    parser.add_argument("--model", required=True, help="a key of `models` in the settings")
    run(main, parser)
