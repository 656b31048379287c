"""The provenance of a seed beside its live checkpoint, for as long as it may go on: when, where and with what its epochs were trained.

A checkpoint may change hands: another process, machine or commit goes on from it. What the first one knew of itself is gone then, and
whoever looks at the checkpoint later may have trained none of it. So the driver notes it here when a seed begins, and adds to it; when
the seed fails, also how and after how many epochs.
"""

from collections.abc import Callable
from pathlib import Path

from tsslbp.storage.files import write_text
from tsslbp.storage.records import SeedProvenance

THEN = "; then "
"""What stands between the devices, commits or versions of a seed that went on with another one."""


def save_live(path: Path, provenance: SeedProvenance) -> None:
    """Write the file, whole or not at all."""
    write_text(path, provenance.model_dump_json(indent=1) + "\n")


def load_live(path: Path, warn: Callable[[str], None]) -> SeedProvenance | None:
    """Read what `save_live` wrote.

    Args:
        path: the file.
        warn: takes a line where the file is damaged.

    Returns:
        None where there is no such file, as beside older checkpoints, or a damaged one: no training ends because of it.
    """
    try:
        return SeedProvenance.model_validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        warn(f"{path}: cannot be read ({' '.join(str(error).split())[:200]}); where and when this seed began is not known any more")
        return None


def joined(before: SeedProvenance, now: SeedProvenance) -> SeedProvenance:
    """The provenance of a seed that began as `before` and goes on as `now`: what is new is added, the start stays."""
    return before.model_copy(
        update={
            "git_commit": _joined(before.git_commit, now.git_commit),
            "device": _joined(before.device, now.device),
            "versions": before.versions | {name: _joined(before.versions.get(name, new), new) for name, new in now.versions.items()},
        }
    )


def _joined(before: str, now: str) -> str:
    return before if now in before.split(THEN) else f"{before}{THEN}{now}"
