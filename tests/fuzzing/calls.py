"""Public functions with right arguments, and what a result owes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

import tsslbp
import tsslbp.data.events
from tests.support.paths import ROOT

NETWORK_IN_GIT = ROOT / "reports/weights/mnist-cnn.safetensors"
CLASSES, STEPS, BATCH = 3, 5, 2
SHAPE = (1, 8, 8)

EVENTS = ("read_events", "stabilize", "bin_events")


def public(name: str) -> Any:
    """A public function or class by its name."""
    return getattr(tsslbp.data.events if name in EVENTS else tsslbp, name)


def network(**options: Any) -> Any:
    torch.manual_seed(0)
    return public("SpikingNetwork")("2C3-P2-4", SHAPE, classes=CLASSES, time_steps=STEPS, **options)


def images() -> torch.Tensor:
    return torch.rand(BATCH, *SHAPE, generator=torch.Generator().manual_seed(0))


def traces() -> torch.Tensor:
    return torch.rand(STEPS, BATCH, CLASSES, generator=torch.Generator().manual_seed(0))


def labels() -> torch.Tensor:
    return torch.tensor([0, 2])


def events() -> np.ndarray:
    return public("read_events")(bytes([3, 4, 128, 0, 9, 30, 33, 0, 200, 1]))


def trained(change: Mapping[str, Any]) -> float:
    """One training step; weights that are not finite afterwards are garbage."""
    arguments = {"network": network(), "loss": public("CountLoss")(4, 1), "x": images(), "labels": labels(), **change}
    model = arguments["network"]
    if "optimizer" not in arguments:
        arguments["optimizer"] = public("make_optimizer")(model if isinstance(model, torch.nn.Module) else network(), 1e-3)
    before = [weight.clone() for weight in model.parameters()] if isinstance(model, torch.nn.Module) else []
    try:
        value: float = public("train_step")(**arguments)
    except Exception:
        assert all(map(torch.equal, before, model.parameters() if before else [])), "an error after weights have changed"
        raise
    assert all(bool(torch.isfinite(weight).all()) for weight in model.parameters()), "weights that are not finite"
    return value


def learner() -> dict[str, Any]:
    """A network and another optimizer than `make_optimizer` makes, of its own weights: those of another network are refused."""
    model = network()
    return {"network": model, "optimizer": torch.optim.SGD(model.parameters(), 0.1)}


def is_trace(result: torch.Tensor) -> None:
    assert result.is_floating_point(), f"a trace of {result.dtype}"
    assert bool((result >= 0).all() and (result <= 1 + 1e-3).all()), "a trace outside of [0, 1]"


def is_finite(result: object) -> None:
    value = result if isinstance(result, torch.Tensor) else torch.tensor(result)
    assert bool(torch.isfinite(value).all()), "a result that is not finite"


def is_int16(result: np.ndarray) -> None:
    assert result.dtype == np.int16, f"rows of {result.dtype}"
    assert result.ndim == 2
    assert result.shape[1] == 4
    assert (result >= 0).all()


def anything(result: object) -> None:
    """Whatever it is, it was made without an error."""


@dataclass(frozen=True)
class Call:
    """A public function with right arguments, and what its result owes."""

    arguments: Callable[[], dict[str, Any]]
    call: Callable[..., Any]
    check: Callable[[Any], None] = anything


NEURON = {"tau_m": 5.0, "tau_s": 3.0, "threshold": 1.0, "gradient": "2021-03", "implementation": "auto"}

CALLS: dict[str, Call] = {
    "lif": Call(lambda: {"current": traces() * 2, **NEURON}, lambda **named: public("lif")(**named), is_trace),
    "LIF": Call(lambda: {"current": traces() * 2, **NEURON}, lambda current, **named: public("LIF")(**named)(current), is_trace),
    "synaptic_filter": Call(
        lambda: {"spikes": traces().round(), "tau_s": 3.0}, lambda **named: public("synaptic_filter")(**named), is_finite
    ),
    "spikes_of": Call(
        lambda: {"trace": public("synaptic_filter")(traces().round(), 3.0), "tau_s": 3.0},
        lambda **named: public("spikes_of")(**named),
        is_finite,
    ),
    "SpikingNetwork": Call(
        lambda: {
            "architecture": "2C3-P2-4",
            "input_shape": SHAPE,
            "classes": CLASSES,
            "time_steps": STEPS,
            "tau_m": 5.0,
            "tau_s": 3.0,
            "threshold": 1.0,
            "padding": 0,
            "conv_gain": 1.0,
            "dropout": 0.0,
            "dropout_mask": "row",
            "gradient": "2021-03",
            "convolution_init": "uniform",
            "precision": "float32",
            "generator": torch.Generator().manual_seed(0),
        },
        lambda **named: public("SpikingNetwork")(**named)(images()),
        is_trace,
    ),
    "network(x)": Call(lambda: {"x": images()}, lambda x: network()(x), is_trace),
    "KernelLoss": Call(
        lambda: {"time_steps": STEPS, "tau_s": 3.0, "desired_train": (0, 1, 1, 1, 1), "target_filterings": 2},
        lambda **named: public("KernelLoss")(**named)(traces(), labels()),
        is_finite,
    ),
    "KernelLoss(...)(...)": Call(
        lambda: {"trace": traces(), "labels": labels()}, lambda **named: public("KernelLoss")(STEPS, 3.0)(**named), is_finite
    ),
    "CountLoss": Call(
        lambda: {"desired": 4.0, "undesired": 1.0}, lambda **named: public("CountLoss")(**named)(traces(), labels()), is_finite
    ),
    "CountLoss(...)(...)": Call(
        lambda: {"trace": traces(), "labels": labels()}, lambda **named: public("CountLoss")(4, 1)(**named), is_finite
    ),
    "make_optimizer": Call(
        lambda: {"network": network(), "lr": 1e-3, "betas": (0.9, 0.999), "weight_decay": 0.01},
        lambda **named: trained({"network": named["network"], "optimizer": public("make_optimizer")(**named)}),
        is_finite,
    ),
    "train_step": Call(
        lambda: {
            "network": network(),
            "loss": public("CountLoss")(4, 1),
            "x": images(),
            "labels": labels(),
            "clip_norm": 1.0,
            "weight_limit": 4.0,
        },
        lambda **named: trained(named),
        is_finite,
    ),
    "train_step's optimizer": Call(learner, lambda **named: trained(named), is_finite),
    "evaluate": Call(
        lambda: {"network": network(), "batches": [(images(), labels())], "loss": public("CountLoss")(4, 1)},
        lambda **named: public("evaluate")(**named).accuracy,
        is_finite,
    ),
    "evaluate's batch": Call(
        lambda: {"x": images(), "labels": labels()}, lambda x, labels: public("evaluate")(network(), [(x, labels)]).accuracy, is_finite
    ),
    "load_network": Call(lambda: {"path": NETWORK_IN_GIT}, lambda path: public("load_network")(path)),
    "read_events": Call(lambda: {"source": bytes([3, 4, 128, 0, 9])}, lambda source: public("read_events")(source)),
    "stabilize": Call(lambda: {"events": events()}, lambda events: public("stabilize")(events)),
    "bin_events": Call(
        lambda: {"events": events(), "time_steps": 30, "window_us": 3000}, lambda **named: public("bin_events")(**named), is_int16
    ),
}
"""`trained` fills up what a training step needs besides; the losses are called as well as made."""
