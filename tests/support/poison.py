"""Numbers that go wrong, on purpose."""

import pytest

from tsslbp.method.batches import ImageBatches


def poison(monkeypatch: pytest.MonkeyPatch, seed: int, epoch: int) -> None:
    """The inputs of one epoch of one seed become NaN, as a broken array's would."""
    shuffled = ImageBatches.shuffled

    def poisoned(self, of_seed, of_epoch):
        for x, labels in shuffled(self, of_seed, of_epoch):
            yield (x * float("nan") if (of_seed, of_epoch) == (seed, epoch) else x), labels

    monkeypatch.setattr(ImageBatches, "shuffled", poisoned)
