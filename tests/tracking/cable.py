"""The network between training and a tracking server, with a switch: a server that a test can take down and bring back in no time."""

import select
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class _Wire(socketserver.BaseRequestHandler):
    """One connection, handed through in both directions until somebody hangs up or the cable is cut."""

    def handle(self) -> None:
        with socket.create_connection(self.server.target) as upstream:
            other = {self.request: upstream, upstream: self.request}
            while not self.server.is_cut.is_set():
                for end in select.select([*other], [], [], 0.05)[0]:
                    data = end.recv(1 << 16)
                    if not data:
                        return
                    other[end].sendall(data)


class _Socket(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, port: int, target: tuple[str, int]) -> None:
        self.target, self.is_cut = target, threading.Event()
        super().__init__(("127.0.0.1", port), _Wire)
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def handle_error(self, request, client_address) -> None:
        """A connection that breaks is what this is for."""


class Cable:
    """A port on this machine that leads to another one, until it is cut or plugged into a server that never answers."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._socket = _Socket(0, ("127.0.0.1", target))
        self.port: int = self._socket.server_address[1]

    def cut(self) -> None:
        """Break every connection and refuse new ones."""
        self._socket.is_cut.set()
        self._socket.shutdown()
        self._socket.server_close()

    def join(self) -> None:
        """Lead to the server again."""
        self._socket = _Socket(self.port, ("127.0.0.1", self._target))


@contextmanager
def silence() -> Iterator[int]:
    """A port that takes connections and never says a word."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(100)
        yield int(listening.getsockname()[1])
