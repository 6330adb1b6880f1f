"""The optimizer and its learning rate."""

from __future__ import annotations

import math

import keras

from galaxy_edge_train.config import TrainConfig

#: Of the one-cycle schedule: the share of the steps in which the learning rate rises.
_RISING = 0.3
#: The learning rate of its first step, as a share of the largest.
_FIRST = 0.04
_WEIGHT_DECAY = 0.05


def optimizer(config: TrainConfig, images: int) -> keras.optimizers.Optimizer:
    """Adam at a constant rate, or AdamW with one cycle of a rising and falling rate.

    One cycle: the rate rises linearly, then falls to zero along a cosine (after Smith and Topin
    2019, Super-convergence; Loshchilov and Hutter 2019, AdamW).

    Args:
        config: learning rate, schedule, average of the weights, batch size and epochs.
        images: number of training images.
    """
    average = (
        {}
        if config.average_weights is None
        else {"use_ema": True, "ema_momentum": config.average_weights}
    )
    if config.schedule == "constant":
        return keras.optimizers.Adam(config.learning_rate, **average)
    steps = config.epochs * math.ceil(images / config.batch_size)
    rising = math.floor(_RISING * steps)
    rate = keras.optimizers.schedules.CosineDecay(
        _FIRST * config.learning_rate,
        steps - rising,
        warmup_target=config.learning_rate,
        warmup_steps=rising,
    )
    return keras.optimizers.AdamW(rate, weight_decay=_WEIGHT_DECAY, **average)
