"""The far end of `process.py`: one peer in one case, in the environment of JAX, without PyTorch.

Reads one JSON list per line, a command and its arguments, and answers each with one: whether it went well, and the answer.
"""

import json
import os
import sys
import traceback
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any, TextIO

from benchmarks.processes.commands import SYNTHETIC, Commands


def main() -> None:
    """Answer until the input ends."""
    task = json.loads(sys.argv[1])
    # Answers keep standard output for themselves: what a library prints goes where errors go.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    _use_threads(task["threads"])
    try:
        commands = commands_of(task)
        for line in sys.stdin:
            command, *arguments = json.loads(line)
            _say(answers, True, getattr(commands, command)(*arguments))
    except Exception as error:  # whatever a library raises is for the table
        _say(answers, False, traceback.format_exception_only(error)[-1].strip()[:500])


def commands_of(task: dict[str, Any]) -> Commands:
    """Import JAX and return what the process can be asked."""
    from benchmarks.jax.network import Layer, Network, read_description

    def make(setting: dict[str, Any], _trial: bool) -> Network | Layer:
        if task["layer"] is not None:
            return Layer(task["peer"], setting["neuron"], task["layer"])
        return Network(task["peer"], setting["neuron"], setting["first_once"], Path())

    source = SYNTHETIC if task["layer"] is not None else read_description(Path())["source"]
    return Commands(make, task["setting"], source, compiled=True)


def _use_threads(threads: int) -> None:
    """Let XLA see so many cores: it takes a thread for each."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


def _say(answers: TextIO, good: bool, answer: Any) -> None:
    print(json.dumps([good, asdict(answer) if is_dataclass(answer) and not isinstance(answer, type) else answer]), file=answers, flush=True)


if __name__ == "__main__":
    main()
