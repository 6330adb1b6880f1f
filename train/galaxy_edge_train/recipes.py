"""The options that suit each network: the defaults of the command line."""

from __future__ import annotations

from collections.abc import Mapping

from galaxy_edge.inputs.preprocessing import Preprocessing
from galaxy_edge_train.config import AugmentConfig, NetworkConfig, NetworkKind, TrainConfig

RECIPES: Mapping[NetworkKind, TrainConfig] = {
    "documented": TrainConfig(),
    "compact": TrainConfig(
        network=NetworkConfig("compact"),
        preprocessing=Preprocessing(size=64, resize="lanczos", reducing_gap=3.0),
        augment=AugmentConfig("exact", pixel_shift=4),
        learning_rate=0.004,
        schedule="one-cycle",
        epochs=60,
        patience=None,
        stop_at_accuracy=None,
    ),
    "residual": TrainConfig(
        network=NetworkConfig("residual"),
        preprocessing=Preprocessing(size=64, resize="lanczos", reducing_gap=3.0),
        augment=AugmentConfig(
            "exact", jpeg_quality=70, restretch=0.4, gain=0.2, sky_level=0.12, oversample=3.0
        ),
        learning_rate=0.002,
        schedule="one-cycle",
        average_weights=0.99,
        batch_size=48,
        epochs=16,
        patience=None,
        stop_at_accuracy=None,
    ),
}
