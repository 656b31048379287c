"""Training images moved at random: shifted, mirrored, turned. How a sample is moved follows from (seed, epoch) alone.

Source: the loaders of the reference implementation; CIFAR-10's crops and mirrors, those of MNIST and Fashion-MNIST carry moves that
are switched off. A shift is torchvision's RandomCrop with a margin of zeros; a turn is its RandomRotation, nearest neighbor.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tsslbp.method.seeding import AUGMENTATION, sample_generator
from tsslbp.settings import Augmentation
from tsslbp.system import compiled

DOWN, RIGHT, MIRRORED, ANGLE = range(4)
"""Columns of the moves: how far the window on the image moves, down and right, in pixels; 0 or 1; radians counterclockwise."""


def no_moves(samples: int) -> NDArray[np.float64]:
    """(samples, 4) of moves that leave every image as it is."""
    return np.zeros((samples, 4))


def draw_moves(augmentation: Augmentation, samples: int, seed: int, epoch: int) -> NDArray[np.float64]:
    """How each sample is moved in this epoch, (samples, 4): its window's way down and right in pixels, whether mirrored, radians."""
    moves, generator = no_moves(samples), sample_generator(seed, epoch, AUGMENTATION)
    if augmentation.crop:
        moves[:, : RIGHT + 1] = generator.integers(-augmentation.crop, augmentation.crop, (samples, 2), np.int8, endpoint=True)
    if augmentation.flip:
        moves[:, MIRRORED] = generator.integers(0, 2, samples, np.int8)
    if augmentation.rotate:
        moves[:, ANGLE] = np.deg2rad(generator.uniform(-augmentation.rotate, augmentation.rotate, samples))
    return moves


@compiled(cache=True)
def gather_images(images: Any, chosen: Any, moves: Any, values: Any, x: Any) -> None:
    """One pass from processed bytes to normalized samples, moved; what a move brings in from outside is black.

    Args:
        images: (N, C, H, W).
        chosen: (B,), which of them.
        moves: (B, 4), see `draw_moves`.
        values: (C, 256), what each byte becomes.
        x: (B, C, H, W), written.
    """
    height, width = images.shape[2:]
    middle_row, middle_column = (height - 1) / 2, (width - 1) / 2
    for sample in range(len(chosen)):
        image = images[chosen[sample]]
        down, right, mirrored = int(moves[sample, 0]), int(moves[sample, 1]), moves[sample, 2] > 0
        angle = moves[sample, 3]
        cosine, sine = math.cos(angle), math.sin(angle)
        for row in range(height):
            for column in range(width):
                turned_row, turned_column = row, column
                if angle != 0:
                    # Where a pixel comes from: turned back about the middle, to the nearest pixel.
                    across, below = column - middle_column, row - middle_row
                    turned_column = math.floor(cosine * across - sine * below + middle_column + 0.5)
                    turned_row = math.floor(sine * across + cosine * below + middle_row + 0.5)
                inside = 0 <= turned_row < height and 0 <= turned_column < width
                source_row = turned_row + down
                source_column = (width - 1 - turned_column if mirrored else turned_column) + right
                inside = inside and 0 <= source_row < height and 0 <= source_column < width
                for channel in range(images.shape[1]):
                    x[sample, channel, row, column] = values[channel, image[channel, source_row, source_column] if inside else 0]
