"""Read still images, MNIST's IDX files and CIFAR-10's batches, into uint8 arrays, samples first: (N, C, H, W) and (N,).

Formats: IDX, https://yann.lecun.com/exdb/mnist ("file formats"); CIFAR-10, https://www.cs.toronto.edu/~kriz/cifar.html.
"""

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeGuard

import numpy as np
from numpy.typing import NDArray

from tsslbp.data.archives import Limits, read_gzip, read_tar
from tsslbp.data.pickles import read_pickle

Bytes = NDArray[np.uint8]

UNSIGNED_BYTE = 0x08  # the only type of IDX data that the datasets use
MOST_DIMENSIONS = 4  # MNIST's images have 3, its labels 1
CIFAR_FOLDER = "cifar-10-batches-py"
IMAGE_FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
"""MNIST's own names for its four files, unpacked."""


IDX_LIMITS = Limits(entry=1 << 32)
"""EMNIST's 697,932 training images have 547 MB; as every array of a dataset, they are held in memory."""


@dataclass(frozen=True)
class Split:
    """Training or test samples: `images` (N, C, H, W), `labels` (N,)."""

    images: Bytes
    labels: Bytes


def read_idx(path: Path) -> Bytes:
    """Read an IDX file of unsigned bytes; a file whose name ends with ".gz" is unpacked first.

    Returns:
        The array, in the shape that the file's header gives.

    Raises:
        ValueError: names the file and says what is wrong: magic number, type, sizes, missing or trailing bytes.
    """
    data = read_gzip(path, IDX_LIMITS) if path.suffix == ".gz" else path.read_bytes()
    if len(data) < 4 or data[:2] != b"\0\0" or data[2] != UNSIGNED_BYTE or not 1 <= data[3] <= MOST_DIMENSIONS:
        raise ValueError(
            f"{path}: starts with {data[:4].hex(' ') or 'nothing'}; an IDX file of bytes starts with 00 00 08 and its 1 to {MOST_DIMENSIONS} dimensions"
        )
    dimensions = data[3]
    start = 4 + 4 * dimensions
    if len(data) < start:
        raise ValueError(f"{path}: ends within its header of {start} bytes")
    shape = struct.unpack(f">{dimensions}I", data[4:start])
    expected, received = math.prod(shape), len(data) - start
    if received != expected:
        problem = "missing" if received < expected else "trailing"
        raise ValueError(f"{path}: {problem} bytes: {received} for the {expected} of shape {shape}")
    if 0 in shape:
        raise ValueError(f"{path}: shape {shape} is not that of a dataset")
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)


def read_idx_split(images: Path, labels: Path) -> Split:
    """Read an IDX file of images (N, H, W) and its file of labels (N,); the images get one channel.

    Raises:
        ValueError: a file is damaged, or has another number of dimensions; the message names it.
    """
    pixels, classes = read_idx(images), read_idx(labels)
    for path, array, dimensions in ((images, pixels, 3), (labels, classes, 1)):
        if array.ndim != dimensions:
            raise ValueError(f"{path}: has {array.ndim} dimensions, expected {dimensions}")
    return Split(pixels[:, None], classes)


def read_idx_splits(paths: Sequence[Path]) -> tuple[Split, Split]:
    """Read training and test images from four IDX files: training images and labels, test images and labels.

    Raises:
        ValueError: see `read_idx_split`.
    """
    return read_idx_split(paths[0], paths[1]), read_idx_split(paths[2], paths[3])


def read_cifar(path: Path) -> tuple[Split, Split]:
    """Read training and test images, (N, 3, 32, 32), from CIFAR-10's archive of Python batches.

    Raises:
        ValueError: the archive or a batch is damaged, or asks for more than arrays; the message names both.
    """
    training = [f"{CIFAR_FOLDER}/data_batch_{number}" for number in range(1, 6)]
    test = f"{CIFAR_FOLDER}/test_batch"
    entries = read_tar(path, [*training, test])
    batches = {name: _read_batch(f"{path}: entry {name!r}", data) for name, data in entries.items()}
    joined = Split(
        np.concatenate([batches[name].images for name in training]),
        np.concatenate([batches[name].labels for name in training]),
    )
    return joined, batches[test]


def _read_batch(where: str, data: bytes) -> Split:
    try:
        batch = read_pickle(data)
    except ValueError as error:
        raise ValueError(f"{where}: refused: {error}") from None
    pixels, labels = batch.get("data"), batch.get("labels")
    if not isinstance(pixels, np.ndarray) or pixels.ndim != 2 or pixels.shape[1] != 3 * 32 * 32:
        raise ValueError(f"{where}: 'data' is not an array of rows of 3072 bytes")
    if not _are_bytes(labels) or len(labels) != len(pixels):
        raise ValueError(f"{where}: 'labels' is not a list of {len(pixels)} numbers from 0 to 255")
    return Split(pixels.reshape(-1, 3, 32, 32), np.array(labels, np.uint8))


def _are_bytes(values: object) -> TypeGuard[list[int]]:
    return isinstance(values, list) and all(type(value) is int and 0 <= value < 256 for value in values)


def check_split(where: str, split: Split, shape: tuple[int, int, int], classes: int) -> None:
    """Check that a split holds images of this shape, as many labels, and only labels below `classes`.

    Raises:
        ValueError: it does not; the message starts with `where`.
    """
    if split.images.shape[1:] != shape:
        raise ValueError(f"{where}: images of shape {split.images.shape[1:]}, but the settings say {shape}")
    if len(split.images) != len(split.labels):
        raise ValueError(f"{where}: {len(split.images)} images, but {len(split.labels)} labels")
    if split.labels.max() >= classes:
        raise ValueError(f"{where}: label {split.labels.max()}; labels are 0 to {classes - 1}")
