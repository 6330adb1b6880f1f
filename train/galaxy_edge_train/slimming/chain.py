"""Which filters and units of a network are least useful, and a copy of the network without them.

The networks are chains: what a convolution or dense layer gives goes to the next one only, channel
by channel, with layers between that keep channels apart (normalisation, relu, pools, flattening).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import keras
import numpy as np
import numpy.typing as npt

from galaxy_edge_train.augmentation import Floats

#: Filters and units leave in groups of this size, because kernels compute several channels at once.
_GROUP = 8
#: A convolution keeps this many filters; with fewer, onnxruntime's fast integer kernels decline it.
_FEWEST = 16

#: For each layer but the last of a chain: the indices of what it keeps, rising.
Kept: TypeAlias = Sequence[npt.NDArray[np.intp]]
#: For each filter or unit of a layer, its share of what the next layer gets.
Useful: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Chain:
    """The trained convolutions and dense layers of a network, in their order.

    Attributes:
        model: the network.
        layers: these layers; the last one gives the scores.
    """

    model: keras.Model
    layers: tuple[keras.layers.Layer, ...]

    @classmethod
    def of(cls, model: keras.Model) -> Chain:
        """The chain of a network, without layers that are not trained, such as a front end."""
        kinds = (keras.layers.Conv2D, keras.layers.Dense)
        found = (layer for layer in model.layers if isinstance(layer, kinds) and layer.trainable)
        return cls(model, tuple(found))

    @property
    def widths(self) -> tuple[int, ...]:
        """Filters or units of each layer but the last."""
        return tuple(int(layer.kernel.shape[-1]) for layer in self.layers[:-1])

    @property
    def multiplications(self) -> int:
        """Of one image, in all layers of the chain."""
        return sum(map(_multiplications, self.layers))

    def usefulness(self, images: Iterable[Floats]) -> list[Useful]:
        """How much each filter or unit contributes to the layer after it.

        The measure is the mean square of what it gives times the squares of the weights that take
        it, as a share of the layer's sum.

        Args:
            images: batches, float32 [N, size, size, 3] in 0 to 1.

        Returns:
            For each layer but the last, float64 [filters]; each sums to 1.
        """
        takers = self.layers[1:]
        probe = keras.Model(self.model.inputs, [layer.input for layer in takers])
        sums: list[Any] = [0.0] * len(takers)
        for batch in images:
            given = probe.predict_on_batch(batch)
            for number, (values, width) in enumerate(zip(given, self.widths, strict=True)):
                # Channels come last; before them, the positions that the taker tells apart: of a
                # dense layer all, of a convolution none.
                dense = isinstance(takers[number], keras.layers.Dense)
                places = values.shape[-1] // width if dense else 1
                squares = np.square(values, dtype=np.float64).reshape(-1, places, width)
                sums[number] = sums[number] + squares.mean(axis=0)
        found = []
        for layer, squares in zip(takers, sums, strict=True):
            weights = _kernel(layer, squares.shape[-1])
            share = (squares * np.square(weights).sum(axis=-1)).sum(axis=0)
            found.append(share / max(share.sum(), np.finfo(np.float64).tiny))
        return found

    def least_useful(self, usefulness: Sequence[Useful], share: float) -> Kept | None:
        """Choose what to remove: what contributes least for the multiplications that it takes.

        Args:
            usefulness: from `usefulness`.
            share: the share of the multiplications that is to be saved, at least.

        Returns:
            What each layer but the last keeps; None if that much cannot be saved.
        """
        order = [np.argsort(values, kind="stable") for values in usefulness]
        gone = [0] * len(order)
        before = after = float(self.multiplications)
        while before - after < share * before:
            offers = []
            for number, ranked in enumerate(order):
                upto = gone[number] + _GROUP
                fewest = _FEWEST if isinstance(self.layers[number], keras.layers.Conv2D) else _GROUP
                if len(ranked) - upto < fewest:
                    continue
                lost = usefulness[number][ranked[gone[number] : upto]].sum()
                left = self._left([*gone[:number], upto, *gone[number + 1 :]])
                offers.append((lost / (after - left), number, left))
            if not offers:
                return None
            _, number, after = min(offers)
            gone[number] += _GROUP
        return [np.sort(ranked[count:]) for ranked, count in zip(order, gone, strict=True)]

    def _left(self, gone: Sequence[int]) -> float:
        """The multiplications that are left without so many filters of each layer but the last."""
        stay = [1 - out / width for out, width in zip(gone, self.widths, strict=True)]
        takes, gives = [1.0, *stay], [*stay, 1.0]
        return sum(
            _multiplications(layer) * into * out
            for layer, into, out in zip(self.layers, takes, gives, strict=True)
        )

    def only(self, kept: Kept) -> keras.Model:
        """A copy of the network that has only these filters and units, with their weights."""
        width = dict(zip((layer.name for layer in self.layers), map(len, kept), strict=False))

        def narrow(layer: keras.layers.Layer) -> keras.layers.Layer:
            config = layer.get_config()
            if layer.name in width:
                name = "units" if isinstance(layer, keras.layers.Dense) else "filters"
                config[name] = width[layer.name]
            return type(layer).from_config(config)

        smaller = keras.models.clone_model(self.model, clone_function=narrow)
        stay = dict(zip((layer.name for layer in self.layers), kept, strict=False))
        chain = {layer.name for layer in self.layers}
        into: npt.NDArray[np.intp] | None = None  # what the layer of the chain before keeps
        width_before = 0
        for layer in self.model.layers:
            weights = layer.get_weights()
            if layer.name in chain:
                if into is not None:
                    weights[0] = _taking(layer, weights[0], into, width_before)
                width_before = weights[0].shape[-1]
                into = stay.get(layer.name, np.arange(width_before))
                weights = [each[..., into] for each in weights]
            elif isinstance(layer, keras.layers.BatchNormalization) and into is not None:
                weights = [each[into] for each in weights]
            # A dropout's only weight is the state of its generator, and has no place in a new one.
            if weights and not isinstance(layer, keras.layers.Dropout):
                smaller.get_layer(layer.name).set_weights(weights)
        return smaller


def _multiplications(layer: keras.layers.Layer) -> int:
    return int(np.prod(layer.kernel.shape) * np.prod(layer.output.shape[1:-1]))


def _kernel(layer: keras.layers.Layer, channels: int) -> npt.NDArray[np.float64]:
    """The weights of a layer, float64 [places, channels, outputs]; of a convolution one place."""
    kernel = np.asarray(layer.get_weights()[0], np.float64)
    if isinstance(layer, keras.layers.Dense):
        return kernel.reshape(-1, channels, kernel.shape[-1])
    return np.moveaxis(kernel, 2, 0).reshape(1, channels, -1)


def _taking(
    layer: keras.layers.Layer,
    kernel: npt.NDArray[np.float32],
    kept: npt.NDArray[np.intp],
    channels: int,
) -> npt.NDArray[np.float32]:
    """The kernel of a layer that takes only some of the channels before it."""
    if not isinstance(layer, keras.layers.Dense):
        return kernel[:, :, kept]
    outputs = kernel.shape[-1]
    return kernel.reshape(-1, channels, outputs)[:, kept].reshape(-1, outputs)
