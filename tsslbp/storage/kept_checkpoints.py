"""A live checkpoint of more epochs than are asked for is kept under another name: they may be asked for again.

What a shorter training does not need may be the work of days, and the shorter one writes to the same place.
"""

import glob
from pathlib import Path

from tsslbp.storage.checkpoints import load_state
from tsslbp.storage.files import whole_file

KEPT = "-epochs"
"""What the name of such a file ends with, after their number: seed-0.89-epochs.pt."""


def pick_checkpoint(checkpoint: Path, key: str, epochs: int) -> int:
    """Put the checkpoint in place that a training goes on from: of those that there are, the longest that is not too long.

    A damaged one takes no place: what is there stays until somebody has decided about it.

    Args:
        checkpoint: the live checkpoint of a seed; its provenance lies beside it, see live_provenance.py.
        key: what it must belong to.
        epochs: how many are asked for.

    Returns:
        How many epochs are complete now.

    Raises:
        CheckpointError: the checkpoint is damaged, or belongs to something else.
    """
    complete = _epochs_in(checkpoint, key)
    if complete > epochs:
        _move(checkpoint, checkpoint.with_name(f"{checkpoint.stem}.{complete}{KEPT}{checkpoint.suffix}"))
        complete = 0
    longest = max((kept for kept in _kept(checkpoint) if complete < kept <= epochs), default=None)
    if longest is None:
        return complete
    kept = _kept(checkpoint)[longest]
    complete = _epochs_in(kept, key)  # before it takes the place of a good one
    _move(kept, checkpoint)
    return complete


def _epochs_in(checkpoint: Path, key: str) -> int:
    return len(load_state(checkpoint, key).history) if checkpoint.exists() else 0


def _kept(checkpoint: Path) -> dict[int, Path]:
    """What is kept of a seed, by its epochs."""
    found = checkpoint.parent.glob(f"{glob.escape(checkpoint.stem)}.*{KEPT}{checkpoint.suffix}")
    counts = {path: path.stem.removeprefix(f"{checkpoint.stem}.").removesuffix(KEPT) for path in found}
    return {int(count): path for path, count in counts.items() if count.isdecimal()}


def _move(checkpoint: Path, target: Path) -> None:
    """Rename a checkpoint. Its provenance is there before it and leaves after it, so that a kill in between parts no two that belong together."""
    noted, target_noted = checkpoint.with_suffix(".json"), target.with_suffix(".json")
    if noted.exists():
        with whole_file(target_noted) as partial:
            partial.write_bytes(noted.read_bytes())
    else:
        target_noted.unlink(missing_ok=True)
    checkpoint.replace(target)
    noted.unlink(missing_ok=True)
