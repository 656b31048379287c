"""Arrays on disk in numpy's .npy format: written as they grow, read without pickles, checked for type and shape."""

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.lib import format as npy
from numpy.typing import DTypeLike, NDArray


class GrowingArray:
    """A .npy file that grows along its first axis; it declares no rows until it is closed without an error.

    Args:
        path: the file, replaced if it is there.
        dtype: type of its elements.
        row_shape: shape of one row, which is what an index of the first axis holds.
    """

    def __init__(self, path: Path, dtype: DTypeLike, row_shape: tuple[int, ...] = ()) -> None:
        self.dtype, self.row_shape, self.rows = np.dtype(dtype), row_shape, 0
        self._file = path.open("wb")
        self._data_start = self._write_header(0)

    def append(self, rows: NDArray[Any]) -> None:
        """Add rows at the end; they must already have the dtype and shape of the others."""
        if rows.dtype != self.dtype or rows.shape[1:] != self.row_shape:
            raise ValueError(f"rows of {rows.dtype} {rows.shape[1:]} for an array of {self.dtype} {self.row_shape}")
        self._file.write(np.ascontiguousarray(rows).data)
        self.rows += len(rows)

    def _write_header(self, rows: int) -> int:
        self._file.seek(0)
        shape = (rows, *self.row_shape)
        # numpy pads the header for a first axis of any length, so that it can be written again in place.
        npy.write_array_header_1_0(self._file, {"descr": npy.dtype_to_descr(self.dtype), "fortran_order": False, "shape": shape})
        return self._file.tell()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with self._file:
            if kind is None and self._write_header(self.rows) != self._data_start:
                raise ValueError(f"{self._file.name}: the header of {self.rows} rows does not fit in place")


def load_array(path: Path, dtype: DTypeLike, shape: Sequence[int | None], mapped: bool = False) -> NDArray[Any]:
    """Read a .npy file.

    Args:
        path: the file.
        dtype: the type it must have.
        shape: the shape it must have, None for an axis of any length.
        mapped: leave the array on disk; what is used of it is read then.

    Raises:
        ValueError: the file is missing, damaged, or another array than expected; the message names it.
    """
    try:
        array = np.load(path, mmap_mode="r" if mapped else None, allow_pickle=False)
    except Exception as error:  # a damaged header is Python to numpy, and a file that begins like a zip archive is one
        raise ValueError(f"{path}: missing or damaged ({error})") from None
    if not isinstance(array, np.ndarray) or array.dtype != np.dtype(dtype) or not _matches(array.shape, shape):
        got = f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else "several arrays"
        raise ValueError(f"{path}: {got}, expected {np.dtype(dtype)} {tuple('any' if size is None else size for size in shape)}")
    return np.asarray(array)


def _matches(shape: Sequence[int], expected: Sequence[int | None]) -> bool:
    return len(shape) == len(expected) and all(wanted in (size, None) for size, wanted in zip(shape, expected, strict=True))
