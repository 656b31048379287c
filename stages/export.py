"""Write a trained network for other tools: `python -m stages.export --model mnist-cnn --format nir`; see docs/networks.md.

The network is the one in git, `reports/weights/`, else the first seed's at its best epoch, unless --weights names a file.
"""

import argparse
from pathlib import Path
from typing import Any

from stages.common import run, weights_of
from stages.evaluation import check_network
from stages.published_weights import remote_advice, weights_path
from tsslbp.settings import Dataset, Settings
from tsslbp.storage.files import checksum
from tsslbp.storage.record_files import FINISHED, RECORD_FILES, read_record

FORMATS = ("nir",)


def main(settings: Settings, options: argparse.Namespace) -> None:
    """Write the file.

    Raises:
        ValueError: there are no weights, they are of another model, or the library of the format is not installed.
    """
    key = options.model
    weights = options.weights or _weights(settings, key)
    target = options.output or Path(f"{key}.{options.format}")
    try:
        from tsslbp.export.nir_graph import nir_graph, write_nir
        from tsslbp.method.build import load_network

        network = load_network(weights)
        check_network(settings, key, weights)
        _check_model(weights, key)
        about = {"model": key, **_input(_trained_on(settings, key, weights))}
        write_nir(target, nir_graph(network, options.step, options.read_out, about))
    except ModuleNotFoundError as error:
        if error.name not in ("nir", "h5py"):
            raise
        raise ValueError(f"--format {options.format}: {error.name} is not installed; `pip install '.[export]'` installs it") from None
    print(f"written: {target}, the network of {weights}; each of its time steps stands for {options.step:g} s")


def _check_model(weights: Path, key: str) -> None:
    """Raise a ValueError where a weights file says that it is of another model: its input may be scaled differently."""
    from tsslbp.storage.checkpoints import load_weights

    if (found := load_weights(weights)[1].get("model", key)) != key:
        raise ValueError(f"{weights}: is the network of {found}, not of {key}; name that model with --model")


def _trained_on(settings: Settings, key: str, weights: Path) -> Dataset:
    """The model's dataset, scaled as it was for these weights where a record knows them: the settings may have changed since."""
    dataset, sha256 = settings.dataset_of(key), checksum(weights, "sha256")
    for folder in (settings.folders.runs / key, settings.folders.checkpoints / key / FINISHED):
        record = read_record(folder)[0] if (folder / RECORD_FILES[-1]).exists() else None  # which is written last
        if record and any(sha256 in (seed.best_weights_sha256, seed.final_weights_sha256) for seed in record.seeds):
            return dataset.as_recorded(record.settings.get("dataset_settings", {}))
    return dataset


def _weights(settings: Settings, key: str) -> Path:
    """The network to write."""
    found = [weights_path(settings, key), weights_of(settings, key, settings.seeds_of(key)[0])["best.safetensors"]]
    there = next((path for path in found if path.exists()), None)
    if there is None:
        places = " and no ".join(map(str, dict.fromkeys(found)))
        raise ValueError(f"{key}: there is no {places}; train the model, or name a file with --weights{remote_advice()}")
    return there


def _input(dataset: Dataset) -> dict[str, Any]:
    """What a reader has to know to feed the network."""
    if dataset.is_events:
        return {"input": "events, 0 or 1", "step_of_recording_seconds": (dataset.window_us or 0) / 1e6}
    return {"input": "(pixel / 255 - mean) / std, at every step", "mean": list(dataset.mean), "std": list(dataset.std)}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m stages.export", description="Write a trained network for other tools.")
    parser.add_argument("--model", required=True, help="a key of `models` in the settings")
    parser.add_argument("--format", required=True, choices=FORMATS, help="nir: Neuromorphic Intermediate Representation")
    parser.add_argument(
        "--weights", type=Path, help="the network's .safetensors file (default: the one in git, else the first seed's best)"
    )
    parser.add_argument("--output", type=Path, help="the file to write (default: <model>.<format>)")
    parser.add_argument(
        "--step", type=float, default=0.001, help="seconds that a time step stands for (default: %(default)s, Norse's step)"
    )
    parser.add_argument(
        "--read-out",
        choices=("trace", "spikes"),
        default="trace",
        help="what the graph ends with: the traces of the output neurons (default), or their spikes, for readers that know no leaky integrator",
    )
    run(main, parser)
