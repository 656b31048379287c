"""Public functions under fire: right arguments of which one or two are replaced by what a user may pass by mistake.

A call returns what the function promises, or raises ValueError or TypeError whose message names an argument.
"""

import random
import re
import signal
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

import tsslbp
import tsslbp.data.events
from tests.fuzzing import Hangs, in_time

CLASSES, STEPS, BATCH = 3, 5, 2
SHAPE = (1, 8, 8)
CALL_HANGS_AFTER = 10  # seconds of computing; a call takes milliseconds

EVENTS = ("read_events", "stabilize", "bin_events")


def public(name: str) -> Any:
    """A public function or class by its name."""
    return getattr(tsslbp.data.events if name in EVENTS else tsslbp, name)


# --- what is passed by mistake


def hostile(random_: random.Random, right: object) -> object:
    """Something that a user may pass in place of `right`."""
    if isinstance(right, torch.Tensor) and random_.random() < 0.8:
        return random_.choice(TENSORS)(right)
    if isinstance(right, np.ndarray) and random_.random() < 0.6:
        return random_.choice(ARRAYS)(right)
    return random_.choice(SCALARS)


SCALARS: list[object] = [
    *(None, True, -1, 0, 1, 2, 0.5, -0.5, 1.0, 1e-30, 1e38, 1e39, 1e308, float("nan"), float("inf"), -float("inf"), 10**15, 2**62, 2**70),
    *("x", "", "400", "4\u22124", b"", b"12345", [], {}, (), [1], (1, 2), (1, 2, 3), [0.5, 0.5], [float("nan")] * 5, 1 + 2j),
    *(np.float32(0.5), np.int64(2), np.array([1.0, 2.0]), torch.tensor(2.0), torch.tensor([1.0, 2.0]), object(), int, Path("no-such-file")),
]  # fmt: skip

TENSORS: list[Callable[[torch.Tensor], object]] = [
    lambda right: right.double(),
    lambda right: right.half(),
    lambda right: right.bfloat16(),
    lambda right: right.long(),
    lambda right: right.bool(),
    lambda right: right.byte(),
    lambda right: right.to(torch.complex64),
    lambda right: right.float() * float("nan"),
    lambda right: right.float() + float("inf"),
    lambda right: right.float().abs() * 1e38 + 1e38,
    lambda right: right[:0],
    lambda right: right[..., :0],
    lambda right: right[..., :1],
    lambda right: right[:1],
    lambda right: right.unsqueeze(0),
    lambda right: right.flatten(),
    lambda right: right.sum(),
    lambda right: torch.cat([right, right]),
    lambda right: right.transpose(0, -1),
    lambda right: right.to_sparse(),
    lambda right: right.numpy(),
    lambda right: right.tolist(),
    lambda right: right.float().requires_grad_(),
    lambda right: -right.float() - 1,
    lambda right: right.long() + 1000,
]

ARRAYS: list[Callable[[np.ndarray], object]] = [
    lambda right: right[:0],
    lambda right: right[None],
    lambda right: right["x"] if right.dtype.names else right,
    lambda right: right.tolist(),
    lambda right: right.astype([(name, "f4") for name in right.dtype.names]) if right.dtype.names else right,
    lambda right: torch.zeros(4, 4),
    lambda right: np.zeros((4, 4)),
]


# --- what is right, and what a call owes


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
    "load_network": Call(lambda: {"path": Path("no-such-file")}, lambda path: public("load_network")(path)),
    "read_events": Call(lambda: {"source": bytes([3, 4, 128, 0, 9])}, lambda source: public("read_events")(source)),
    "stabilize": Call(lambda: {"events": events()}, lambda events: public("stabilize")(events)),
    "bin_events": Call(
        lambda: {"events": events(), "time_steps": 30, "window_us": 3000}, lambda **named: public("bin_events")(**named), is_int16
    ),
}
"""`trained` fills up what a training step needs besides; the losses are called as well as made."""


# --- the verdict


@dataclass
class Findings:
    """How the calls of one function ended: how many were made, and one example of each misbehavior."""

    calls: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    faults: dict[tuple[str, str], str] = field(default_factory=dict)


def fire_at(name: str, count: int, seed: int = 0) -> Findings:
    """Call a function `count` times, with one or two arguments replaced."""
    random_, findings, call = random.Random(f"{name} {seed}"), Findings(), CALLS[name]
    _compile(call)
    for _ in range(count):
        arguments = call.arguments()
        replaced = random_.sample(sorted(arguments), min(len(arguments), random_.choice([1, 1, 2])))
        arguments |= {argument: hostile(random_, arguments[argument]) for argument in replaced}
        findings.calls += 1
        with in_time(CALL_HANGS_AFTER, signal.ITIMER_PROF):
            end, detail = _end(call, arguments, replaced)
        findings.ends[end] += 1
        if end not in ("right", "refused"):
            example = ", ".join(f"{argument}={_brief(arguments[argument])}" for argument in replaced)
            findings.faults.setdefault((end, "+".join(replaced)), f"{example}: {detail}")
    return findings


def _compile(call: Call) -> None:
    """Let what the first call imports and compiles be done before time is taken."""
    with suppress(ValueError):  # load_network: there is no file
        call.call(**call.arguments())
    torch.optim.AdamW(network().parameters())


def _end(call: Call, arguments: dict[str, Any], replaced: list[str]) -> tuple[str, str]:
    """What a call ended with: "right" or "refused", or how it misbehaved, and the details."""
    try:
        result = call.call(**arguments)
    except (ValueError, TypeError, FileNotFoundError) as error:
        # A file is named by its path, what is no path by the argument's name.
        names = [*arguments, *(str(value) for value in arguments.values() if isinstance(value, (str, Path)) and str(value))]
        named = any(re.search(rf"(?<!\w){re.escape(name)}(?!\w)", str(error)) for name in names)
        place = f"{type(error).__name__}: {error}"
        return ("refused", "") if named and type(error).__module__ != "torch" else ("no name", place)
    except Hangs as error:
        return "hang", str(error)
    except AssertionError as error:
        return "garbage", str(error)
    except Exception as error:  # what a user would see as a traceback from inside
        return type(error).__name__, " ".join(str(error).split())[:160]
    if (
        odd := next((name for name in replaced if _is_not_finite(arguments[name]) and not _is_no_limit(name, arguments[name])), None)
    ) is not None:
        return "garbage", f"{odd} is not finite, and nothing was said"
    try:
        call.check(result)
    except AssertionError as error:
        return "garbage", str(error)
    return "right", ""


def _is_not_finite(value: object) -> bool:
    if isinstance(value, torch.Tensor) and value.is_floating_point() and value.layout == torch.strided and value.device.type == "cpu":
        return not bool(torch.isfinite(value).all())
    return isinstance(value, float) and not np.isfinite(value)


def _is_no_limit(name: str, value: object) -> bool:
    """Infinity is the right way to say that the gradient is not clipped, or the weights are not clamped."""
    return name in ("clip_norm", "weight_limit") and value == float("inf")


def _brief(value: object) -> str:
    if isinstance(value, torch.Tensor):
        return f"Tensor{tuple(value.shape)} {str(value.dtype).removeprefix('torch.')} {value.device.type}"
    if isinstance(value, np.ndarray):
        return f"array{value.shape} {value.dtype}"
    return " ".join(repr(value).split())[:60]
