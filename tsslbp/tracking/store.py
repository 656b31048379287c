"""Where runs are logged: a SQLite database in the project, or the server that a tracking URI names.

Several processes may work on one store. A lock file beside the database makes them take turns, because two of them that
create or fill the same database, or the same run, at once would break or double it.
"""

import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from filelock import Timeout

from tsslbp.storage.files import whole_file
from tsslbp.storage.locks import acquire
from tsslbp.tracking.checkout import own_checkout
from tsslbp.tracking.faults import TrackingError, explaining
from tsslbp.tracking.uris import check_uri, masked

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

DATABASE = "mlflow.db"
ARTIFACTS = "mlartifacts"
CHECKOUT = "tsslbp.checkout"
"""Tag of a run: the id of the checkout that logged it."""
LOCK_SECONDS = 120.0
"""How long to wait for another process; the slowest thing done under the lock, creating a database, takes about ten."""
DATABASE_SECONDS = 20.0
"""How long to wait for another program that holds the database itself."""


@dataclass(frozen=True)
class Store:
    """A tracking store; nothing is opened or checked before `connect`.

    Attributes:
        uri: MLflow's tracking URI.
        folder: where the lock file lies, and beside it the database and the artifacts of a SQLite store; absolute.
        database: the SQLite file; None for a server.
        project: the folder of the pipeline, which holds the checkout's id; absolute.
    """

    uri: str
    folder: Path
    database: Path | None
    project: Path

    @property
    def artifacts(self) -> str | None:
        """The URI that artifacts are stored under; None where the server decides."""
        return None if self.database is None else (self.folder / ARTIFACTS).as_uri()

    @property
    def shown(self) -> str:
        """The URI for messages, without a password."""
        return f"sqlite:///{self.database}" if self.database else masked(self.uri)

    @property
    def is_local(self) -> bool:
        """Whether the database is the project's own and moves with its folder."""
        return self.database is not None and self.folder == self.project


@dataclass(frozen=True)
class Connection:
    """An open store, and the ids by which this checkout knows its own runs.

    Attributes:
        client: MLflow's client.
        store: the store.
        checkout: the id that new runs get.
        own: the ids of runs that may be changed: `checkout`, and in the project's own database those of the folders it was copied from.
    """

    client: "MlflowClient"
    store: Store
    checkout: str
    own: frozenset[str]

    def owns(self, run: "Run") -> bool:
        """Whether this checkout logged the run. No other run is ever changed."""
        return run.data.tags.get(CHECKOUT) in self.own


def tracking_store(folder: Path, uri: str | None = None) -> Store:
    """The store of a pipeline.

    Args:
        folder: the folder of its params.yaml; `mlflow.db` and `mlartifacts/` are kept there unless `uri` names another place.
        uri: value of MLFLOW_TRACKING_URI; None or empty for the database in `folder`. In a SQLite URI a percent sign before two
            hexadecimal digits is an escape, as SQLAlchemy reads it.
    """
    folder = folder.resolve()
    if not uri:
        return _sqlite_store(folder / DATABASE, folder)
    path = re.fullmatch(r"sqlite(?:\+pysqlite)?:///([^?]+)", uri)
    if path is None or path[1] == ":memory:":
        return Store(uri, folder, None, folder)
    return _sqlite_store(Path(unquote(path[1])).resolve(), folder)


def _sqlite_store(database: Path, project: Path) -> Store:
    plain, escaped = str(database), quote(str(database))
    if unquote(plain) == plain and "?" not in plain:
        return Store(f"sqlite:///{plain}", database.parent, database, project)
    # SQLAlchemy decodes escapes, MLflow creates the folder of a URI that starts with "sqlite:///" without decoding them; naming the
    # driver keeps it from doing so.
    return Store(f"sqlite+pysqlite:///{escaped}", database.parent, database, project)


@contextmanager
def locked(store: Store, seconds: float = LOCK_SECONDS) -> Iterator[None]:
    """Keep every other process that logs from this project away from the store; a killed process lets go by itself.

    Raises:
        TrackingError: another process has held the lock for all that time.
    """
    path = store.folder / f"{DATABASE}.lock"
    try:
        lock = acquire(path, seconds)
    except Timeout:
        raise TrackingError(f"{path}: held by another process for {seconds:.0f} s; end it and try again") from None
    try:
        yield
    finally:
        lock.release()


def connect(store: Store) -> Connection:
    """Open the store; a database that is not there yet is created, one that was moved is told where its artifacts are now.

    Raises:
        TrackingError: the URI cannot work; the message says why.
        Exception: whatever else MLflow and the database raise; see `faults.explaining`.
    """
    check_uri(store.uri, store.database)
    _configure()
    from mlflow import MlflowClient

    checkout = own_checkout(store.project)
    own = frozenset({checkout.id, *(checkout.former if store.is_local else ())})
    if store.database is None:
        return Connection(MlflowClient(tracking_uri=store.uri), store, checkout.id, own)
    with locked(store):
        if not store.database.exists():
            # Created under another name: a kill in the middle would leave half a schema, which MLflow cannot repair.
            with whole_file(store.database) as partial:
                MlflowClient(tracking_uri=_sqlite_store(partial, store.project).uri)
        _check_database(store.database)
        if store.is_local:
            _follow_move(store.database, str(store.artifacts))
        return Connection(MlflowClient(tracking_uri=store.uri), store, checkout.id, own)


def _configure() -> None:
    """Set what MLflow reads from the environment; what the user has set stays, except for telemetry."""
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    # Lines and bars of MLflow's own would run into those of the stage.
    os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"
    os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "CRITICAL")
    # MLflow's own defaults wait for four minutes on a server that is down, and for as long as a server's Retry-After asks.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "15")
    os.environ.setdefault("MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER", "false")


def _check_database(database: Path) -> None:
    """Open the file as SQLite does: MLflow tries a file that cannot be opened again and again for two minutes."""
    with closing(sqlite3.connect(database, timeout=DATABASE_SECONDS)) as connection:
        connection.execute("SELECT name FROM sqlite_master LIMIT 1").fetchone()


def _follow_move(database: Path, artifacts: str) -> None:
    """Rewrite artifact locations of a database whose folder was moved or copied: MLflow stores them as absolute paths."""
    with closing(sqlite3.connect(database, timeout=DATABASE_SECONDS)) as connection, connection:
        if not connection.execute("SELECT name FROM sqlite_master WHERE name = 'experiments'").fetchone():
            return  # an empty file: MLflow fills it
        found = connection.execute(
            "SELECT DISTINCT artifact_location FROM experiments WHERE artifact_location LIKE ? AND artifact_location <> ?",
            (f"file:%/{ARTIFACTS}", artifacts),
        )
        for (old,) in found.fetchall():
            connection.execute("UPDATE experiments SET artifact_location = ? WHERE artifact_location = ?", (artifacts, old))
            for table, column in (("runs", "artifact_uri"), ("model_versions", "source"), ("model_versions", "storage_location")):
                connection.execute(
                    f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE substr({column}, 1, ?) = ?",  # noqa: S608 - none of it is a user's
                    (artifacts, len(old) + 1, len(old) + 1, f"{old}/"),
                )


@contextmanager
def explained(store: Store) -> Iterator[None]:
    """Turn what MLflow, SQLAlchemy, requests and the system raise into one TrackingError that says what to do."""
    with explaining(store.uri, store.shown):
        yield
