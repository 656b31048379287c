"""What a result came from: the commit, the machine and the library versions. What the code means is in `meaning.py`."""

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

UNKNOWN = "unknown"
"""The commit of code that no git knows."""

CHANGES = "+changes"
"""Behind a commit whose tracked files were edited: the code that ran is not quite its."""

_LIBRARIES = ("torch", "numpy", "numba", "mlflow", "dvc")


def library_versions() -> dict[str, str]:
    """Python's version and those of the libraries that matter to a result."""
    versions = {"python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "not installed"
    return versions


def git_commit(folder: Path) -> str:
    """The commit that is checked out in `folder`, `CHANGES` behind it where tracked files differ from it, "unknown" without git."""
    try:
        commit = _git(folder, "rev-parse", "HEAD").strip()
        changed = _git(folder, "status", "--porcelain", "--untracked-files=no", "--", "*.py", "*.yaml").strip()
    except (OSError, subprocess.SubprocessError):
        return UNKNOWN
    return f"{commit}{CHANGES}" if changed else commit


def _git(folder: Path, *arguments: str) -> str:
    # Git reads no repository of another user unless told so. Whoever runs this trusts the folder: the code comes from there.
    return subprocess.run(
        ["git", "-c", "safe.directory=*", *arguments], cwd=folder, capture_output=True, text=True, check=True, timeout=30
    ).stdout


def device_name(device: str) -> str:
    """What a device is, for a reader: "cpu, AMD EPYC" or "cuda:0, NVIDIA ..."."""
    if device.startswith("cuda"):
        import torch

        return f"{device}, {torch.cuda.get_device_name(device)}"
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    name = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    return f"cpu, {name}"
