"""Stage `train`: publish the finished record of a model, which the stage `fit` trained; or record what is complete so far; or test weights.

python -m stages.train --model mnist-cnn
python -m stages.train --model mnist-cnn --so-far
python -m stages.train --model mnist-cnn --evaluate checkpoints/mnist-cnn/seed-0-best.safetensors
"""

import argparse
from pathlib import Path
from shlex import quote

from stages.common import only_training, run, stage_name
from stages.conditions import departures
from stages.published_weights import publish_weights, remote_advice
from tsslbp.settings import Settings
from tsslbp.storage.record_files import FINISHED, publish_record, read_record


def main(settings: Settings, options: argparse.Namespace) -> None:
    """Publish, record or test."""
    settings.model(options.model)
    if options.evaluate is not None:
        _evaluate(settings, options.model, options.evaluate)
        return
    with only_training(settings, options.model):
        if options.so_far:
            from stages.so_far import record_so_far

            record_so_far(settings, options.model, options.params)
        else:
            _publish(settings, options.model, options.params)


def _publish(settings: Settings, key: str, params: Path) -> None:
    """Copy the finished record to where it is in git; one of other settings, data or code is refused."""
    finished, train = settings.folders.checkpoints / key / FINISHED, stage_name("train", params, key)
    if not finished.exists():
        raise ValueError(
            f"{finished.parent}: no finished training of {key}; `dvc repro {train}` trains, without DVC "
            f"`python -m stages.fit --params {quote(str(params))} --model {key}`"
        )
    if different := departures(settings, key, *read_record(finished)):
        raise ValueError(
            f"{finished.parent}: was trained with other conditions than there are now: {', '.join(different)}. `dvc repro {train}` trains first; "
            f"with --single-item name both: `dvc repro --single-item {stage_name('fit', params, key)} {train}`"
        )
    record, provenance = publish_record(finished, settings.folders.runs / key)
    print(f"written: {settings.folders.runs / key}, {len(record.seeds)} seeds")
    if done := publish_weights(settings, key, record, provenance):
        print(done)


def _evaluate(settings: Settings, key: str, path: Path) -> None:
    from stages.evaluation import evaluate_weights

    if not path.exists():
        raise ValueError(f"--evaluate {path}: there is no such file{remote_advice()}")
    model, result = evaluate_weights(settings, key, path)
    subset = f" (NOT the official data: {'; '.join(model.data.subset)})" if model.data.subset else ""
    print(f"{path}: {result.accuracy:.2f} % of {model.data.test_samples:,} test samples of {model.data.title}{subset}")
    print("firing rates of the layers: " + ", ".join(f"{rate:.4f}" for rate in result.firing_rates))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        prog="python -m stages.train", description="Publish a finished training, record what is complete so far, or test saved weights."
    )
    parser.add_argument("--model", required=True, help="a key of `models` in the settings")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--evaluate", type=Path, metavar="WEIGHTS", help="test this .safetensors file; train nothing")
    what.add_argument("--so-far", action="store_true", help="record the epochs that an interrupted training completed; train nothing")
    run(main, parser)
