"""Download one URL into a partial file, going on from what it holds, and say in words why it does not work.

urllib3's Retry asks again where there was no answer or the server was busy. It does not look at a body that breaks off: the
rest of that is asked for here, with a range.
requests does the HTTP, not pooch: pooch's downloader writes each attempt to a new file, so that nothing is resumed, and keeps
the response to itself, so that one cannot see whether a server went on from the partial file (206) or started over (200).
"""

import os
import re
import time
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import ConnectTimeoutError, HTTPError, MaxRetryError, NewConnectionError
from urllib3.util import Retry

from tsslbp.progress import Progress

BLOCK = 1 << 18
BUSY = (HTTPStatus.TOO_MANY_REQUESTS, *range(500, 600))


class TransferError(ValueError):
    """Why a URL gave no file."""


class _Incomplete(Exception):
    """An answer that did not bring the rest of the file; the next one may."""


@dataclass(frozen=True)
class RetryPolicy:
    """How often to ask servers, and how long to wait for them, in seconds.

    Attributes:
        connect: for a connection; a little over 3 s, which is when TCP tries for the second time.
        read: for the next bytes.
        attempts: before a URL is given up: for an answer, and for answers in a row that bring no new byte.
        backoff: before the third attempt, as the second comes at once; doubled before each later one.
        offline: for the first connection to any server; after that nothing more is tried.
    """

    connect: float = 3.05
    read: float = 30.0
    attempts: int = 4
    backoff: float = 1.0
    offline: float = 5.0

    def adapter(self, reached: bool) -> HTTPAdapter:
        """Return what sends requests by this policy, before or after a server was reached."""
        retries = self.attempts - 1
        retry = Retry(
            total=retries,
            connect=retries if reached else min(1, retries),  # where there is no network, all URLs must fail within seconds
            status_forcelist=BUSY,
            raise_on_status=False,
            backoff_factor=self.backoff / 2,  # which urllib3 doubles before it first waits
            respect_retry_after_header=False,  # a server may ask for an hour; the next URL is better
        )
        return HTTPAdapter(max_retries=retry)


class Downloader:
    """Downloads one file after another, and remembers whether any server was ever reached."""

    def __init__(self, progress: Progress, policy: RetryPolicy) -> None:
        self._progress = progress
        self._policy = policy
        self._session = requests.Session()
        self._began = time.monotonic()
        self._set_reached(False)

    def _set_reached(self, reached: bool) -> None:
        self._reached = reached
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, self._policy.adapter(reached))

    def download(self, url: str, partial: Path) -> bool:
        """Bring the file at `url` to `partial`, going on from what `partial` already holds.

        Returns:
            Whether the file was put together from parts, which may have been of different files.

        Raises:
            TransferError: no complete answer; `partial` keeps what came, for the next try.
            OSError: `partial` cannot be written.
        """
        if not self._reached and time.monotonic() - self._began > self._policy.offline:
            raise TransferError("not tried: no network")
        failures, most = 0, _size(partial)
        while True:
            before = _size(partial)
            try:
                self._attempt(url, partial)
                return before > 0
            except _Incomplete as failure:
                # Compared with the most there ever was: a part that is thrown away and sent again is not news.
                failures = 0 if _size(partial) > most else failures + 1
                most = max(most, _size(partial))
                if failures >= self._policy.attempts:
                    raise TransferError(str(failure)) from None

    def _attempt(self, url: str, partial: Path) -> None:
        start = _size(partial)
        with self._answer(url, start) as response:
            if response.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:  # the partial file is longer than the real one
                partial.unlink(missing_ok=True)
                raise _Incomplete(_status(response))
            if response.status_code not in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
                raise TransferError(_status(response))
            goes_on = response.status_code == HTTPStatus.PARTIAL_CONTENT
            if goes_on and not response.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
                partial.unlink(missing_ok=True)
                raise _Incomplete("the server sent another part than it was asked for")
            self._receive(response, partial, start if goes_on else 0)

    def _answer(self, url: str, start: int) -> requests.Response:
        # Without "identity" some servers serve a .gz as compressed text, and requests would unpack it.
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
        try:
            response = self._session.get(url, headers=headers, stream=True, timeout=(self._policy.connect, self._policy.read))
        except (requests.ConnectionError, requests.Timeout) as error:
            if _never_connected(error):
                raise TransferError(f"no network, or no such server ({_cause(error)})") from None
            self._set_reached(True)
            raise TransferError(f"no answer ({_cause(error)})") from None
        except (requests.RequestException, ValueError) as error:  # ValueError: a redirect to what is not an address
            raise TransferError(f"no valid answer ({_cause(error)})") from None
        if not self._reached:
            self._set_reached(True)
        return response

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
            raise _Incomplete(f"truncated: {received} of {total} bytes")
        if failure:
            raise _Incomplete(f"broken off after {received} bytes ({failure})")


def _status(response: requests.Response) -> str:
    return f"HTTP {response.status_code} {_printable(response.reason or '')}".rstrip()


def _never_connected(error: requests.RequestException) -> bool:
    reasons = [part.reason for part in error.args if isinstance(part, MaxRetryError)]
    return any(isinstance(reason, NewConnectionError | ConnectTimeoutError) for reason in reasons)


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
