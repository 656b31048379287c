"""Writes what a network's case is measured with as .npy files, for a process that has neither PyTorch nor this project's settings."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from benchmarks.cases import NetworkCase
from benchmarks.networks.inputs import load
from tsslbp.architecture import Convolution, PlannedLayer
from tsslbp.method.build import build_loss, build_network
from tsslbp.method.losses import KernelLoss
from tsslbp.method.neuron.rules import POOLING_GAIN
from tsslbp.settings import CountLossSettings, Settings

DESCRIPTION = "case.json"


def write_inputs(case: NetworkCase, folder: Path) -> None:
    """Write batches, labels and initial weights, channels last, and `case.json`, which describes network, loss and training."""
    data = load(case)
    settings, model = data.settings, data.settings.models[case.model]
    network = build_network(model, settings.recipe_of(case.model), settings.dataset_of(case.model), seed=0)
    for index, (x, labels) in enumerate(data.batches):
        np.save(folder / f"x-{index}.npy", x.float().movedim(-3, -1).contiguous().numpy())
        np.save(folder / f"labels-{index}.npy", labels.numpy().astype(np.int32))
    # This project's pooling sums and amplifies; the peers' takes averages, and the factor is part of the next layer's weights.
    gains = [1.0, *(POOLING_GAIN * layer.pooling**2 if layer.pooling > 1 else 1.0 for layer in network.plan[:-1])]
    for index, (weight, gain) in enumerate(zip(network.parameters(), gains, strict=True)):
        np.save(folder / f"weight-{index}.npy", _last(weight.detach() * gain))
    description = {
        "layers": [_layer(layer) for layer in network.plan],
        "batches": len(data.batches),
        "source": data.source,
        "time_steps": model.time_steps,
        "classes": settings.dataset_of(case.model).classes,
        "dropout": model.dropout,
        "constants": {"tau_m": model.tau_m, "tau_s": model.tau_s, "threshold": model.threshold},
        "loss": _loss(settings, case.model),
        "training": settings.training.model_dump(mode="json") | {"learning_rate": model.learning_rate},
    }
    (folder / DESCRIPTION).write_text(json.dumps(description))


def _last(weight: Tensor) -> Any:
    """(out, in, H, W) -> (H, W, in, out), or (out, in) -> (in, out)."""
    axes = (2, 3, 1, 0) if weight.dim() == 4 else (1, 0)
    return weight.permute(axes).contiguous().numpy()


def _layer(layer: PlannedLayer) -> dict[str, Any]:
    return {"convolution": isinstance(layer.spec, Convolution), "padding": layer.padding, "pooling": layer.pooling}


def _loss(settings: Settings, key: str) -> dict[str, Any]:
    model = settings.models[key]
    if isinstance(model.loss, CountLossSettings):
        return {"desired": model.loss.desired_count, "undesired": model.loss.undesired_count}
    loss = build_loss(model, settings.recipe_of(key))
    assert isinstance(loss, KernelLoss)
    return {"target": loss.target.flatten().tolist()}
