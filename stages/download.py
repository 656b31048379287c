"""Stage `download`: the raw files of one dataset, fetched and verified, or made: `python -m stages.download --dataset mnist`.

The environment variable TSSLBP_MIRROR may name a folder, laid out <dataset>/<file>, that is looked into before the network.
"""

import argparse
import os
from pathlib import Path

from stages.common import run, worker_count
from stages.progress import ScreenProgress
from tsslbp.config import Settings


def main(settings: Settings, options: argparse.Namespace) -> None:
    """Bring the raw files of `--dataset` into `<folders.data>/raw/<dataset>/`."""
    key, data = options.dataset, settings.folders.data
    dataset, folder, progress = settings.dataset(key), data / "raw" / key, ScreenProgress()
    if dataset.kind == "digits":
        from tsslbp.data.digits import write_digits

        write_digits(folder)
    elif dataset.kind == "simulated-events":
        from tsslbp.data.simulation import write_recordings

        write_recordings(folder, worker_count(settings.execution), progress)
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
