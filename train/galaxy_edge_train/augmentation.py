"""Augmentation of training images: all steps are composed into one transform, applied once.

The documented set-up is that of Keras's ``ImageDataGenerator`` (Keras 3.15,
``keras/src/legacy/preprocessing/image.py``): its ranges, its order of composition, its units
(shear in degrees, one zoom factor for each axis) and its nearest fill. That class is deprecated
and transforms channel by channel on one thread. This module computes the same matrix, with the
flip included, and applies it with one batched ``keras.ops`` call, which every backend has.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import keras
import numpy as np
import numpy.typing as npt

from galaxy_edge.inputs.images import Pixels
from galaxy_edge_train.config import AugmentConfig

Floats = npt.NDArray[np.float32]
Number = TypeVar("Number", bound=np.generic)


@dataclass(frozen=True, slots=True)
class Affine:
    """Parameters of one transform, with the names and units of ``ImageDataGenerator``.

    Attributes:
        theta: rotation, degrees.
        tx, ty: shifts, pixels.
        shear: shear angle, degrees.
        zx, zy: scale of each axis; a value above 1 shows more of the image.
        flip_horizontal: mirror left and right, after all other steps.
    """

    theta: float = 0.0
    tx: float = 0.0
    ty: float = 0.0
    shear: float = 0.0
    zx: float = 1.0
    zy: float = 1.0
    flip_horizontal: bool = False

    def matrix(self, size: int) -> npt.NDArray[np.float64]:
        """The transform as one matrix.

        Args:
            size: height and width of the image, pixels.

        Returns:
            float64 (3, 3): maps a pixel position (x, y, 1) in the result to its position in the
            source image.
        """
        theta, shear = np.deg2rad(self.theta), np.deg2rad(self.shear)
        rotate = np.array(
            [[np.cos(theta), -np.sin(theta), 0], [np.sin(theta), np.cos(theta), 0], [0, 0, 1]]
        )
        shift = np.array([[1, 0, self.tx], [0, 1, self.ty], [0, 0, 1]])
        lean = np.array([[1, -np.sin(shear), 0], [0, np.cos(shear), 0], [0, 0, 1]])
        zoom = np.diag([self.zx, self.zy, 1.0])
        centre = (size - 1) / 2
        to_corner = np.array([[1, 0, centre], [0, 1, centre], [0, 0, 1]])
        to_centre = np.array([[1, 0, -centre], [0, 1, -centre], [0, 0, 1]])
        matrix = to_corner @ rotate @ shift @ lean @ zoom @ to_centre
        if self.flip_horizontal:
            matrix = matrix @ np.array([[-1, 0, size - 1], [0, 1, 0], [0, 0, 1]])
        return np.asarray(matrix, dtype=np.float64)


def draw(config: AugmentConfig, size: int, rng: np.random.Generator) -> Affine:
    """Draw the parameters of one transform of the documented augmentation."""
    return Affine(
        theta=rng.uniform(-config.rotation, config.rotation),
        tx=rng.uniform(-config.height_shift, config.height_shift) * size,
        ty=rng.uniform(-config.width_shift, config.width_shift) * size,
        shear=rng.uniform(-config.shear, config.shear),
        zx=rng.uniform(1 - config.zoom, 1 + config.zoom),
        zy=rng.uniform(1 - config.zoom, 1 + config.zoom),
        flip_horizontal=config.horizontal_flip and rng.random() < 0.5,
    )


def apply(images: Pixels, transforms: list[Affine]) -> Floats:
    """Apply one transform to each image: bilinear, with the edge pixels repeated outside.

    Args:
        images: uint8 [N, size, size, 3].
        transforms: N transforms.

    Returns:
        float32 [N, size, size, 3], 0 to 255.
    """
    size = images.shape[1]
    rows = np.stack([transform.matrix(size).ravel()[:8] for transform in transforms])
    moved = keras.ops.image.affine_transform(
        images.astype(np.float32),
        rows.astype(np.float32),
        interpolation="bilinear",
        fill_mode="nearest",
        data_format="channels_last",
    )
    return np.asarray(keras.ops.convert_to_numpy(moved), dtype=np.float32)


def turn(image: npt.NDArray[Number], symmetry: int) -> npt.NDArray[Number]:
    """Apply one of the eight symmetries of the square, which move pixels without changing them.

    Args:
        image: (size, size, 3), of any type.
        symmetry: 0 to 3: the number of quarter turns; 4 to 7: the same, then mirrored.
    """
    turned = np.rot90(image, symmetry % 4)
    return turned[:, ::-1] if symmetry >= 4 else turned


def shift(image: Pixels, down: int, right: int) -> Pixels:
    """Shift by whole pixels, with the edge pixels repeated.

    Args:
        image: uint8 (size, size, 3).
        down: pixels, of either sign.
        right: the same.
    """
    height, width, _ = image.shape
    rows = np.clip(np.arange(height) - down, 0, height - 1)
    columns = np.clip(np.arange(width) - right, 0, width - 1)
    moved: Pixels = image[rows[:, None], columns]
    return moved


def augment(images: Pixels, config: AugmentConfig, rng: np.random.Generator) -> Floats:
    """Augment a batch.

    Args:
        images: uint8 [N, size, size, 3].
        config: the kind of augmentation and its ranges.
        rng: the random generator of this batch; the result then depends on no other batch.

    Returns:
        float32 [N, size, size, 3], 0 to 255.
    """
    if config.kind == "documented":
        return apply(images, [draw(config, images.shape[1], rng) for _ in images])
    if config.kind == "exact":
        symmetries = rng.integers(8, size=len(images))
        images = np.stack(
            [turn(image, int(symmetry)) for image, symmetry in zip(images, symmetries, strict=True)]
        )
        if config.pixel_shift:
            most = config.pixel_shift
            shifts = rng.integers(-most, most + 1, size=(len(images), 2))
            images = np.stack(
                [shift(image, *by) for image, by in zip(images, shifts.tolist(), strict=True)]
            )
    return images.astype(np.float32)
