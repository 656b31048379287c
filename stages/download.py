"""Stage `download`: fetch and verify the raw files of one dataset, or generate them: `python -m stages.download --dataset mnist`.

The environment variable TSSLBP_MIRROR may name a folder, laid out <dataset>/<file>, that is looked into before the network.
"""

import argparse
import os
from pathlib import Path

from stages.common import run, worker_count
from stages.display import ScreenProgress
from tsslbp.data.kinds import Order, kind_of
from tsslbp.settings import Settings
from tsslbp.storage.locks import only_process


def main(settings: Settings, options: argparse.Namespace) -> None:
    """Bring the raw files of `--dataset` into `<folders.data>/raw/<dataset>/`."""
    key, data, progress = options.dataset, settings.folders.data, ScreenProgress()
    dataset, folder = settings.dataset(key), data / "raw" / key
    order = Order(key, dataset, folder, data / "incoming" / key, _mirror(progress), worker_count(settings.execution), progress)
    with only_process(data / f".download-{key}.lock", f"download of {key}"):
        kind_of(key, dataset).obtain(order)
        progress.say(f"{folder}: complete")


def _mirror(progress: ScreenProgress) -> Path | None:
    named = os.environ.get("TSSLBP_MIRROR")
    if not named:
        return None
    mirror = Path(named).expanduser()
    if not mirror.is_dir():
        progress.say(f"warning: TSSLBP_MIRROR is {named}, which is not a folder")
    return mirror


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        prog="python -m stages.download", description="Fetch and verify, or generate, the raw files of one dataset."
    )
    parser.add_argument("--dataset", required=True, help="a key of `datasets` in the settings")
    run(main, parser)
