"""Where a worker process of the local engine begins: `python -m tsslbp.worker DESCRIPTOR DRIVER`, started by `engines/processes.py`.

It ends when the driver closes the pipe, and when the driver ends in whatever way. This it asks for first: importing PyTorch takes
seconds, and a driver that was killed meanwhile must not leave a process behind. So nothing here is imported before it is needed, and
this module stands outside `engines`, a package that imports PyTorch.
"""

import contextlib
import ctypes
import os
import signal
import sys
import threading
import time

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def end_with(driver: int) -> None:
    """Let this process end as soon as the driver does, whatever it is doing then.

    Linux sends a signal at once. Elsewhere a thread notices within a second.
    """
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != driver:  # it ended before the line above
        os._exit(1)
    threading.Thread(target=_watch, args=(driver,), daemon=True).start()


def _watch(driver: int) -> None:
    while os.getppid() == driver:
        time.sleep(1)
    os._exit(1)


def main(descriptor: int, driver: int) -> None:
    """Do jobs from a pipe's end until the driver closes the other, or ends."""
    end_with(driver)
    from multiprocessing.connection import Connection

    from tsslbp.engines.worker import serve

    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        serve(Connection(descriptor))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
