"""Weights files of small networks that nobody trained, for tests of what is done with such files."""

import tempfile
from functools import cache
from pathlib import Path

import torch

from tests.support.paths import ROOT
from tsslbp.method.build import NETWORK
from tsslbp.method.network import SpikingNetwork
from tsslbp.settings import load_settings
from tsslbp.storage.checkpoints import save_weights

DATASETS = load_settings(ROOT / "quickstart/params.yaml").datasets


def write_network(path: Path, dataset: str = "digits", seed: int = 0) -> Path:
    """The weights of a small network that nobody trained."""
    shape = list(DATASETS[dataset].shape)
    options = {"architecture": "20", "input_shape": shape, "classes": 10, "time_steps": 5, "tau_m": 5.0, "tau_s": 3.0, "padding": 0}
    network = SpikingNetwork(**options, generator=torch.Generator().manual_seed(seed))
    save_weights(path, network.state_dict(), {NETWORK: options})
    return path


@cache
def network_bytes(seed: int = 0) -> bytes:
    """What `write_network` writes."""
    with tempfile.TemporaryDirectory() as folder:
        return write_network(Path(folder, "best"), seed=seed).read_bytes()
