"""Stage `digest`: what the method's code means -> meaning.json, on which every training depends: `python -m stages.digest`.

It takes a second and needs neither data nor PyTorch. Run it, or `make digest`, after a change under tsslbp/method/.
"""

import argparse

from stages.common import run
from tsslbp.settings import Settings
from tsslbp.storage.files import write_text
from tsslbp.storage.meaning import FILE_NAME, meaning_text


def main(settings: Settings, options: argparse.Namespace) -> None:
    """Write meaning.json beside the settings."""
    path = options.params.with_name(FILE_NAME)
    write_text(path, meaning_text(settings))
    print(f"written: {path}")


if __name__ == "__main__":
    run(main, argparse.ArgumentParser(prog="python -m stages.digest", description="Write what the method's code means, for DVC to watch."))
