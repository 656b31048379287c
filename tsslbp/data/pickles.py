"""Read pickles without running what they name; CIFAR-10 is published as pickled dictionaries of numpy arrays.

Whatever a pickle wants to call, it gets a stand-in that only takes notes, or an error.
"""

import io
import math
import pickle
import pickletools
from typing import Any

import numpy as np
from numpy.typing import NDArray


class UnsafePickleError(ValueError):
    """A pickle that asks for more than numbers, text, lists, dictionaries and arrays of bytes."""


class _NotedDtype:
    """Stands in for numpy.dtype."""

    def __init__(self, code: object = None, *_: object) -> None:
        self.code = code.decode("latin-1") if isinstance(code, bytes) else code

    def __setstate__(self, state: object) -> None:
        """Ignore byte order and alignment, which do not matter for bytes."""


class _NotedArray:
    """Stands in for numpy.ndarray: notes what the pickle says of the array, and `restored` builds it."""

    def __init__(self, *_: object) -> None:
        self.state: object = None

    def __setstate__(self, state: object) -> None:
        self.state = state

    def restored(self) -> NDArray[np.uint8]:
        """Return the array, if it is one of unsigned bytes and as long as its shape says."""
        match self.state:
            case (_, tuple(shape), _NotedDtype(code="u1" | "uint8" | "|u1" | "B"), bool(columns_first), bytes(data)):
                sizes = [size for size in shape if isinstance(size, int) and size >= 0]
                if len(sizes) == len(shape) and math.prod(sizes) == len(data):
                    return np.frombuffer(data, np.uint8).reshape(shape, order="F" if columns_first else "C")
        raise UnsafePickleError("it holds an array that is not one of unsigned bytes, or is shorter or longer than its shape")


def _latin(text: object, encoding: object) -> bytes:
    """Stand in for _codecs.encode, by which protocol 2 stores bytes."""
    if isinstance(text, str) and encoding == "latin1":
        return text.encode("latin-1")
    raise UnsafePickleError("it encodes text in an unknown way")


_STAND_INS = {
    ("numpy.core.multiarray", "_reconstruct"): _NotedArray,  # numpy before 2.0, which wrote the official files
    ("numpy._core.multiarray", "_reconstruct"): _NotedArray,
    ("numpy", "ndarray"): _NotedArray,
    ("numpy", "dtype"): _NotedDtype,
    ("_codecs", "encode"): _latin,
}

MEMO_WRITES = ("PUT", "BINPUT", "LONG_BINPUT")


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _STAND_INS:
            raise UnsafePickleError(f"it asks for {module}.{name}")
        return _STAND_INS[module, name]

    def persistent_load(self, pid: object) -> Any:
        raise UnsafePickleError("it refers to an object outside")


def _check_claims(data: bytes) -> None:
    """Refuse a pickle that claims more memory than its length accounts for; the unpickler would allocate it."""
    for opcode, argument, _ in pickletools.genops(data):  # which raises a ValueError where fewer bytes follow than claimed
        if opcode.name in MEMO_WRITES and isinstance(argument, int) and argument > len(data):
            raise UnsafePickleError(f"it numbers an object {argument}, but has {len(data)} bytes")


def read_pickle(data: bytes) -> dict[str, Any]:
    """Read a pickled dictionary; its keys become text, its arrays of unsigned bytes numpy arrays.

    Raises:
        ValueError: the data are not such a pickle; the message says what is wrong.
    """
    try:
        _check_claims(data)
        value = _Reader(io.BytesIO(data), encoding="bytes").load()
    except ValueError:
        raise
    except Exception as error:  # whatever a damaged pickle makes the interpreter of pickles do
        raise ValueError(f"not a readable pickle ({error})") from None
    if not isinstance(value, dict):
        raise ValueError(f"a pickled {type(value).__name__}, expected a dictionary")
    return {
        key.decode("latin-1") if isinstance(key, bytes) else str(key): item.restored() if isinstance(item, _NotedArray) else item
        for key, item in value.items()
    }
