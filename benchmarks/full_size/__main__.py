"""N-MNIST at its full size: preprocessing time, bytes on disk, and a training process's memory; and a stage's start-up.

    python -m benchmarks.full_size --archive data/raw/nmnist/Train.zip

Official recordings are not needed: those of the archive are repeated, each time moved and jittered, until there are as many
as the settings say. Writes <reports>/benchmark/full-size.md and .csv, of a share <scratch>/benchmark; takes some minutes and 3 GB of
disk meanwhile.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import ROOT
from benchmarks.arguments import interrupted
from benchmarks.full_size.parts import Archives, preprocess, start_up, training_memory
from benchmarks.machine import available_threads, conditions
from benchmarks.page.markdown import facts, table
from stages.display import ScreenProgress
from tsslbp.settings import Settings, load_settings
from tsslbp.storage.files import write_text

MODELS = ("nmnist-cnn-t30", "nmnist-cnn-t100")
START_MODEL = "fashion-mlp"


@dataclass(frozen=True)
class Row:
    """A measured quantity: `what` in words, its value and unit."""

    what: str
    value: float
    unit: str


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.full_size", description="Measure N-MNIST at its full size, and start-up.")
    parser.add_argument("--params", type=Path, default=Path("params.yaml"), help="the settings (default: %(default)s)")
    parser.add_argument(
        "--archive", type=Path, default=Path("data/raw/nmnist/Train.zip"), help="recordings to repeat (default: %(default)s)"
    )
    parser.add_argument("--output", type=Path, metavar="FOLDER", help="where to write full-size.md and full-size.csv")
    parser.add_argument("--share", type=float, default=1.0, help="of the full size, for trying out (default: %(default)s)")
    options = parser.parse_args(arguments)
    given = sys.argv[1:] if arguments is None else list(arguments)
    try:
        if not 0 < options.share <= 1:
            raise ValueError(f"--share: got {options.share}; allowed: above 0, at most 1")
        settings = load_settings(options.params)
        whole = options.share == 1
        folder = options.output or (settings.folders.reports if whole else settings.folders.scratch) / "benchmark"
        around = conditions(available_threads(), ["benchmarks.full_size", *given], ROOT)
        rows = measure(settings, options.params, options.archive, options.share, ScreenProgress())
    except KeyboardInterrupt:
        return interrupted("benchmarks.full_size")
    except (ValueError, OSError) as error:
        print(f"benchmarks.full_size: {error}", file=sys.stderr)
        return 1
    write_text(folder / "full-size.csv", "what,value,unit\n" + "".join(f'"{row.what}",{row.value!r},{row.unit}\n' for row in rows))
    write_text(folder / "full-size.md", _markdown(around.facts, rows))
    print(_markdown((), rows))
    print(f"written: {folder}/full-size.md, full-size.csv", file=sys.stderr)
    return 0


def measure(settings: Settings, params: Path, archive: Path, share: float, progress: ScreenProgress) -> list[Row]:
    """Make the archives in a temporary folder, preprocess them, and train a few steps from the arrays."""
    dataset = settings.dataset("nmnist")
    settings.folders.data.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="full-size-", dir=settings.folders.data) as name:
        sizes = {"train": max(1, round(share * dataset.train_samples)), "test": max(1, round(share * dataset.test_samples))}
        made = Archives.make(archive, Path(name), sizes, progress)
        seconds, arrays = preprocess(made, dataset, available_threads(), progress)
        rows = [
            Row("recordings: those of the archive repeated with jitter", sum(sizes.values()), "recordings"),
            Row("preprocessing", seconds, "s"),
            Row("arrays on disk", arrays / 1e6, "MB"),
        ]
        for model in MODELS:
            peak = training_memory(params, model, made.processed)
            rows.append(Row(f"{model}: peak memory of a training process, test batch included", peak / 1e6, "MB"))
    data = settings.folders.data / "processed" / settings.models[START_MODEL].dataset / "data.json"
    if data.exists():
        rows.append(
            Row(f"start of the stage train to the end of its first step, {START_MODEL}", start_up(settings, params, START_MODEL), "s")
        )
    return rows


def _markdown(pairs: Sequence[tuple[str, str]], rows: Sequence[Row]) -> str:
    measured = table(["what", "measured"], [[row.what, f"{row.value:,.1f} {row.unit}"] for row in rows])
    return "\n\n".join([*(["# N-MNIST at its full size, and start-up", facts(pairs)] if pairs else []), measured]) + "\n"


if __name__ == "__main__":
    sys.exit(main())
