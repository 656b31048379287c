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
from shlex import quote
from typing import NoReturn

from stages.output import unfailing_output
from stages.published_weights import weights_path
from tsslbp.limits import usable_cores
from tsslbp.settings import Execution, Settings, SettingsError, load_settings
from tsslbp.storage.files import WriteError
from tsslbp.storage.locks import only_process

STUDIES = ("recipes", "ablation")
"""Folders under `studies/`: which recipe gives the published numbers, and what each part of the method does."""

Stage = Callable[[Settings, argparse.Namespace], None]


def run(main: Stage, parser: argparse.ArgumentParser, arguments: Sequence[str] | None = None) -> NoReturn:
    """Parse the command line, load the settings, run `main(settings, options)` and exit.

    What is printed never decides about the work, see output.py.

    Args:
        main: the stage. ValueError, OSError and MemoryError out of it are a user's to deal with: message, no traceback.
        parser: the stage's own options; `--params` and `--traceback` are added here.
        arguments: the command line; None for that of the process.

    Raises:
        SystemExit: always, with the exit code above.
    """
    with unfailing_output():
        _run(main, parser, arguments)


def _run(main: Stage, parser: argparse.ArgumentParser, arguments: Sequence[str] | None) -> NoReturn:
    parser.add_argument("--params", type=Path, default=Path("params.yaml"), help="the settings to run with (default: %(default)s)")
    parser.add_argument("--traceback", action="store_true", help="show where in the code an error comes from")
    options = parser.parse_args(arguments)
    try:
        settings = _checked_settings(options.params)
        _keep_caches_inside(settings)
        main(settings, options)
    except KeyboardInterrupt:
        _fail(parser, "interrupted; the same command goes on from here", 130)
    except (ValueError, OSError, MemoryError) as error:
        if options.traceback:
            raise
        _fail(parser, f"{error}{_remedy(error)}" or "not enough memory", 1)
    except RuntimeError as error:
        if options.traceback or not _is_out_of_memory(error):
            raise
        _fail(parser, f"not enough memory: {' '.join(str(error).split())}", 1)
    sys.exit(0)


def _checked_settings(params: Path) -> Settings:
    """Load the settings and check what only `tsslbp.data.kinds` knows of them."""
    from tsslbp.data.kinds import check_datasets

    settings = load_settings(params)
    if problems := check_datasets(settings.datasets):
        raise SettingsError("\n".join(f"{params}: {problem}" for problem in problems))
    return settings


def _keep_caches_inside(settings: Settings) -> None:
    """Let the libraries that a stage loads, and the programs that it starts, write their caches inside the project alone.

    A user's own settings for plots are in the folder that Matplotlib would otherwise take, and stay out of our figures.
    """
    os.environ["MPLCONFIGDIR"] = str((settings.folders.scratch / "matplotlib").absolute())
    os.environ.setdefault("DVC_SITE_CACHE_DIR", str(Path(".dvc/tmp/site").absolute()))
    os.environ.setdefault("DVC_NO_ANALYTICS", "1")
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")


def load_studies(params: Path) -> dict[Path, Settings]:
    """The settings of a pipeline's studies, by their files: pipelines of their own, under `studies/` beside its settings.

    There are none where it has no such folder, as the quickstart.

    Raises:
        SettingsError: what a file says is wrong, or it has another base than this pipeline.
    """
    studies: dict[Path, Settings] = {}
    for path in (params.parent / "studies" / name / "params.yaml" for name in STUDIES):
        if path.exists():
            studies[path] = load_settings(path)
            base = studies[path].base
            if base is None or base.resolve() != params.resolve():
                raise SettingsError(
                    f"{path}: base: got {base}; a study in this folder has the base {params}, and another pipeline a folder of its own"
                )
    return studies


def tracking_folder(settings: Settings, params: Path) -> Path:
    """Where a pipeline's MLflow database lies: beside its settings, or beside their base, whose runs it then shares a page with."""
    return (settings.base or params).parent


def stage_name(stage: str, params: Path, key: str) -> str:
    """What DVC calls a stage of a model: with the path of its dvc.yaml from here, unless that is the one in the project's root."""
    pipeline = Path(os.path.relpath(params.with_name("dvc.yaml")))
    return f"{stage}@{key}" if pipeline == Path("dvc.yaml") else f"{pipeline}:{stage}@{key}"


def report_command(settings: Settings, params: Path) -> str:
    """What writes the report in which a pipeline's runs are shown: a study's are in that of its base."""
    return f"python -m stages.report --params {quote(os.path.relpath(settings.base) if settings.base else str(params))}"


def warn(message: str) -> None:
    """Print a warning."""
    print(f"warning: {message}", file=sys.stderr, flush=True)


def only_training(settings: Settings, key: str) -> AbstractContextManager[None]:
    """Hold off every other process that would train a model or publish what it came to; see `only_process`."""
    return only_process(settings.folders.scratch / key / "lock", f"training of {key}")


def worker_count(execution: Execution) -> int:
    """How many processes to use: as the settings say, otherwise one for each core that this process may run on."""
    return usable_cores() if execution.workers == "auto" else execution.workers


def weights_of(settings: Settings, key: str, seed: int) -> dict[str, Path]:
    """The weights files of a finished seed, by the names that MLflow knows them by; in a clone, the network in git is one of them."""
    folder = settings.folders.checkpoints / key
    files = {f"{which}.safetensors": folder / f"seed-{seed}-{which}.safetensors" for which in ("best", "final")}
    in_git = weights_path(settings, key)
    if seed == settings.seeds_of(key)[0] and in_git.exists() and not files["best.safetensors"].exists():
        files["best.safetensors"] = in_git
    return files


def _is_out_of_memory(error: RuntimeError) -> bool:
    """Whether PyTorch found no memory, on a GPU or on the CPU, where its error has no class of its own."""
    return type(error).__name__ == "OutOfMemoryError" or "can't allocate memory" in str(error)


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
