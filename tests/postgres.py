"""A PostgreSQL server for tests, where Debian's package is installed: `apt-get install postgresql python3-psycopg2`."""

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers import free_port

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
def postgres(folder: Path) -> Iterator[str]:
    """Run a server on an empty database in a new folder; yields its URI."""
    port, user = free_port(), ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.getuid() == 0 else []
    folder.mkdir()
    if user:
        shutil.chown(folder, "postgres", "postgres")
        for parent in folder.parents[:-2]:  # pytest's folders are closed to other users
            parent.chmod(0o711)
    data = folder / "data"
    subprocess.run([*user, _PROGRAMS / "initdb", "-D", data, "-A", "trust", "-U", "mlflow", "--no-sync"], check=True, capture_output=True)
    control = [*user, _PROGRAMS / "pg_ctl", "-D", data, "-w", "-l", folder / "log", "-o", f"-p {port} -k {folder} -c fsync=off"]
    subprocess.run([*control, "start"], check=True, capture_output=True)
    try:
        yield f"postgresql://mlflow@127.0.0.1:{port}/postgres"
    finally:
        subprocess.run([*control, "-m", "fast", "stop"], check=True, capture_output=True)
