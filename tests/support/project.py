"""A small project in a folder of its own: the real stages, on the embedded digits, with a network that trains in a second."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from tests.support.in_process import prepare
from tests.support.paths import ROOT

MODEL = "digits-mlp"


def small_settings(epochs: int = 3, models: Iterable[str] = (MODEL,), architecture: str = "60", events: bool = True) -> str:
    """The quickstart's settings, with these models alone: all of them MODEL, with a smaller network and fewer epochs.

    Without events, there is no dataset but the one that MODEL needs: `dvc repro` would process the other one, too.
    """
    text = (ROOT / "quickstart/params.yaml").read_text()
    section = text[text.index(f"  {MODEL}:") : text.index("  digits-cnn:")]
    sections = [section.replace(f"  {MODEL}:", f"  {model}:") for model in models]
    text = text[: text.index("models:\n")] + "models:\n" + "".join(sections) + text[text.index("published:") :]
    if not events:
        text = text[: text.index("  ndigits:\n")]
    text = text.replace("parallel: auto", "parallel: 1")  # no worker processes where a test is not about them
    return re.sub(r"epochs: \d+", f"epochs: {epochs}", text).replace("architecture: 400-400", f"architecture: {architecture}")


class Project:
    """The quickstart's settings in `folder`, cut down to one small model; stages run in it as processes."""

    def __init__(self, folder: Path, database: Path | None = None, epochs: int = 3) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.params.write_text(small_settings(epochs).replace("quickstart/", ""))
        if database is not None:
            shutil.copy(database, folder / "mlflow.db")

    @property
    def params(self) -> Path:
        return self.folder / "params.yaml"

    def change(self, old: str, new: str) -> None:
        """Replace one thing in params.yaml."""
        text = self.params.read_text()
        assert text.count(old) == 1, (old, text.count(old))
        self.params.write_text(text.replace(old, new))

    def start(self, stage: str, *arguments: str) -> subprocess.Popen:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "MLFLOW_TRACKING_URI": os.environ.get("PROJECT_TRACKING_URI", "")}
        command = [sys.executable, "-m", f"stages.{stage}", *arguments]
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # Tests that run in the background of a shell inherit that Ctrl-C is ignored; a user's stage does not.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    def run(self, stage: str, *arguments: str, code: int = 0) -> str:
        """Run a stage to its end; returns all that it printed."""
        process = self.start(stage, *arguments)
        out, err = process.communicate(timeout=300)
        assert process.returncode == code, (process.returncode, out, err)
        assert "Traceback" not in err, err
        return out + err

    def prepare(self) -> None:
        """Make and preprocess the data, in this process."""
        prepare(self.folder)

    def train(self, model: str = MODEL) -> str:
        """Train a model and publish what it came to; returns all that was printed."""
        return self.run("fit", "--model", model) + self.run("train", "--model", model)

    def results(self, model: str = MODEL) -> dict[str, bytes]:
        """The files that have to be equal for equal settings: metrics, history, record and weights."""
        return results(self.folder, model)


def results(folder: Path, model: str = MODEL) -> dict[str, bytes]:
    """`Project.results` of any folder that holds `reports/` and `checkpoints/`."""
    runs, weights = folder / "reports/runs" / model, folder / "checkpoints" / model
    files = [runs / name for name in ("metrics.json", "history.csv", "record.json")] + sorted(weights.glob("*.safetensors"))
    return {path.name: path.read_bytes() for path in files}
