"""A PostgreSQL server for tests, where Debian's package is installed: `apt-get install postgresql python3-psycopg2`."""

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.servers import free_port

_PROGRAMS = max(Path("/usr/lib/postgresql").glob("*/bin"), default=Path("/none"))
_DRIVER = Path("/usr/lib/python3/dist-packages/psycopg2")


def missing() -> str | None:
    """What a PostgreSQL server with its driver lacks on this machine; None where nothing is missing."""
    if not (_PROGRAMS / "initdb").exists():
        return "needs PostgreSQL (apt-get install postgresql)"
    if importlib.util.find_spec("psycopg2") is None and not list(
        _DRIVER.glob(f"_psycopg.cpython-{sys.version_info[0]}{sys.version_info[1]}*")
    ):
        return "needs PostgreSQL's driver for this Python (apt-get install python3-psycopg2)"
    if os.getuid() == 0 and shutil.which("setpriv") is None:
        return "PostgreSQL does not run as root"
    return None


def driver_path(folder: Path) -> str:
    """A folder for PYTHONPATH that holds the driver and nothing else of the system's packages."""
    folder.mkdir()
    if importlib.util.find_spec("psycopg2") is None:
        (folder / "psycopg2").symlink_to(_DRIVER)
    return str(folder)


@contextmanager
def postgres() -> Iterator[str]:
    """Run a server on an empty database; yields its URI. Its folder is not one of pytest's, which are closed to its user."""
    user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.getuid() == 0 else []
    with tempfile.TemporaryDirectory() as folder:
        if user:
            shutil.chown(folder, "postgres", "postgres")
        port, data = free_port(), f"{folder}/data"
        options = f"-p {port} -k {folder} -c fsync=off"
        control = [*user, _PROGRAMS / "pg_ctl", "-D", data, "-w", "-l", f"{folder}/log"]
        for command in ([*user, _PROGRAMS / "initdb", "-D", data, "-A", "trust", "-U", "mlflow"], [*control, "-o", options, "start"]):
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        try:
            yield f"postgresql+psycopg2://mlflow@127.0.0.1:{port}/postgres"
        finally:
            subprocess.run([*control, "-m", "fast", "stop"], check=True, stdout=subprocess.DEVNULL)
