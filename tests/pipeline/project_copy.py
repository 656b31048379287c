"""A copy of the project's tracked files, with repositories of its own, in which a test may run and break what it likes."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.paths import ROOT

# Numba's caches are copied, too, and hold where the code is the same: compiling takes longer than all else. These come and go meanwhile.
BEING_WRITTEN = ("*.tmp.*", "*.pyc.*")
COPIED = ("tsslbp", "stages", "quickstart", "dvc.yaml", "params.yaml", ".dvcignore", ".gitignore")


class Copy:
    """A copy of the project's tracked files with a git and a DVC repository of its own."""

    def __init__(self, folder: Path, database: Path | None = None) -> None:
        self.folder = folder
        ignored = shutil.ignore_patterns(
            *BEING_WRITTEN, "data", "checkpoints", ".scratch", "mlflow.db*", "mlartifacts", "reports", "dvc.lock"
        )
        for name in COPIED:
            source = ROOT / name
            if name == "tsslbp":
                shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns(*BEING_WRITTEN))
            elif source.is_dir():
                shutil.copytree(source, folder / name, ignore=ignored)
            elif source.exists():
                shutil.copy(source, folder / name)
        for runs in ("reports/runs", "quickstart/reports/runs"):
            (folder / runs).mkdir(parents=True)
        if database is not None:
            shutil.copy(database, folder / "quickstart/mlflow.db")
        self.environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "DVC_SITE_CACHE_DIR": str(folder / ".site"),
            "DVC_NO_ANALYTICS": "1",
            "MLFLOW_TRACKING_URI": "",
            # Records name the commit: it is the same one in every copy.
            "GIT_AUTHOR_DATE": "2020-01-01T00:00:00Z",
            "GIT_COMMITTER_DATE": "2020-01-01T00:00:00Z",
        }
        self.run("git", "init", "--quiet")
        self.run(
            "git", "-c", "user.name=test", "-c", "user.email=test@localhost", "commit", "--quiet", "--allow-empty", "--message", "empty"
        )
        self.run("dvc", "init", "--quiet")

    def run(self, *command: str, code: int = 0) -> str:
        done = subprocess.run(command, cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=600)
        assert done.returncode == code, (command, done.stdout, done.stderr)
        return done.stdout + done.stderr

    def stale(self) -> set[str]:
        """The train stages of the published protocol that `dvc status` says have to run, because of code or parameters."""
        return {line for line in json.loads(self.run("dvc", "status", "--json")) if "train" in line}
