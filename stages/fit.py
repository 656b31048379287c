"""Stage `fit`: every seed of one model, each going on from its last complete epoch.

python -m stages.fit --model mnist-cnn
python -m stages.fit --model mnist-cnn --seeds 3 4

It writes the weights to `<folders.checkpoints>/<model>/` and, when all is done, the finished record beside them; `stages.train` publishes
that. So whatever ends this stage early, what was published before is as it was.
Of some seeds alone there is no finished record; `stages.train --so-far` adds them to what was recorded before.
"""

import argparse
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from stages.common import only_training, report_command, run, tracking_folder, warn, weights_of
from stages.conditions import changed_since, conditions, refuse_other_binning, refuse_outdated_meaning
from stages.tracking_context import model_context
from tsslbp.settings import Settings
from tsslbp.storage.provenance import UNKNOWN, git_commit
from tsslbp.storage.record_files import FINISHED, write_record

if TYPE_CHECKING:
    from tsslbp.experiment import ModelRun, Outcome
    from tsslbp.tracking import LiveLog, ModelContext


def main(settings: Settings, options: argparse.Namespace) -> None:
    """Train a model."""
    settings.model(options.model)
    refuse_outdated_meaning(options.params, settings, options.model)
    refuse_other_binning(options.params, settings, options.model)
    with only_training(settings, options.model):
        _fit(settings, options.model, options.params, _asked_seeds(settings, options))


def _asked_seeds(settings: Settings, options: argparse.Namespace) -> tuple[int, ...]:
    """The seeds to train, in the order of the settings.

    Raises:
        ValueError: one that is asked for is none of the settings.
    """
    seeds = settings.seeds_of(options.model)
    if wrong := sorted(set(options.seeds or ()) - set(seeds)):
        raise ValueError(f"--seeds: got {_listed(wrong)}; allowed: {_listed(seeds)}, the seeds of {options.model} in {options.params}")
    return tuple(seed for seed in seeds if options.seeds is None or seed in options.seeds)


def _listed(seeds: Sequence[int]) -> str:
    return ", ".join(map(str, seeds))


def _fit(settings: Settings, key: str, params: Path, seeds: tuple[int, ...]) -> None:
    from tsslbp.system import pick_device

    kind = pick_device(settings.execution.device).type
    before = conditions(settings, key, kind)
    # The method is imported after that look at its files, so that an edit in between does not pass unseen.
    model = _opened(settings, key)
    if changed := changed_since(before, params, key, kind):
        raise ValueError(f"{key}: changed before it was trained: {'; '.join(changed)}. Run the same command again")
    from stages.seeds import train_seeds
    from tsslbp.tracking import LiveLog, tracking_store

    for note in model.data.subset:
        warn(f"{key}: these are NOT the official data of {model.data.title}, but {note}")
    if git_commit(Path.cwd()) == UNKNOWN:
        warn(f"{key}: git names no commit of this folder, so the record says {UNKNOWN!r} where its code's would stand")
    finished = settings.folders.checkpoints / key / FINISHED
    store = tracking_store(tracking_folder(settings, params), os.environ.get("MLFLOW_TRACKING_URI"))
    context = model_context(settings, params, key)
    with LiveLog(store, warn, remedy=report_command(settings, params)) as log:
        outcomes = train_seeds(model, log, context, warn, seeds)
        whole = seeds == settings.seeds_of(key)
        changed = [what for what in changed_since(before, params, key, kind) if whole or not what.startswith("seeds,")]
        if whole and not changed:
            _write_lost_weights(model, outcomes)
            write_record(finished, model.record(outcomes), model.provenance(outcomes))
        if whole:
            _log_model(model, outcomes, log, context)
    if changed:
        raise ValueError(
            f"{key}: changed while it was trained: {'; '.join(changed)}. Nothing is published, for DVC would file it under what is there now. "
            "The finished epochs are kept: the same command goes on from them with the old state again, and with the new one as far as they are of the "
            "same settings, data and code"
        )
    publish = f"`python -m stages.train --params {quote(str(params))} --model {key}{'' if whole else ' --so-far'}`"
    _say_failure(settings, params, key, publish, outcomes)
    if not whole:
        print(f"{key}: {publish} records the seeds {_listed(seeds)} beside the others")


def _opened(settings: Settings, key: str) -> "ModelRun":
    """The model with its data. All code that decides a number is imported before its digest is taken, though a core may be hours away."""
    from tsslbp.experiment import ModelRun
    from tsslbp.method.numerics import prepare_device
    from tsslbp.seed_training import import_method

    device = prepare_device(settings.execution)
    import_method(settings.model(key).loss.kind, device.type)
    return ModelRun.open(settings, key, device)


def _write_lost_weights(model: "ModelRun", outcomes: "list[Outcome]") -> None:
    """Write weights again that are gone: a `dvc repro` of a stage that is at work by hand removes its outputs before it is refused."""
    for outcome in outcomes:
        seed = outcome.provenance.seed
        there = all(model.weights_path(seed, which).exists() for which in ("best", "final"))
        if outcome.record is not None and not there and (state := model.state(seed)) is not None:
            model.finished(outcome.provenance, state)


def _log_model(model: "ModelRun", outcomes: "list[Outcome]", log: "LiveLog", context: "ModelContext") -> None:
    """Log the run of the model as a whole."""
    from tsslbp.tracking import tracked_run

    record, provenance = model.record(outcomes), model.provenance(outcomes)
    if record.seeds:
        log.model(record, provenance, partial(weights_of, model.settings), context)
        return
    first = outcomes[0].provenance
    log.fail(tracked_run(record, first.seed, model.run_id(first.seed), first, context).parent(), f"every seed failed: {first.failed}")


def _say_failure(settings: Settings, params: Path, key: str, publish: str, outcomes: "list[Outcome]") -> None:
    """Raise a ValueError where every seed failed; of a study's variant that is a finding, and the study goes on."""
    failed = tuple(outcome.provenance.seed for outcome in outcomes if outcome.record is None)
    if failed:
        of, numbers = f"--params {quote(str(params))} --model {key}", " ".join(map(str, failed))
        # For DVC the row is complete.
        print(
            f"{key}: once the cause is gone, `python -m stages.fit {of} --seeds {numbers}` trains what failed again, and "
            f"`python -m stages.train {of} --so-far` records it"
        )
    if len(failed) < len(outcomes):
        return
    message = f"{key}: every seed failed; the messages above say how"
    if settings.base is None:
        raise ValueError(f"{message}. What was published before is as it was; {publish} publishes the failure")
    warn(message)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m stages.fit", description="Train every seed of one model.")
    parser.add_argument("--model", required=True, help="a key of `models` in the settings")
    parser.add_argument("--seeds", type=int, nargs="+", metavar="SEED", help="train these alone (default: all of the settings)")
    run(main, parser)
