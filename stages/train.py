"""Stage `train`: every seed of one model, each going on from its last complete epoch; or record those so far; or test saved weights.

python -m stages.train --model mnist-cnn
python -m stages.train --model mnist-cnn --so-far
python -m stages.train --model mnist-cnn --evaluate checkpoints/mnist-cnn/seed-0-best.safetensors
"""

import argparse
import os
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from stages.common import run, tracking_folder
from stages.tracking_context import model_context
from tsslbp.settings import Settings

if TYPE_CHECKING:
    from tsslbp.experiment import ModelRun


def main(settings: Settings, options: argparse.Namespace) -> None:
    """Train a model, or test saved weights."""
    from tsslbp.storage.locks import only_process

    settings.model(options.model)
    if options.evaluate is not None:
        _evaluate(settings, options.model, options.evaluate)
        return
    with only_process(settings.folders.scratch / options.model / "lock", f"training of {options.model}"):
        if options.so_far:
            _record_so_far(settings, options.model)
        else:
            _train(settings, options.model, options.params)


def _train(settings: Settings, key: str, params: Path) -> None:
    from stages.seeds import train_seeds
    from tsslbp.experiment import ModelRun
    from tsslbp.method.numerics import prepare_device
    from tsslbp.storage.records import write_record
    from tsslbp.tracking import LiveLog, tracked_run, tracking_store

    model = ModelRun.open(settings, key, prepare_device(settings.execution))
    for note in model.data.subset:
        _warn(f"{key}: these are NOT the official data of {model.data.title}, but {note}")
    store = tracking_store(tracking_folder(settings, params), os.environ.get("MLFLOW_TRACKING_URI"))
    context = model_context(settings, params, key)
    with LiveLog(store, _warn, remedy=f"python -m stages.report --params {params}") as log:
        outcomes = train_seeds(model, log, context, _warn)
        record, provenance = model.record(outcomes), model.provenance(outcomes)
        write_record(settings.folders.runs / key, record, provenance)
        if record.seeds:
            log.model(record, provenance, partial(_weights, model), context)
            return
        first = outcomes[0].provenance
        log.fail(tracked_run(record, first.seed, model.run_id(first.seed), first, context).parent(), f"every seed failed: {first.failed}")
        message = f"{key}: every seed failed; the messages above say how"
        if settings.base is None:
            raise ValueError(message)
        _warn(message)  # of a study's variant that is a finding, and the study goes on
        settings.folders.checkpoints.joinpath(key).mkdir(parents=True, exist_ok=True)  # DVC asks for it, though there are no weights


def _record_so_far(settings: Settings, key: str) -> None:
    """Write the record of an interrupted training, so that the report can show it as what it is: so many seeds, so many epochs."""
    import torch

    from tsslbp.experiment import ModelRun
    from tsslbp.method.numerics import prepare_device
    from tsslbp.storage.records import write_record

    model = ModelRun.open(settings, key, prepare_device(settings.execution))
    outcomes = [outcome for seed in settings.seeds_of(key) if (outcome := model.so_far(seed)) is not None]
    record = model.record(outcomes)
    if not record.seeds:
        raise ValueError(
            f"{key}: no epoch is complete with these settings, data and method on {model.device.type} with {torch.get_num_threads()} "
            f"threads; without --so-far the same command trains, with the number of threads that earlier epochs had it goes on from them"
        )
    write_record(settings.folders.runs / key, record, model.provenance(outcomes))
    for seed in record.seeds:
        print(
            f"{key} seed {seed.seed}: {len(seed.history)} of {model.model.epochs} epochs, best {seed.best:.2f} % (epoch {seed.best_epoch})"
        )
    print(f"written: {settings.folders.runs / key}; the stage report shows it, and without --so-far training goes on")


def _weights(model: "ModelRun", _key: str, seed: int) -> Mapping[str, Path]:
    return {f"{which}.safetensors": model.weights_path(seed, which) for which in ("best", "final")}


def _evaluate(settings: Settings, key: str, path: Path) -> None:
    from tsslbp.experiment import ModelRun
    from tsslbp.method.build import load_network
    from tsslbp.method.numerics import prepare_device
    from tsslbp.method.step import evaluate

    device = prepare_device(settings.execution)
    network = load_network(path).to(device)
    model = ModelRun.open(settings, key, device)
    result = evaluate(network, model.splits.test.in_order())
    subset = f" (NOT the official data: {'; '.join(model.data.subset)})" if model.data.subset else ""
    print(f"{path}: {result.accuracy:.2f} % of {model.data.test_samples:,} test samples of {model.data.title}{subset}")
    print("firing rates of the layers: " + ", ".join(f"{rate:.4f}" for rate in result.firing_rates))


def _warn(message: str) -> None:
    print(f"warning: {message}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        prog="python -m stages.train", description="Train every seed of one model, record what is complete so far, or test saved weights."
    )
    parser.add_argument("--model", required=True, help="a key of `models` in the settings")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--evaluate", type=Path, metavar="WEIGHTS", help="test this .safetensors file; train nothing")
    what.add_argument("--so-far", action="store_true", help="record the epochs that an interrupted training completed; train nothing")
    run(main, parser)
