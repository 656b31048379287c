"""Stage `preprocess`: convert the raw files of one dataset into compact arrays: `python -m stages.preprocess --dataset mnist`."""

import argparse
from pathlib import Path

from stages.common import run, worker_count
from stages.display import ScreenProgress
from tsslbp.data.binning import note_binning
from tsslbp.data.preprocessing import preprocess
from tsslbp.settings import Settings
from tsslbp.storage.locks import only_process


def main(settings: Settings, options: argparse.Namespace) -> None:
    """Convert `<folders.data>/raw/<dataset>/` into `<folders.data>/processed/<dataset>/`."""
    key, data, progress = options.dataset, settings.folders.data, ScreenProgress()
    dataset, workers, processed = settings.dataset(key), worker_count(settings.execution), data / "processed" / key
    _refuse_link(processed)
    with only_process(data / f".preprocess-{key}.lock", f"preprocessing of {key}"):
        record = preprocess(key, dataset, data / "raw" / key, processed, workers, progress)
        note_binning(processed, dataset, record)
    for note in record.subset:
        progress.say(f"warning: these are NOT the official data of {record.title}, but {note}")


def _refuse_link(processed: Path) -> None:
    """Say at the start that a link cannot be replaced as a folder is; after hours of work it would be an error of the system's."""
    if processed.is_symlink():
        raise ValueError(
            f"{processed}: is a symbolic link, which stands in the way of a folder that is replaced as a whole; "
            f"remove it, and to have the data elsewhere make {processed.parent} a link instead"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m stages.preprocess", description="Convert the raw files of one dataset into arrays.")
    parser.add_argument("--dataset", required=True, help="a key of `datasets` in the settings")
    run(main, parser)
