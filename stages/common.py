"""What every stage shares: settings from --params, an expected error as one message, and the exit code.

Exit codes: 0 done; 1 something that can be expected went wrong, the message says what; 2 unknown arguments; 130 interrupted.
"""

import argparse
import errno
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from tsslbp.settings import Execution, Settings, load_settings
from tsslbp.storage.files import WriteError
from tsslbp.storage.locks import only_process


def run(
    main: Callable[[Settings, argparse.Namespace], None],
    parser: argparse.ArgumentParser,
    arguments: Sequence[str] | None = None,
) -> None:
    """Parse the command line, load the settings, run `main(settings, options)` and exit.

    Args:
        main: the stage. ValueError, OSError and MemoryError out of it are a user's to deal with: message, no traceback.
        parser: the stage's own options; `--params` and `--traceback` are added here.
        arguments: the command line; None for that of the process.

    Raises:
        SystemExit: always, with the exit code above.
    """
    parser.add_argument("--params", type=Path, default=Path("params.yaml"), help="the settings to run with (default: %(default)s)")
    parser.add_argument("--traceback", action="store_true", help="show where in the code an error comes from")
    options = parser.parse_args(arguments)
    try:
        main(load_settings(options.params), options)
    except KeyboardInterrupt:
        _fail(parser, "interrupted; the same command goes on from here", 130)
    except (ValueError, OSError, MemoryError) as error:
        if options.traceback:
            raise
        _fail(parser, f"{error}{_remedy(error)}" or "not enough memory", 1)
    sys.exit(0)


def tracking_folder(settings: Settings, params: Path) -> Path:
    """Where a pipeline's MLflow database lies: beside its settings, or beside their base, whose runs it then shares a page with."""
    return (settings.base or params).parent


def stage_name(stage: str, params: Path, key: str) -> str:
    """What DVC calls a stage of a model: with the path of its dvc.yaml, unless that is the one in the project's root."""
    pipeline = params.with_name("dvc.yaml")
    return f"{stage}@{key}" if pipeline == Path("dvc.yaml") else f"{pipeline}:{stage}@{key}"


def warn(message: str) -> None:
    """Print a warning."""
    print(f"warning: {message}", file=sys.stderr, flush=True)


def only_training(settings: Settings, key: str) -> AbstractContextManager[None]:
    """Hold off every other process that would train a model or publish what it came to; see `only_process`."""
    return only_process(settings.folders.scratch / key / "lock", f"training of {key}")


def weights_of(settings: Settings, key: str, seed: int) -> dict[str, Path]:
    """The files of a seed's weights, by the names that they have in MLflow."""
    return {f"{which}.safetensors": settings.folders.checkpoints / key / f"seed-{seed}-{which}.safetensors" for which in ("best", "final")}


def worker_count(execution: Execution) -> int:
    """How many processes to use: as the settings say, otherwise one for each core that this process may run on."""
    if execution.workers != "auto":
        return execution.workers
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _remedy(error: Exception) -> str:
    """What to do about a disk that takes no more, to be put after the error."""
    if isinstance(error, WriteError) and error.errno in (None, errno.ENOSPC, errno.EDQUOT):
        return f"{' If so,' if error.errno is None else ';'} make room and run the same command again; it goes on from here"
    if isinstance(error, OSError) and error.errno == errno.EROFS:
        return "; make the file system writable and run the same command again"
    return ""


def _fail(parser: argparse.ArgumentParser, message: str, code: int) -> None:
    print(f"{parser.prog}: {message}", file=sys.stderr)
    sys.exit(code)
