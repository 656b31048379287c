"""What can go wrong with a tracking store, each as one line that says what to do."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePath


class TrackingError(ValueError):
    """MLflow cannot be reached or written, or disagrees with the run records; the message says what to do."""


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
    (
        r"error code 40[13]|UNAUTHENTICATED|PERMISSION_DENIED|password authentication failed|Access denied|Login failed",
        "refuses access; correct the user and password in its URI, in MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or the token in "
        "MLFLOW_TRACKING_TOKEN",
    ),
    (r"too many 429|error code 429|REQUEST_LIMIT_EXCEEDED", "takes no more requests for now (status 429); try again later"),
    (r"Exceeded \d+ redirects|too many redirects", "redirects without end; correct or unset MLFLOW_TRACKING_URI"),
    (
        r"BadStatusLine|Response: [\[{]|ParseError|not in a valid JSON format|error code 4\d\d",
        "answers, but not as an MLflow server does; correct or unset MLFLOW_TRACKING_URI",
    ),
    (
        r"Max retries|ConnectionError|timed out|TimeoutError|gaierror|Connection refused|failed with exception|error code 50\d",
        "does not answer; start the server, or correct or unset MLFLOW_TRACKING_URI",
    ),
)


def explain(uri: str, shown: str, error: BaseException) -> TrackingError:
    """Say in one line what went wrong with a store and what to do about it.

    Args:
        uri: the store's tracking URI, which may hold a password.
        shown: the same for messages.
        error: what went wrong; a TrackingError is returned as it is.
    """
    if isinstance(error, TrackingError):
        return error
    if isinstance(error, OSError) and _is_of_another_file(error.filename, uri):
        return TrackingError(f"MLflow at {shown} did not get all: {error.filename}: {error.strerror or type(error).__name__}")
    for pattern, advice in _FAULTS:
        if re.search(pattern, f"{type(error).__name__}: {error}"):
            return TrackingError(f"MLflow at {shown} {advice}")
    first = next(iter(str(error).splitlines()), "").replace(uri, shown)
    return TrackingError(f"MLflow at {shown}: {type(error).__name__}: {first[:200]}")


def _is_of_another_file(name: object, uri: str) -> bool:
    """Whether a file is named that is neither the database of this URI nor one beside it, such as its lock."""
    return isinstance(name, str) and not PurePath(name).name.startswith(PurePath(uri).name)


@contextmanager
def explaining(uri: str, shown: str) -> Iterator[None]:
    """Turn what MLflow, SQLAlchemy, requests and the system raise in the block into a TrackingError; arguments as in `explain`."""
    try:
        yield
    except Exception as error:
        raise explain(uri, shown, error) from error
