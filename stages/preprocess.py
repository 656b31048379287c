"""Stage `preprocess`: convert the raw files of one dataset into compact arrays: `python -m stages.preprocess --dataset mnist`."""

import argparse

from stages.common import run, worker_count
from stages.display import ScreenProgress
from tsslbp.data.preprocessing import preprocess
from tsslbp.settings import Settings
from tsslbp.storage.locks import only_process


def main(settings: Settings, options: argparse.Namespace) -> None:
    """Convert `<folders.data>/raw/<dataset>/` into `<folders.data>/processed/<dataset>/`."""
    key, data, progress = options.dataset, settings.folders.data, ScreenProgress()
    dataset, workers = settings.dataset(key), worker_count(settings.execution)
    with only_process(data / f".preprocess-{key}.lock", f"preprocessing of {key}"):
        record = preprocess(key, dataset, data / "raw" / key, data / "processed" / key, workers, progress)
    for note in record.subset:
        progress.say(f"warning: these are NOT the official data of {record.title}, but {note}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m stages.preprocess", description="Convert the raw files of one dataset into arrays.")
    parser.add_argument("--dataset", required=True, help="a key of `datasets` in the settings")
    run(main, parser)
