"""Stage `download`: the raw files of one dataset, fetched and verified, or made: `python -m stages.download --dataset mnist`.

The environment variable TSSLBP_MIRROR may name a folder, laid out <dataset>/<file>, that is looked into before the network.
"""

import argparse
import os
from pathlib import Path

from stages.common import run, worker_count
from stages.display import ScreenProgress
from tsslbp.settings import Dataset, Settings
from tsslbp.storage.locks import only_process


def main(settings: Settings, options: argparse.Namespace) -> None:
    """Bring the raw files of `--dataset` into `<folders.data>/raw/<dataset>/`."""
    key, data = options.dataset, settings.folders.data
    dataset = settings.dataset(key)
    with only_process(data / f".download-{key}.lock", f"download of {key}"):
        _download(key, dataset, data, worker_count(settings.execution))


def _download(key: str, dataset: Dataset, data: Path, workers: int) -> None:
    folder, progress = data / "raw" / key, ScreenProgress()
    if dataset.kind == "digits":
        from tsslbp.data.digits import write_digits

        write_digits(folder)
    elif dataset.kind == "simulated-events":
        from tsslbp.data.simulation import write_recordings

        write_recordings(folder, workers, progress)
    else:
        from tsslbp.data.sources import fetch

        fetch(key, dataset, folder, data / "incoming" / key, _mirror(progress), progress)
    progress.say(f"{folder}: complete")


def _mirror(progress: ScreenProgress) -> Path | None:
    named = os.environ.get("TSSLBP_MIRROR")
    if not named:
        return None
    mirror = Path(named).expanduser()
    if not mirror.is_dir():
        progress.say(f"warning: TSSLBP_MIRROR is {named}, which is no folder")
    return mirror


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m stages.download", description="Fetch and verify the raw files of one dataset.")
    parser.add_argument("--dataset", required=True, help="a key of `datasets` in the settings")
    run(main, parser)
