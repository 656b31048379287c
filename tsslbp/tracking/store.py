"""Where runs are logged: a SQLite database in the project, or the server that a tracking URI names.

Several processes may work on one store. A lock file beside the database makes them take turns, because two of them that
create or fill the same database, or the same run, at once would break or double it.
"""

import fcntl
import os
import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tsslbp.storage.files import whole_file

if TYPE_CHECKING:
    from mlflow import MlflowClient

DATABASE = "mlflow.db"
ARTIFACTS = "mlartifacts"
LOCK_SECONDS = 120.0
"""How long to wait for another process; the slowest thing done under the lock, creating a database, takes about ten."""


class TrackingError(ValueError):
    """MLflow cannot be reached or written, or disagrees with the run records; the message says what to do."""


@dataclass(frozen=True)
class Store:
    """A tracking store.

    Attributes:
        uri: MLflow's tracking URI.
        folder: where the lock file lies, and beside it the database and the artifacts of a SQLite store; absolute.
        database: the SQLite file; None for a server.
    """

    uri: str
    folder: Path
    database: Path | None

    @property
    def artifacts(self) -> str | None:
        """The URI that artifacts are stored under; None where the server decides."""
        return None if self.database is None else (self.folder / ARTIFACTS).as_uri()

    @property
    def shown(self) -> str:
        """The URI for messages, without a password."""
        return re.sub(r"//[^/@]*@", "//", self.uri)


def tracking_store(folder: Path, uri: str | None = None) -> Store:
    """The store of a pipeline.

    Args:
        folder: the folder of its params.yaml; `mlflow.db` and `mlartifacts/` are kept there unless `uri` names another place.
        uri: value of MLFLOW_TRACKING_URI; None or empty for the database in `folder`.

    Raises:
        TrackingError: SQLite cannot open a database at this path.
    """
    folder = folder.resolve()
    path = re.fullmatch(r"sqlite:///([^?]+)(\?.*)?", uri or f"sqlite:///{folder / DATABASE}")
    if path is None and uri and not uri.startswith("sqlite:"):
        return Store(uri, folder, None)
    if path is None or path[2] or path[1] == ":memory:":
        raise TrackingError(f"tracking URI {uri or folder}: expected sqlite:///<path of a file>, without '?'; set MLFLOW_TRACKING_URI")
    database = Path(path[1]).resolve()
    return Store(f"sqlite:///{database}", database.parent, database)


@contextmanager
def locked(store: Store, seconds: float = LOCK_SECONDS) -> Iterator[None]:
    """Keep every other process that logs from this project away from the store; a killed process lets go by itself.

    Raises:
        TrackingError: another process has held the lock for all that time.
    """
    path = store.folder / f"{DATABASE}.lock"
    deadline = time.monotonic() + seconds
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise TrackingError(f"{path}: held by another process for {seconds:.0f} s; end it and try again") from None
                time.sleep(0.02)
        yield


def connect(store: Store) -> "MlflowClient":
    """Open the store; a database that is not there yet is created, one that was moved is told where its artifacts are now."""
    _quiet()
    from mlflow import MlflowClient

    if store.database is None:
        return MlflowClient(tracking_uri=store.uri)
    with locked(store):
        if not store.database.exists():
            # Created under another name: a kill in the middle would leave half a schema, which MLflow cannot repair.
            with whole_file(store.database) as partial:
                MlflowClient(tracking_uri=f"sqlite:///{partial}")
        _follow_move(store.database, str(store.artifacts))
        return MlflowClient(tracking_uri=store.uri)


def _quiet() -> None:
    """Set what MLflow reads from the environment when it is imported; what the user has set stays."""
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    # Lines and bars of MLflow's own would run into those of the stage.
    os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"
    os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "ERROR")
    # MLflow's own defaults wait for four minutes on a server that is down. LiveLog tries again by itself.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")


def _follow_move(database: Path, artifacts: str) -> None:
    """Rewrite artifact locations of a database whose folder was moved or copied: MLflow stores them as absolute paths."""
    with closing(sqlite3.connect(database, timeout=20)) as connection, connection:
        if not connection.execute("SELECT name FROM sqlite_master WHERE name = 'experiments'").fetchone():
            return  # an empty file: MLflow fills it
        found = connection.execute(
            "SELECT DISTINCT artifact_location FROM experiments WHERE artifact_location LIKE ? AND artifact_location <> ?",
            (f"file:%/{ARTIFACTS}", artifacts),
        )
        for (old,) in found.fetchall():
            connection.execute("UPDATE experiments SET artifact_location = ? WHERE artifact_location = ?", (artifacts, old))
            connection.execute(
                "UPDATE runs SET artifact_uri = ? || substr(artifact_uri, ?) WHERE substr(artifact_uri, 1, ?) = ?",
                (artifacts, len(old) + 1, len(old) + 1, f"{old}/"),
            )


@contextmanager
def explained(store: Store) -> Iterator[None]:
    """Turn what MLflow, SQLAlchemy, requests and the system raise into one TrackingError that says what to do."""
    try:
        yield
    except TrackingError:
        raise
    except Exception as error:
        raise explain(store, error) from error


_FAULTS = (
    (
        r"no longer supported|maintenance mode",
        "is MLflow's old file store; set MLFLOW_TRACKING_URI to a server or to sqlite:///<file>, or unset it",
    ),
    (r"database is locked", "is locked by another program; close what holds it open"),
    (r"not a database|malformed|no such table", "is damaged; move the file away, and it is written anew from the run records"),
    (
        r"out-of-date database schema|Can't locate revision",
        "was written by another version of MLflow; `mlflow db upgrade <URI>` brings it up to date",
    ),
    (
        r"readonly database|unable to open database|Permission denied|Read-only",
        "cannot be written; check the rights of the file and its folder",
    ),
    (r"disk is full|No space left", "cannot be written, the disk is full; make room"),
    (r"error code 40[13]", "refuses access; set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"),
    (
        r"Max retries|ConnectionError|timed out|failed with exception|error code 50\d",
        "does not answer; start the server, or correct or unset MLFLOW_TRACKING_URI",
    ),
)


def explain(store: Store, error: BaseException) -> TrackingError:
    """Say in one line what went wrong with a store and what to do about it."""
    for pattern, advice in _FAULTS:
        if re.search(pattern, f"{type(error).__name__}: {error}"):
            return TrackingError(f"MLflow at {store.shown} {advice}")
    first = next(iter(str(error).splitlines()), "").replace(store.uri, store.shown)
    return TrackingError(f"MLflow at {store.shown}: {type(error).__name__}: {first[:200]}")
