"""What the method's code means, as a short name: it stays as long as a run would compute the same, see `syntax.py`.

It covers `tsslbp/method/**` and `tsslbp/architecture.py`, found by walking the folder: no list of files can be out of step. Two kinds
of files count for some runs alone: those called `gpu` or `gpu_...` for runs on CUDA, and the files of the package `method/losses/` for
the runs that use that loss.

DVC does not look upstream in `dvc status` and `dvc repro --single-item`, so the stage `digest` writes these names to meaning.json, beside
each params.yaml, which every training depends on; who needs to be sure compares that file with the code.
"""

import ast
import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from shlex import quote

from tsslbp.settings import Settings
from tsslbp.storage.records import ModelRecord, Provenance
from tsslbp.storage.syntax import parse, source_meaning

PACKAGE = Path(__file__).parents[1]
FILE_NAME = "meaning.json"


class MeaningError(ValueError):
    """Code that is not Python, or a meaning.json that is not the code's."""


def code_meaning(loss: str, device: str, package: Path = PACKAGE) -> str:
    """Return the digest of the code that a run uses: 32 hex digits.

    Args:
        loss: the kind of the run's loss, the name of its file in `method/losses/`.
        device: where it runs. The GPU's files count where this starts with "cuda"; with "auto" they do not.
        package: the folder of the package.

    Raises:
        MeaningError: a file is not Python; the message says where.
    """
    return digest_of(file_meanings(loss, device, package))


def file_meanings(loss: str, device: str, package: Path = PACKAGE) -> dict[str, str]:
    """Return the digest of each file that counts for such a run, by its path. Arguments and errors as for `code_meaning`."""
    losses = _modules_of(loss, package / "method/losses")
    paths = [PurePosixPath(path.relative_to(package).as_posix()) for path in (package / "method").rglob("*.py")]
    counted = sorted(path for path in paths if _counts(path, losses, device.startswith("cuda")))
    return {f"{package.name}/{path}": _of_file(package / path) for path in (PurePosixPath("architecture.py"), *counted)}


def digest_of(meanings: dict[str, str]) -> str:
    """Return the one digest of several files' meanings."""
    return hashlib.sha256(json.dumps(meanings, sort_keys=True).encode()).hexdigest()[:32]


def is_present(record: ModelRecord, provenance: Provenance, package: Path = PACKAGE) -> bool:
    """Return whether a record was made by code that means the same as the code that is there now."""
    # Of seeds from GPUs and from CPUs a record names one code: that of the machine which added the last of them.
    kinds = {"cuda" if seed.device.startswith("cuda") else "cpu" for seed in provenance.seeds} or {"cpu"}
    return record.code in {code_meaning(record.settings["loss"]["kind"], kind, package) for kind in kinds}


def meanings_of(settings: Settings, package: Path = PACKAGE) -> dict[str, str]:
    """Return the digest for each model of a pipeline, on the device that its settings name: what meaning.json should say."""
    device = settings.execution.device
    by_loss = {kind: code_meaning(kind, device, package) for kind in {model.loss.kind for model in settings.models.values()}}
    return {key: by_loss[model.loss.kind] for key, model in settings.models.items()}


def meaning_text(settings: Settings, package: Path = PACKAGE) -> str:
    """Return what meaning.json should hold."""
    return json.dumps({"models": meanings_of(settings, package)}, indent=1) + "\n"


def outdated(params: Path, settings: Settings, package: Path = PACKAGE) -> Sequence[str]:
    """Return the models for which the meaning.json beside `params` names other code than there is.

    A file or an entry that is missing is not outdated: DVC, which needs it, says so itself, and nothing else does.

    Raises:
        MeaningError: the file is damaged.
    """
    path = params.with_name(FILE_NAME)
    if not path.exists():
        return ()
    try:
        written = dict(json.loads(path.read_text(encoding="utf-8"))["models"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise MeaningError(f"{path}: is damaged ({error}); write it anew: {remedy(params)}") from None
    return [key for key, now in meanings_of(settings, package).items() if written.get(key, now) != now]


def remedy(params: Path) -> str:
    """Return the command that writes the meaning.json beside `params`."""
    return f"python -m stages.digest --params {quote(str(params))}"


def _of_file(path: Path) -> str:
    try:
        # Its imports are what users find the losses by; a loss that is listed there too is no reason to train all others again.
        return source_meaning(path.read_bytes(), is_index=path.parts[-2:] == ("losses", "__init__.py"))
    except SyntaxError as error:
        raise MeaningError(f"{path}: line {error.lineno}: not Python ({error.msg})") from None


def _counts(path: PurePosixPath, losses: set[str], on_gpu: bool) -> bool:
    if path.stem == "gpu" or path.stem.startswith("gpu_"):
        return on_gpu
    if path.parts[:2] != ("method", "losses") or path.parts[2:] == ("__init__.py",):
        return True
    return path.parts[2].removesuffix(".py") in losses


def _modules_of(loss: str, folder: Path) -> set[str]:
    """The modules of the package of losses that a loss consists of: its own, and those that it imports."""
    used, new = set[str](), {loss}
    while new:
        used |= new
        new = {name for module in new for name in _imports(folder / f"{module}.py")} - used
    return used


def _imports(path: Path) -> Iterator[str]:
    """The modules beside a loss that it imports."""
    tree = parse(path.read_bytes()) if path.exists() else ast.Module([], [])
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            source = ".losses." * bool(node.level) + (node.module or "")
            names = [f"{source}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from (re.split(r"\.+", name.partition(".losses.")[2].lstrip("."))[0] for name in names if ".losses." in name)
