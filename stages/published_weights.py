"""The networks in git: of each row that was run in full the first seed's, at its best epoch, in `<folders.reports>/weights/`."""

import configparser
from pathlib import Path
from shlex import quote

from tsslbp.settings import Settings
from tsslbp.storage.files import checksum, whole_file
from tsslbp.storage.records import ModelRecord, Provenance

LARGEST = 15 * 2**20
"""Bytes of a file that goes into git. The rows below it come to 16 MB together; the networks of CIFAR-10 have 80 MB and more each."""


def weights_path(settings: Settings, key: str) -> Path:
    """Where the network of a row is in git."""
    return settings.folders.reports / "weights" / f"{key}.safetensors"


def belongs_in_git(settings: Settings, key: str, record: ModelRecord, provenance: Provenance) -> bool:
    """Return whether the network of a row goes into git: it was run in full, has a published one beside it, and is no study's variant."""
    if settings.base is not None or key not in settings.published:
        return False
    from tsslbp.report.rows import make_rows

    row = next(row for row in make_rows(settings, {key: (record, provenance)}) if row.model == key)
    return row.follows_protocol


def who_publishes(params: Path, key: str, seed: int) -> str:
    """The words for how a network comes into git whose row was run in full, but whose weights are on another machine."""
    return f"where seed {seed} was trained, `python -m stages.train --params {quote(str(params))} --model {key} --so-far` publishes it (up to {LARGEST // 2**20} MB)"


def publish_weights(settings: Settings, key: str, record: ModelRecord, provenance: Provenance) -> str | None:
    """Copy the network of a row that was run in full to where it is in git.

    Args:
        settings: of the pipeline; the variants of a study have no network in git.
        key: of the model.
        record: what its training came to; its weights are in the folder of checkpoints.
        provenance: of the same training.

    Returns:
        What was done, a line for the screen; None where the row was not run in full.

    Raises:
        CheckpointError: the weights are not those of the record.
        WriteError: the file cannot be written.
    """
    if not belongs_in_git(settings, key, record, provenance):
        return None
    seed = record.seeds[0]
    source, target = settings.folders.checkpoints / key / f"seed-{seed.seed}-best.safetensors", weights_path(settings, key)
    if not source.exists() or checksum(source, "sha256") != seed.best_weights_sha256:
        from tsslbp.storage.checkpoints import CheckpointError

        raise CheckpointError(f"{source}: is not what the record beside it names; train {key} again")
    if (size := source.stat().st_size) > LARGEST:
        return f"{source}: {size / 1e6:.0f} MB, too large for git; attach it to a release of the repository"
    with whole_file(target) as partial:
        partial.write_bytes(source.read_bytes())
    return f"written: {target}, the network of seed {seed.seed} at its best epoch"


def remote_advice(root: Path = Path()) -> str:
    """The advice to fetch a missing file from DVC's remote; "" where the project in `root` has none, or a damaged configuration."""
    config = configparser.ConfigParser(strict=False, interpolation=None)
    try:
        config.read([root / ".dvc/config", root / ".dvc/config.local"], encoding="utf-8")
    except configparser.Error:  # DVC says what is wrong with it
        return ""
    remotes = any(section.strip("'").startswith("remote ") for section in config.sections())
    return "; `dvc pull` may fetch it" if remotes else ""
