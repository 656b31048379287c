"""Make a dataset of handwriting that needs no download: scikit-learn's 1,797 digits of 8x8 pixels, enlarged to MNIST's 28x28.

Source: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning Repository, 1998. They are
written as MNIST's own four IDX files, unpacked, so that the reader of MNIST reads them.
"""

import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from tsslbp.data.images import IMAGE_FILES, UNSIGNED_BYTE, Split
from tsslbp.storage.files import whole_file
from tsslbp.storage.folders import write_errors_named

SIDE = 28
TEST_SAMPLES = 360  # a fifth
SPLIT_SEED = 1998  # which samples are for testing; part of the dataset, like MNIST's two files
BRIGHTEST = 16  # of the original pixels, which count dots in 4x4 squares


def make_digits() -> tuple[Split, Split]:
    """Return the digits, 1,437 for training and 360 for testing, every class in the same proportion; images are (N, 1, 28, 28)."""
    digits = load_digits()
    enlarged, labels = enlarge(digits.images), digits.target.astype(np.uint8)
    train, test = train_test_split(np.arange(len(labels)), test_size=TEST_SAMPLES, stratify=labels, random_state=SPLIT_SEED)
    return Split(enlarged[train, None], labels[train]), Split(enlarged[test, None], labels[test])


def enlarge(images: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Enlarge images of (N, 8, 8), values 0 to 16, to (N, 28, 28), values 0 to 255, by cubic splines between pixel centers."""
    # Zooming is linear and the same along rows and columns: one matrix (28, 8), found by zooming the unit vectors.
    zoom = ndimage.zoom(np.eye(images.shape[1]), (SIDE / images.shape[1], 1), order=3, mode="grid-constant", grid_mode=True)
    smooth = zoom @ images @ zoom.T
    return np.rint(np.clip(smooth / BRIGHTEST, 0, 1) * 255).astype(np.uint8)


def write_digits(folder: Path) -> None:
    """Write the digits as four IDX files into `folder`."""
    train, test = make_digits()
    for name, array in zip(IMAGE_FILES, (train.images[:, 0], train.labels, test.images[:, 0], test.labels), strict=True):
        with write_errors_named(folder / name), whole_file(folder / name) as partial:
            partial.write_bytes(idx_bytes(array))


def idx_bytes(array: NDArray[np.uint8]) -> bytes:
    """Return an array of bytes in the IDX format; see `images.read_idx`."""
    return struct.pack(f">HBB{array.ndim}I", 0, UNSIGNED_BYTE, array.ndim, *array.shape) + array.tobytes()
