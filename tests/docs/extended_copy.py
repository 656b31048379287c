"""A copy of the code, with what a section of docs/extending.md says applied to it.

A block is opened by its language and the file that it belongs to. `python FILE` is a new file, `diff FILE` changes one (its lines with
a blank or a minus stand in the file exactly once), `yaml FILE KEY` goes under that key of a file of settings.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.paths import ROOT

PAGE = (ROOT / "docs/extending.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(python|diff|yaml) (\S+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SECTIONS = dict(zip(*[iter(re.split(r"^## (.+)$", PAGE, flags=re.MULTILINE)[1:])] * 2, strict=True))


def patched(text: str, diff: str, where: str) -> str:
    """The text with one change made to it."""
    lines = [line or " " for line in diff.splitlines()]
    old = "".join(f"{line[1:]}\n" for line in lines if line[0] in " -")
    new = "".join(f"{line[1:]}\n" for line in lines if line[0] in " +")
    if not old:
        raise AssertionError(f"{where}: the change says nothing of where it belongs")
    assert text.count(old) == 1, f"{where}: appears {text.count(old)} times:\n{old}"
    return text.replace(old, new)


class Copy:
    """The code in a folder of its own, with what a section of the page says."""

    def __init__(self, folder: Path, title: str) -> None:
        self.folder, self.params = folder, folder / "params.yaml"
        # With Numba's caches, which hold where nothing was changed: compiling takes longer than all else.
        for name in ("tsslbp", "stages", "benchmarks", "reports/runs", "studies"):
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("*.tmp.*", "*.pyc.*"))  # another process is at them
        tests = [path.relative_to(ROOT) for path in ROOT.glob("tests/**/*.py")]
        for name in ("dvc.yaml", "params.yaml", "quickstart/params.yaml", "docs/findings.md", *tests):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
        self.params.write_text(self.params.read_text(encoding="utf-8").replace("seeds: [0, 1, 2, 3, 4]", "seeds: [0]"), encoding="utf-8")
        self.add(title)

    def add(self, title: str) -> None:
        """Apply a section of the page."""
        blocks = BLOCK.findall(SECTIONS[title])
        assert blocks, title
        for language, file, key, text in blocks:
            self.apply(language, file, key, text)

    def apply(self, language: str, file: str, key: str, text: str) -> None:
        path = self.folder / file
        if language == "python":
            assert not path.exists(), f"{file} is not new"
            path.write_text(text, encoding="utf-8")
            return
        before = path.read_text(encoding="utf-8")
        change = f" {key}:\n" + "".join(f"+{line}\n" for line in text.splitlines()) if language == "yaml" else text
        path.write_text(patched(before, change, file), encoding="utf-8")

    def correct_checksums(self, files: Path) -> None:
        """Put the checksums of real files where the page has those of nothing."""
        text = self.params.read_text(encoding="utf-8")
        for path in files.iterdir():
            pattern = rf"(name: {re.escape(path.name)}\n(?:\s+role: .*\n)?\s+md5: )[0-9a-f]{{32}}(\n\s+urls: \[https://example)"
            text, count = re.subn(pattern, rf"\g<1>{hashlib.md5(path.read_bytes()).hexdigest()}\g<2>", text)
            assert count == 1, path.name
        self.params.write_text(text, encoding="utf-8")

    def run(self, *arguments: str, mirror: Path | None = None) -> str:
        """The output of a Python in this copy."""
        environment = {**os.environ, "PYTHONPATH": str(self.folder), "MLFLOW_TRACKING_URI": "", "TSSLBP_MIRROR": str(mirror or "")}
        done = subprocess.run([sys.executable, *arguments], cwd=self.folder, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        return done.stdout
