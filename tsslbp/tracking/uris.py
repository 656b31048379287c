"""Tracking URIs that cannot work, found before MLflow tries them: it would try a database for two minutes before it says so."""

import re
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from tsslbp.tracking.faults import TrackingError

if TYPE_CHECKING:
    from sqlalchemy import URL

CONNECT_SECONDS = 10
_PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}
_CORRECT = "correct or unset MLFLOW_TRACKING_URI"


def masked(uri: str) -> str:
    """Return a URI without user and password, for messages.

    Example:
        >>> masked("https://ann:a/secret@mlflow.example.org:5000")
        'https://mlflow.example.org:5000'
    """
    # To the last @: a password may hold slashes and more of them.
    return re.sub(r"//.*@", "//", uri, count=1, flags=re.DOTALL)


def check_uri(uri: str, database: Path | None) -> None:
    """Refuse what cannot be a store, and a database server that cannot be reached.

    Args:
        uri: the tracking URI.
        database: the file of a SQLite store; None for a server.

    Raises:
        TrackingError: what is wrong, and what to do.
        Exception: what the database's driver raises on connecting, for `faults.explaining`.
    """
    if odd := re.search(r"[\x00-\x20\x7f]", uri) if database is None else None:
        raise TrackingError(f"tracking URI {masked(uri)!r}: {odd[0]!r} at character {odd.start() + 1} cannot stand in a URI; {_CORRECT}")
    if database is not None:
        if database.is_dir():
            raise TrackingError(f"MLflow's database {database} is a folder where a file belongs; move it away, or {_CORRECT}")
    elif uri.startswith("sqlite"):
        raise TrackingError(f"tracking URI {masked(uri)}: expected sqlite:///<path of a file>, without '?'; {_CORRECT}")
    elif uri.startswith(tuple(_PORTS)):
        _check_server(uri)


def _check_server(uri: str) -> None:
    from sqlalchemy import create_engine, make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(uri)
    except (ArgumentError, ValueError):
        # The error holds the URI, and with it the password.
        raise TrackingError(f"the tracking URI of kind {uri.partition(':')[0]!r} cannot be read; {_CORRECT}") from None
    _check_driver(url)
    if url.host:
        port = url.port or _PORTS[url.get_backend_name()]
        # Without a time limit of its own, a driver waits for a silent host for minutes.
        socket.create_connection((url.host, port), timeout=CONNECT_SECONDS).close()
    engine = create_engine(url)
    try:
        engine.connect().close()
    finally:
        engine.dispose()


def _check_driver(url: "URL") -> None:
    from sqlalchemy.exc import NoSuchModuleError

    try:
        url.get_dialect().import_dbapi()
    except (ImportError, NoSuchModuleError) as error:
        missing = getattr(error, "name", None) or url.drivername
        raise TrackingError(
            f"the tracking URI asks for the database driver {missing}, which is not installed; install it, or {_CORRECT}"
        ) from None
