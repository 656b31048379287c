"""A dataset of one file, the folders around it."""

import hashlib
from pathlib import Path

from tsslbp.data.sources import fetch
from tsslbp.data.transfer import RetryPolicy
from tsslbp.settings import Dataset, SourceFile, Subset

KEY = "letters"
NAME = "letters.bin"
BODY = bytes(range(256)) * 40
SUBSET = BODY[:1000]
HURRIED = RetryPolicy(connect=5.0, read=5.0, attempts=3, backoff=0.01, offline=3.0)


def md5(data):
    return hashlib.md5(data).hexdigest()


def make_dataset(*urls, name=NAME):
    source = SourceFile(name=name, md5=md5(BODY), urls=urls, subsets=(Subset(md5=md5(SUBSET), note="1,000 of 10,240 letters"),))
    return Dataset(
        title="L", kind="cifar", shape=(1, 1, 1), classes=2, train_samples=1, test_samples=1, files=(source,), mean=(0.0,), std=(1.0,)
    )


class Place:
    """The folders of a test, and `fetch` into them."""

    def __init__(self, root: Path):
        self.raw, self.incoming, self.mirror = root / "raw", root / "incoming", root / "mirror"
        self.target = self.raw / NAME
        self.partial = self.incoming / f".{NAME}.partial"
        self.refused = self.incoming / f"{NAME}.refused"

    def put(self, path, data):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    def fetch(self, *urls, mirror=False, policy=HURRIED):
        return fetch(KEY, make_dataset(*urls), self.raw, self.incoming, self.mirror if mirror else None, policy=policy)[0]
