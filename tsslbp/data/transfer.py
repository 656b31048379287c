"""One URL into a partial file: retries, resuming, and the reason in words when it does not work.

requests does the HTTP, not pooch: pooch's downloader keeps the response to itself, so one cannot see whether a server went
on from the partial file (206) or started over (200).
"""

import os
import re
import time
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

import requests
from urllib3.exceptions import HTTPError, MaxRetryError

from tsslbp.progress import Progress

BLOCK = 1 << 18


class TransferError(ValueError):
    """Why a URL gave no file."""


class _Passing(Exception):
    """A failure that may be gone at the next attempt."""


@dataclass(frozen=True)
class Patience:
    """How long to wait for servers, in seconds.

    Attributes:
        connect: for a connection. 3 s and a bit is just over TCP's second try.
        read: for the next bytes.
        attempts: in a row without a new byte before a URL is given up.
        backoff: before the second attempt; doubled before each later one.
        offline: for the first answer of any server; after that nothing more is tried.
    """

    connect: float = 3.05
    read: float = 30.0
    attempts: int = 4
    backoff: float = 1.0
    offline: float = 5.0


class Downloader:
    """Downloads one file after another, and remembers whether any server was ever reached."""

    def __init__(self, progress: Progress, patience: Patience) -> None:
        self._progress = progress
        self._patience = patience
        self._reached = False
        self._began = time.monotonic()

    def download(self, url: str, partial: Path) -> bool:
        """Bring the file at `url` to `partial`, going on from what `partial` already holds.

        Returns:
            Whether the file was put together from parts, which may have been of different files.

        Raises:
            TransferError: no complete answer; `partial` keeps what came, for the next try.
            OSError: `partial` cannot be written.
        """
        failures = 0
        if self._offline():
            raise TransferError("not tried: no network")
        while True:
            before = _size(partial)
            try:
                self._attempt(url, partial)
                return before > 0
            except _Passing as failure:
                failures = 1 if _size(partial) > before else failures + 1
                wait = self._patience.backoff * 2 ** (failures - 1)
                if failures >= self._patience.attempts or self._offline(wait):
                    raise TransferError(str(failure)) from None
            time.sleep(wait)

    def _offline(self, wait: float = 0.0) -> bool:
        """Whether, after waiting, servers have been sought for too long without a single answer."""
        return not self._reached and time.monotonic() + wait - self._began > self._patience.offline

    def _attempt(self, url: str, partial: Path) -> None:
        start = _size(partial)
        # Without "identity" some servers serve a .gz as compressed text, and requests would unpack it.
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
        try:
            response = requests.get(url, headers=headers, stream=True, timeout=(self._patience.connect, self._patience.read))
        except (requests.ConnectionError, requests.Timeout) as error:
            if _never_connected(error):
                raise _Passing(f"no network, or no such server ({_cause(error)})") from None
            self._reached = True
            raise _Passing(f"no answer ({_cause(error)})") from None
        except (requests.RequestException, ValueError) as error:  # ValueError: a redirect to what is no address
            raise TransferError(f"no valid answer ({_cause(error)})") from None
        with response:
            self._reached = True
            if response.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                partial.unlink(missing_ok=True)
            _check_status(response)
            goes_on = response.status_code == HTTPStatus.PARTIAL_CONTENT
            if goes_on and not response.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
                partial.unlink(missing_ok=True)
                raise _Passing("the server sent another part than it was asked for")
            self._receive(response, partial, start if goes_on else 0)

    def _receive(self, response: requests.Response, partial: Path, start: int) -> None:
        length = response.headers.get("Content-Length", "")
        total = start + int(length) if re.fullmatch(r"[0-9]{1,18}", length) else None
        failure = None
        with self._progress.track(_name(partial), total, "bytes") as advance, partial.open("ab" if start else "wb") as file:
            advance(start)
            try:
                # Not iter_content: it throws away what it holds of its current block when the connection breaks off.
                while block := response.raw.read1(BLOCK):
                    file.write(block)
                    file.flush()  # what came over a slow line outlives a kill
                    advance(len(block))
            except HTTPError as error:
                failure = _cause(error)
            os.fsync(file.fileno())
        received = _size(partial)
        if total is not None and received < total:
            raise _Passing(f"truncated: {received} of {total} bytes")
        if failure:
            raise _Passing(f"broken off after {received} bytes ({failure})")


def _check_status(response: requests.Response) -> None:
    status = response.status_code
    if status in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
        return
    message = f"HTTP {status} {_printable(response.reason or '')}".rstrip()
    # 416: the partial file is longer than the real one, and gone by now. 429 and 5xx: a server that is busy or ill.
    if status in (HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, HTTPStatus.TOO_MANY_REQUESTS) or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise _Passing(message)
    raise TransferError(message)


def _never_connected(error: requests.RequestException) -> bool:
    if isinstance(error, requests.exceptions.SSLError | requests.ReadTimeout):
        return False
    return isinstance(error, requests.ConnectTimeout) or any(isinstance(part, MaxRetryError) for part in error.args)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _name(partial: Path) -> str:
    return partial.name.removeprefix(".").removesuffix(".partial")


def _cause(error: Exception) -> str:
    """The innermost reason of an error that libraries have wrapped in each other, without addresses of objects."""
    text = re.sub(r"^.*?(\[Errno[^\]]*\] [^'\")]*).*$", r"\1", str(error), flags=re.DOTALL)
    return _printable(re.sub(r"<[^>]* object at 0x[0-9a-f]+>:? ?", "", text))


def _printable(text: str) -> str:
    """What a server said, cut short and without what a terminal would obey."""
    return "".join(character if character.isprintable() else "?" for character in text[:200])
