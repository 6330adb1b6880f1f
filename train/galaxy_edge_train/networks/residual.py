"""The residual network: it looks at what is left of an image when its smooth part is removed."""

from __future__ import annotations

import keras
import numpy as np
import numpy.typing as npt
from keras import layers, ops

from galaxy_edge_train.networks.head import head

#: Channels and stride of each convolution.
CONVOLUTIONS = ((24, 2), (32, 1), (48, 2), (64, 1))
UNITS = 64
DROPOUT = 0.3
#: Residuals are small; this brings them to the range of the image.
_GAIN = 4.0
#: Added to a variance before its root, which has no slope at zero.
_SMALL = 1e-5


def build(size: int, classes: int = 2) -> keras.Model:
    """Build the residual network, uncompiled.

    A fixed front end gives 25 channels: red, green, blue, red - green and green - blue, and of each
    the difference to its neighbour on the right, to the one below, to its local mean (3x3), and to
    the image reduced by two and enlarged again by nearest neighbour. Generators and resampling
    leave their marks in such residuals (Tan et al. 2024, arXiv:2312.10461, for the last one). Four
    3x3 convolutions follow, each with batch normalisation and relu; the mean, the maximum and the
    standard deviation of each channel over the image; a dense layer; dropout; and the last layer.

    Args:
        size: height and width of the images, pixels, at least 8.
        classes: number of classes.

    Returns:
        A model as of `galaxy_edge_train.networks.build`.
    """
    image = keras.Input((size, size, 3))
    x = _front(image, size)
    for number, (filters, stride) in enumerate(CONVOLUTIONS):
        # Without a border, the front end and the first convolution are one convolution of the
        # image, and the exporter makes them one.
        padding = "same" if number else "valid"
        x = layers.Conv2D(filters, 3, strides=stride, padding=padding, use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
    mean = layers.GlobalAveragePooling2D()(x)
    square = layers.GlobalAveragePooling2D()(layers.Multiply()([x, x]))
    spread = ops.sqrt(ops.relu(square - mean * mean) + _SMALL)
    x = layers.Concatenate()([mean, layers.GlobalMaxPooling2D()(x), spread])
    x = layers.Dense(UNITS, activation="relu")(x)
    for layer in head(DROPOUT, classes):
        x = layer(x)
    return keras.Model(image, x, name="galaxy_edge_residual")


def _front(image: keras.KerasTensor, size: int) -> keras.KerasTensor:
    """The image and its residuals: [N, size - 2, size - 2, 25]."""
    near = _fixed(layers.Conv2D(20, 3), image, _colours_and_residuals())
    # Every other pixel of every other row, each repeated; the border is cut as by the convolution.
    reduced = _fixed(layers.Conv2D(5, 1, strides=2, padding="same"), image, _colours()[None, None])
    repeat = np.broadcast_to(np.eye(5, dtype=np.float32), (2, 2, 5, 5))
    enlarged = _fixed(layers.Conv2DTranspose(5, 2, strides=2), reduced, repeat)
    enlarged = layers.Cropping2D(((1, 1 + size % 2), (1, 1 + size % 2)))(enlarged)
    difference = layers.Subtract()([near[..., :5], enlarged])
    return layers.Concatenate()([near, layers.Rescaling(_GAIN)(difference)])


def _fixed(
    layer: layers.Layer, inputs: keras.KerasTensor, kernel: npt.NDArray[np.float32]
) -> keras.KerasTensor:
    """Apply a convolution whose kernel stays as given."""
    layer.trainable = layer.use_bias = False
    outputs = layer(inputs)
    layer.set_weights([kernel])
    return outputs


def _colours() -> npt.NDArray[np.float32]:
    """From RGB in 0 to 1 to red, green, blue, red - green and green - blue, twice as large: 3x5."""
    rows = [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, -1, 0], [0, 1, -1]]
    return 2 * np.array(rows, np.float32).T


def _colours_and_residuals() -> npt.NDArray[np.float32]:
    """The kernel of the colours and of three residuals of each: 3x3x3x20."""
    planes = np.zeros((4, 3, 3), np.float32)
    planes[:, 1, 1] = 1
    planes[1:] *= _GAIN
    planes[1, 1, 2] = -_GAIN
    planes[2, 2, 1] = -_GAIN
    planes[3] -= _GAIN / 9
    kernel = np.einsum("kyx,ic->yxikc", planes, _colours())
    return np.ascontiguousarray(kernel.reshape(3, 3, 3, 20))
