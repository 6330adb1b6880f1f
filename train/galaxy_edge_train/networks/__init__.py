"""The networks that can be trained, one file each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from galaxy_edge_train.networks import compact, documented, residual

if TYPE_CHECKING:
    import keras

    from galaxy_edge_train.config import NetworkConfig


def build(config: NetworkConfig, size: int, classes: int = 2) -> keras.Model:
    """Build a network, uncompiled.

    Args:
        config: which network, and the sizes of its layers.
        size: height and width of the images, pixels.
        classes: number of classes.

    Returns:
        A model from float32 [N, size, size, 3] in 0 to 1 to float32 [N, 1], P(positive), for two
        classes, and to [N, C], one probability per class, for more. Its last layer is dense.
    """
    if config.kind == "compact":
        return compact.build(size, classes)
    if config.kind == "residual":
        return residual.build(size, classes)
    return documented.build(config, size, classes)
