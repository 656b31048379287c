"""A web server on this machine that answers each path as a test tells it to."""

import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.requests.append((self.path, self.headers.get("Range")))
        self.server.answers.get(self.path, self.server.otherwise)(self)

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.do_GET()

    def log_message(self, *arguments):
        pass

    def reply(self, status, body=b"", length=None, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)


Answer = Callable[[Handler], None]


def status(code: int) -> Answer:
    return lambda handler: handler.reply(code, b"sorry")


def whole(body: bytes, **headers: str) -> Answer:
    return lambda handler: handler.reply(200, body, **headers)


def truncated(body: bytes, sent: int) -> Answer:
    """Promises the whole body, sends a part, hangs up."""
    return lambda handler: handler.reply(200, body[:sent], len(body))


def stalled(body: bytes, sent: int, seconds: float) -> Answer:
    """Promises the whole body, sends a part, and then nothing for so long."""

    def answer(handler):
        handler.reply(200, body[:sent], len(body))
        time.sleep(seconds)

    return answer


def dripping(body: bytes, piece: int, pause: float) -> Answer:
    """Sends the whole body, a little now and then."""

    def answer(handler):
        handler.reply(200, b"", len(body))
        for start in range(0, len(body), piece):
            handler.wfile.write(body[start : start + piece])
            time.sleep(pause)

    return answer


def reset(body: bytes, sent: int) -> Answer:
    """Promises the whole body, sends a part, and slams the door: TCP's RST, not its FIN."""

    def answer(handler):
        handler.reply(200, body[:sent], len(body))
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os.close(handler.connection.detach())

    return answer


def literally(answer: bytes) -> Answer:
    """Sends these bytes, HTTP or not, and hangs up."""
    return lambda handler: handler.wfile.write(answer)


def ranged(body: bytes, at_most: int | None = None) -> Answer:
    """Sends from where it is asked to, at most so many bytes before it hangs up."""

    def answer(handler):
        asked = handler.headers.get("Range")
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        if start >= len(body):
            handler.reply(416)
            return
        end = len(body) if at_most is None else start + at_most
        headers = {"Content_Range": f"bytes {start}-{len(body) - 1}/{len(body)}"} if asked else {}
        handler.reply(206 if asked else 200, body[start:end], len(body) - start, **headers)

    return answer


def redirect(path: str) -> Answer:
    return lambda handler: handler.reply(302, Location=path)


def slow(seconds: float) -> Answer:
    def answer(handler):
        time.sleep(seconds)
        handler.reply(200, b"late")

    return answer


def in_turn(*answers: Answer) -> Answer:
    """A different answer each time, the last one for ever."""
    left = list(answers)
    return lambda handler: (left.pop(0) if len(left) > 1 else left[0])(handler)


class FaultyServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: dict[str, Answer] = {}
        self.otherwise: Answer = status(404)
        self.requests: list[tuple[str, str | None]] = []

    def at(self, path: str, answer: Answer) -> str:
        """Answer so at this path; returns its URL."""
        self.answers[path] = answer
        return f"http://127.0.0.1:{self.server_port}{path}"

    def handle_error(self, request, client_address):
        """A client that hangs up is no news here."""


@contextmanager
def serving() -> Iterator[FaultyServer]:
    server = FaultyServer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
