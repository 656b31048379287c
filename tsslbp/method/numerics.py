"""Process state that decides bits: denormals and threads. The library of the dense products: products.py."""

import numba
import torch

from tsslbp.settings import Execution
from tsslbp.system import check_threads, pick_device


def prepare_numerics(threads: int | None) -> int:
    """Flush denormals to zero, which decaying traces and gradients reach, and set the number of CPU threads.

    Numba and PyTorch may share one OpenMP, and when Numba starts its pool, by default at the first kernel, it sets OpenMP's
    threads to all there are, PyTorch's too. So the pool is started first.

    Args:
        threads: for PyTorch and the kernels; None: as many as PyTorch takes.

    Returns:
        The number of threads.
    """
    chosen = torch.get_num_threads() if threads is None else threads
    torch.set_flush_denormal(True)
    numba.set_num_threads(1)
    torch.set_num_threads(chosen)
    return chosen


def prepare_device(execution: Execution) -> torch.device:
    """Prepare this process for a run, and pick the device.

    Raises:
        SettingsError: a CUDA device that is not there, or threads beyond what this machine can serve.
    """
    if execution.threads != "auto":
        check_threads(execution.threads)
    prepare_numerics(None if execution.threads == "auto" else execution.threads)
    return pick_device(execution.device)
