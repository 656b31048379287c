"""One recording of events on its way through a network, for the raster in the report: `python -m stages.raster`, or `make raster`.

It writes reports/raster.npz, which is in git. The weights are those of the model's first seed where they are here, after its last epoch,
or in git, at its best one; otherwise of a few epochs that are trained here for the picture. Its caption says which.
"""

import argparse
import tempfile
import textwrap
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stages.common import run
from stages.published_weights import weights_path
from tsslbp.settings import Dataset, Model, Settings, SettingsError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tsslbp.data.events import Events
    from tsslbp.method.network import SpikingNetwork
    from tsslbp.storage.records import DataRecord


def main(settings: Settings, options: argparse.Namespace) -> None:
    """Take the recording and the network, and write what the raster shows."""
    from tsslbp.data.events import bin_events
    from tsslbp.data.processed import load_record
    from tsslbp.data.recordings import prepare
    from tsslbp.figures.curves import layer_names
    from tsslbp.figures.raster import Raster
    from tsslbp.figures.raster_file import FILE_NAME, save_raster

    model = settings.model(options.model)
    dataset = settings.dataset(model.dataset)
    if not dataset.is_events or dataset.window_us is None:
        raise SettingsError(f"--model {options.model}: its dataset {model.dataset} has no events")
    name, events = _recording(settings, model.dataset, options.recording)
    data = load_record(settings.folders.data / "processed" / model.dataset)
    network, weights = _network(settings, options.model, options.epochs)
    stable = prepare(events, dataset)
    binned = bin_events(stable, model.time_steps, dataset.window_us, dataset.shape)
    path = settings.folders.reports / FILE_NAME
    spikes = _spikes(network, layer_names(model.architecture), binned, model.time_steps)
    source = _source(dataset, data, name, model, weights)
    save_raster(path, Raster(events, stable, binned, spikes, dataset.window_us, source))
    print(f"written: {path}; `python -m stages.report` draws it\n{textwrap.fill(source, 80)}")


def _source(dataset: Dataset, data: "DataRecord", name: str, model: Model, weights: str) -> str:
    """The end of the picture's caption: which recording of which data, in which network, and the commit."""
    from tsslbp.storage.provenance import git_commit

    subset = f" (not the official data: {'; '.join(data.subset)})" if data.subset else ""
    return (
        f"Data: {dataset.title}{subset}, {data.checksum[:10]}, test recording {name}, n = 1. Network: {model.architecture}, "
        f"T = {model.time_steps}, {weights}. Commit {git_commit(Path.cwd())[:10]}."
    )


def _recording(settings: Settings, key: str, index: int) -> "tuple[str, Events]":
    """A test recording's name in its archive, and its events as they were recorded."""
    from tsslbp.data.kinds import EventKind, kind_of, raw_files

    dataset, kind = settings.dataset(key), kind_of(key, settings.dataset(key))
    assert isinstance(kind, EventKind)
    path = raw_files(key, dataset, settings.folders.data / "raw" / key)[1].path
    members = kind.reader.members(path, dataset.classes)
    if not 0 <= index < len(members):
        raise ValueError(f"--recording {index}: {path} has {len(members)}, numbered from 0")
    name = members[index].name
    return name, next(kind.reader.read(path, [name], dataset.shape))


def _network(settings: Settings, key: str, epochs: int) -> "tuple[SpikingNetwork, str]":
    """The model's network with weights, and a reader's words for where these come from.

    Raises:
        ValueError: the weights are of another network than the settings have now.
    """
    from stages.evaluation import check_network
    from tsslbp.method.build import load_network
    from tsslbp.storage.files import checksum
    from tsslbp.storage.record_files import read_record

    folder = settings.folders.runs / key
    if not (folder / "record.json").exists():
        return _trained_for_the_picture(settings, key, epochs, "which was not run")
    for seed in read_record(folder)[0].seeds[:1]:
        last, best = f"after epoch {len(seed.history)}", f"at its best epoch, {seed.best_epoch}"
        for path, sha256, when, accuracy in (
            (settings.folders.checkpoints / key / f"seed-{seed.seed}-final.safetensors", seed.final_weights_sha256, last, seed.final),
            (weights_path(settings, key), seed.best_weights_sha256, best, seed.best),
        ):
            if path.exists() and checksum(path, "sha256") == sha256:
                check_network(settings, key, path)
                return load_network(path), f"with the weights of {key}, seed {seed.seed}, {when} (test accuracy {accuracy:.2f} %)"
    return _trained_for_the_picture(settings, key, epochs, "which were not at hand")


def _trained_for_the_picture(settings: Settings, key: str, epochs: int, lacking: str) -> "tuple[SpikingNetwork, str]":
    """Train one seed for a few epochs in a temporary folder: no run of the pipeline, and nothing is recorded as one.

    `lacking` says, after the model's name, why its own weights are not taken.
    """
    from stages.display import TrainingDisplay
    from tsslbp.experiment import ModelRun
    from tsslbp.method.build import load_network
    from tsslbp.method.loop import TrainingFailure
    from tsslbp.method.numerics import prepare_device
    from tsslbp.seed_training import train_seed

    seed = settings.seeds_of(key)[0]
    with tempfile.TemporaryDirectory() as folder:
        folders = settings.folders.model_copy(update={name: Path(folder) / name for name in ("checkpoints", "scratch")})
        model = settings.model(key).model_copy(update={"epochs": epochs})
        shortened = settings.model_copy(update={"folders": folders, "models": {key: model}})
        training = ModelRun.open(shortened, key, prepare_device(settings.execution))
        with TrainingDisplay(key, epochs, training.splits.train.samples, {seed: epochs}) as display:
            try:
                for state in train_seed(training.task(seed), training.splits, None, partial(display.batch, seed)):
                    display.epoch(seed, state.history[-1], state.seconds[-1])
            except TrainingFailure as failure:
                raise ValueError(f"{key}: {failure}") from None
        training.finished(training.started(seed), state)
        final = state.history[-1].test_accuracy
        words = (
            f"not with the weights of the table's {key}, {lacking}, but with some trained for this picture alone: {epochs} "
            f"{'epoch' if epochs == 1 else 'epochs'} of seed {seed} on these data (test accuracy {final:.2f} %)"
        )
        return load_network(training.weights_path(seed, "final")), words


def _spikes(network: "SpikingNetwork", names: Sequence[str], binned: "NDArray[Any]", time_steps: int) -> "dict[str, NDArray[Any]]":
    """The spikes of each layer by its name, (T, neurons)."""
    import torch

    from tsslbp.spikes import layer_spikes

    events = torch.zeros(time_steps, 1, *network.input_shape)
    step, polarity, y, x = torch.from_numpy(binned.astype("int64")).T
    events[step, 0, polarity, y, x] = 1
    return {name: spikes[:, 0].numpy() for name, spikes in zip(names, layer_spikes(network, events), strict=True)}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m stages.raster", description="Write what the raster in the report shows.")
    parser.add_argument("--model", default="nmnist-cnn-t30", help="a key of `models` in the settings (default: %(default)s)")
    parser.add_argument("--recording", type=int, default=0, help="which test recording (default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=5, help="to train where the model has no weights (default: %(default)s)")
    run(main, parser)
