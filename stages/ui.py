"""Open the MLflow UI on 127.0.0.1: `python -m stages.ui --params params.yaml --port 5000`; Ctrl-C ends it and all its processes."""

import argparse
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import urlopen

from stages.common import run, tracking_folder
from tsslbp.settings import Settings
from tsslbp.tracking import Store, prepare, tracking_store

HOST = "127.0.0.1"
START_SECONDS = 120.0
STOP_SECONDS = 5.0


def main(settings: Settings, options: argparse.Namespace) -> None:
    """Start the server, say where it is, and wait for Ctrl-C or SIGTERM.

    Raises:
        OSError: the port is taken, or the server did not start.
        TrackingError: the database cannot be opened.
    """
    store = tracking_store(tracking_folder(settings, options.params), os.environ.get("MLFLOW_TRACKING_URI"))
    if store.uri.startswith(("http:", "https:")):
        print(f"MLFLOW_TRACKING_URI names a server: open {store.shown} in a browser")
        return
    _check_port(options.port)
    with suppress(KeyboardInterrupt), _terminated_as_interrupted(), tempfile.TemporaryFile("w+") as log:
        experiment = prepare(store, settings.experiment)
        with _server(store, options.port, log) as server:
            _wait_until_up(server, options.port, log)
            print(_addresses(store, options.port, experiment), flush=True)
            server.wait()
            raise OSError(f"the MLflow server ended by itself:\n{_tail(log)}")


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """Let SIGTERM end the program as Ctrl-C does, so that it can end its processes."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _addresses(store: Store, port: int, experiment: str) -> str:
    # MLflow opens on its pages for language models unless the address asks for model training.
    runs = f"http://{HOST}:{port}/#/experiments/{experiment}/runs?workflowType=machine_learning"
    # Sorted by anything but the date, seeds stand for themselves and not folded into their model's run.
    seeds = urlencode({"searchFilter": "params.seed LIKE '%'", "orderByKey": "params.`model`", "orderByAsc": "true"})
    return (
        f"MLflow shows the runs in {store.shown}; Ctrl-C ends it\n"
        f"  models and their seeds:  {runs}\n"
        f"  curves of all seeds:     {runs}&compareRunsMode=CHART&{seeds}"
    )


def _check_port(port: int) -> None:
    with socket.socket() as probe:
        # What the server sets too; without it a port stays closed for a minute after the last user's end.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise OSError(
                f"port {port} on {HOST} cannot be used ({error.strerror}); choose another one, as in PORT={port + 1 if port < 65535 else 5001} make ui"
            ) from None


@contextmanager
def _server(store: Store, port: int, log: IO[str]) -> Iterator[subprocess.Popen[str]]:
    """Run the server in a process group of its own, and end the group: MLflow leaves workers behind when its parent alone ends."""
    address = ["--host", HOST, "--port", str(port), "--workers", "1"]
    files = ["--backend-store-uri", store.uri, "--artifacts-destination", str(store.folder / "mlartifacts")]
    # Without its job processes MLflow runs in 2 processes, not 10.
    environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    command = [sys.executable, "-m", "mlflow", "ui", *address, *files]
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


def _wait_until_up(server: subprocess.Popen[str], port: int, log: IO[str]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        with suppress(URLError, OSError), urlopen(f"http://{HOST}:{port}/health", timeout=2):
            return
        time.sleep(0.2)
    raise OSError(f"the MLflow server did not start:\n{_tail(log)}")


def _tail(log: IO[str]) -> str:
    log.seek(0)
    return "".join(log.readlines()[-15:])


def _port(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port; allowed: 1 to 65535")
    return int(text)


def make_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m stages.ui", description="Open the MLflow UI on 127.0.0.1.")
    parser.add_argument("--port", type=_port, default=5000, help="port on 127.0.0.1 (default: %(default)s)")
    return parser


if __name__ == "__main__":
    run(main, make_parser())
