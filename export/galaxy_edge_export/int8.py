"""Quantise a model as requested, and say how it was done."""

from __future__ import annotations

from typing import Any

import onnx

from galaxy_edge.errors import UsageError
from galaxy_edge.inputs.images import Pixels
from galaxy_edge_export import contents, dead, integer, nibbles, pools
from galaxy_edge_export.config import TARGETS, Quantization
from galaxy_edge_export.quantize import last_layers, quantize


def quantized(
    model: onnx.ModelProto, calibration: Pixels, how: Quantization
) -> tuple[onnx.ModelProto, dict[str, Any]]:
    """Quantise a model.

    Args:
        model: the float model.
        calibration: uint8 [N, size, size, channels].
        how: what was requested.

    Returns:
        The int8 model, and how it was made, for the manifest.

    Raises:
        UsageError: 4-bit weights were requested, and there is no layer for them.
    """
    last = last_layers(model)
    dense = [node.name for node in model.graph.node if node.op_type == "Gemm"]
    if how.dense_bits == 4 and set(dense) <= set(last):
        raise UsageError(
            "--dense-bits 4 changes nothing: the model has no dense layer except the last, which "
            "stays in float; leave it out"
        )
    active = dead.activity(model, calibration)
    kept = dead.channels_to_keep(active)
    reduce_range = how.target is None or TARGETS[how.target]
    slim = dead.without_channels(model, kept, active)
    small = quantize(slim, calibration, reduce_range=reduce_range, dense_bits=how.dense_bits)
    if not how.portable:
        small = pools.with_folded_pool(integer.with_integer_input(small))
    if how.dense_bits == 4:
        small = nibbles.with_packed_weights(small)
    found = contents.read(small, last)
    fine = any(found.bits[name] > 4 for name in found.dense)
    return small, {
        "scheme": f"static; uint8 activations; int8 weights in {7 if reduce_range else 8} bits, "
        "one scale per output channel; corrected biases",
        "dense_bits": (8 if fine else how.dense_bits) if found.dense else None,
        "layers": found.bits,
        "float_layers": found.floats,
        "target": how.target or "any",
        "layout": "portable" if how.portable else "for onnxruntime's CPU kernels",
        "channels": {name: [int(mask.sum()), len(mask)] for name, mask in kept.items()},
    }
