"""Open the MLflow UI: `python -m stages.ui --params params.yaml --port 5000`; Ctrl-C ends it and all its processes.

It answers this machine alone unless --host names another address. MLflow asks nobody for a password, so that is for trusted networks.
"""

import argparse
import errno
import ipaddress
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NoReturn
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

from stages.common import report_command, run, tracking_folder
from tsslbp.settings import Settings
from tsslbp.tracking import Store, View, has_runs, page, prepare, tracking_store

LOOPBACK = "127.0.0.1"
START_SECONDS = 120.0
STOP_SECONDS = 5.0
ENDINGS = (signal.SIGTERM, signal.SIGHUP)
"""What asks the program to end, beside Ctrl-C; SIGHUP comes when its terminal is closed."""


def main(settings: Settings, options: argparse.Namespace) -> None:
    """Start the server, say where it is, and wait for Ctrl-C, SIGTERM, or the terminal to close.

    Raises:
        OSError: the port is taken, or the server did not start.
        TrackingError: the database cannot be opened.
    """
    store = tracking_store(tracking_folder(settings, options.params), os.environ.get("MLFLOW_TRACKING_URI"))
    if store.uri.startswith(("http:", "https:")):
        print(f"MLFLOW_TRACKING_URI names a server: open {store.shown} in a browser")
        return
    address = Address(options.host, options.port)
    _check(address)
    with suppress(KeyboardInterrupt), _ended_as_interrupted(), tempfile.TemporaryFile("w+") as log:
        experiment = prepare(store, settings.experiment)
        with _server(store, address, log) as server:
            _wait_until_up(server, address, log)
            print(_said(store, address, experiment), flush=True)
            if not has_runs(store, experiment):
                print(_nothing(settings, options.params), flush=True)
            server.wait()
            raise OSError(f"the MLflow server ended by itself:\n{_tail(log)}")


@dataclass(frozen=True)
class Address:
    """Where the server listens."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """What a browser on this machine opens; for a server that listens everywhere, the loopback address."""
        everywhere = {"0.0.0.0": LOOPBACK, "::": "::1"}  # noqa: S104
        host = everywhere.get(self.host, self.host)
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether nobody but this machine can reach it."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:  # a name
            return False


@contextmanager
def _ended_as_interrupted() -> Iterator[None]:
    """Let these signals end the program as Ctrl-C does, so that it can end its processes; under `nohup` it outlives its terminal."""
    before = {number: signal.getsignal(number) for number in ENDINGS}
    for number in ENDINGS:
        if number != signal.SIGHUP or before[number] != signal.SIG_IGN:
            signal.signal(number, _interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(*_: object) -> NoReturn:
    # A closing terminal sends SIGHUP, and so does the shell in it: the second must not interrupt the end of the server.
    for number in ENDINGS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _said(store: Store, address: Address, experiment: str) -> str:
    lines = [
        f"MLflow shows the runs in {store.shown}; Ctrl-C ends it",
        f"  models and their accuracies:  {address.url}/{page(View.MODELS, experiment)}",
        f"  curves of all seeds:          {address.url}/{page(View.CURVES, experiment)}",
    ]
    if not address.is_loopback:
        lines.append(
            f"warning: everyone who reaches {address.host} can read, change and delete these runs; without --host only this machine can"
        )
    return "\n".join(lines)


def _nothing(settings: Settings, params: Path) -> str:
    return (
        f"No run of the experiment {settings.experiment} is logged yet: a training logs itself, and `{report_command(settings, params)}` logs the "
        "records that are in git, each in the experiment that its settings named"
    )


def _check(address: Address) -> None:
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise OSError(f"--host {address.host}: not an address of this machine ({error.strerror}); use {LOOPBACK}") from None
    with socket.socket(family, kind, protocol) as probe:
        # What the server sets too; without it a port stays closed for a minute after the last user's end.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(where)
        except OSError as error:
            raise OSError(_refusal(address, error)) from None


def _refusal(address: Address, error: OSError) -> str:
    if error.errno == errno.EADDRNOTAVAIL:
        return f"--host {address.host}: not an address of this machine; use {LOOPBACK}, or 0.0.0.0 for all of them"
    other = address.port + 1 if address.port < 65535 else 5001
    return f"port {address.port} on {address.host} cannot be used ({error.strerror}); choose another one, as in PORT={other} make ui"


@contextmanager
def _server(store: Store, address: Address, log: IO[str]) -> Iterator[subprocess.Popen[str]]:
    """Run the server in a process group of its own, and end the group: MLflow leaves workers behind when its parent alone ends."""
    where = ["--host", address.host, "--port", str(address.port), "--workers", "1"]
    files = ["--backend-store-uri", store.uri, "--artifacts-destination", str(store.folder / "mlartifacts")]
    # Without its job processes MLflow runs in 2 processes, not 10.
    environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    command = [sys.executable, "-m", "mlflow", "ui", *where, *files]
    server = subprocess.Popen(command, env=environment, start_new_session=True, stdout=log, stderr=log, text=True)
    try:
        yield server
    finally:
        _end(server)


def _end(server: subprocess.Popen[str]) -> None:
    # The group outlives its first process if a worker does, so both signals go to the group whether or not that one has ended.
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(server.pid, number)
        with suppress(subprocess.TimeoutExpired):
            server.wait(STOP_SECONDS)


def _wait_until_up(server: subprocess.Popen[str], address: Address, log: IO[str]) -> None:
    deadline, ask = time.monotonic() + START_SECONDS, build_opener(ProxyHandler({})).open  # the server is here, whatever proxy there is
    while time.monotonic() < deadline and server.poll() is None:
        with suppress(URLError, OSError), ask(f"{address.url}/health", timeout=2):
            return
        time.sleep(0.2)
    raise OSError(f"the MLflow server did not start:\n{_tail(log)}")


def _tail(log: IO[str]) -> str:
    log.seek(0)
    return "".join(log.readlines()[-15:])


def _port(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port; allowed: 1 to 65535")
    return int(text)


def make_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m stages.ui", description="Open the MLflow UI.")
    parser.add_argument("--port", type=_port, default=5000, help="port to listen on (default: %(default)s)")
    parser.add_argument(
        "--host",
        default=LOOPBACK,
        help="address to listen on (default: %(default)s, this machine alone); MLflow takes requests for private addresses and for the names in "
        "MLFLOW_SERVER_ALLOWED_HOSTS",
    )
    return parser


if __name__ == "__main__":
    run(main, make_parser())
