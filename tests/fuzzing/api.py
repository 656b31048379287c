"""Public functions under fire: right arguments of which one or two are replaced by what a user may pass by mistake.

A call returns what the function promises, or raises ValueError or TypeError whose message names an argument that was replaced, or one
that no longer fits it.
"""

import random
import re
import signal
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tests.fuzzing.calls import CALLS, Call, network
from tests.fuzzing.fire import Hangs, in_time
from tests.fuzzing.mistakes import hostile

CALL_HANGS_AFTER = 10  # seconds of computing; a call takes milliseconds
PRECISIONS = (torch.float32, torch.bfloat16, torch.float64)  # the kernels are compiled for each


PARTNERS = {
    "time_steps": {"desired_train"},  # has an entry for each
    "trace": {"labels"},  # are below the number of its classes, and as many as its samples
    "x": {"labels"},
    "input_shape": {"architecture"},  # has kernels and pooling that fit it
}
"""What an error may name in place of an argument, because it no longer fits."""


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
    """Let what the first call in each precision imports and compiles be done before time is taken: a slow processor computes 10 s."""
    for precision in PRECISIONS:
        with suppress(Exception):  # what goes wrong here goes wrong under fire, too, where it is told
            call.call(**{name: _in_precision(value, precision) for name, value in call.arguments().items()})
    torch.optim.AdamW(network().parameters())


def _in_precision(value: object, precision: torch.dtype) -> object:
    return value.to(precision) if isinstance(value, torch.Tensor) and value.is_floating_point() else value


def _end(call: Call, arguments: dict[str, Any], replaced: list[str]) -> tuple[str, str]:
    """What a call ended with: "right" or "refused", or how it misbehaved, and the details."""
    try:
        result = call.call(**arguments)
    except (ValueError, TypeError, FileNotFoundError) as error:
        named = any(re.search(rf"(?<!\w){re.escape(name)}(?!\w)", str(error)) for name in _names(arguments, replaced))
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


def _names(arguments: dict[str, Any], replaced: list[str]) -> set[str]:
    """What an error may call what is wrong: the arguments themselves, those that fit them no more, and a file by its path."""
    partners = {partner for argument in replaced for partner in PARTNERS.get(argument, ()) if partner in arguments}
    values = [arguments[argument] for argument in replaced]
    return {*replaced, *partners, *(str(value) for value in values if isinstance(value, (str, Path)) and str(value))}


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
