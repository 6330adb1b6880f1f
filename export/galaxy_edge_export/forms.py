"""The network in float, fp16 or int8, measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import onnx

from galaxy_edge.decision import Decision
from galaxy_edge.engine.session import Session
from galaxy_edge.inputs.images import Pixels
from galaxy_edge.manifest import Manifest
from galaxy_edge_export import gates, grey, images, notes, sessions
from galaxy_edge_export.config import Quantization
from galaxy_edge_export.half import with_half_weights
from galaxy_edge_export.int8 import quantized
from galaxy_edge_export.material import Material
from galaxy_edge_export.report import Prepared, Report, rows


@dataclass(frozen=True, slots=True)
class Converted:
    """A converted network.

    Attributes:
        model: the graph in fp32, which takes uint8 [N, size, size, channels].
        channels: 3 for RGB, 1 for grey images.
        manifest: its manifest.
        whole: the same graph, which makes grey images itself and takes RGB.
        fp32: a session on it.
        score: the source: uint8 [N, size, size, 3] to float32 [N, 1] or [N, C].
        source: what runs the source, for messages.
        parity: largest difference of a score from the source.
        drawn: drawn galaxies for the timing, uint8 [32, size, size, 3].
    """

    model: onnx.ModelProto
    channels: int
    manifest: Manifest
    whole: onnx.ModelProto
    fp32: Session
    score: Callable[[Pixels], gates.Scores]
    source: str
    parity: float
    drawn: Pixels


def in_float(network: Converted) -> Prepared:
    """The network as it is."""
    measured = rows({"fp32": (network.fp32, network.whole)}, network.drawn)
    report = Report(network.parity, network.source, measured)
    return Prepared(network.whole, network.manifest, report)


def in_half(network: Converted, valid: Pixels | None) -> Prepared:
    """The network in fp16.

    Args:
        network: in fp32.
        valid: validation images to compare with the source, uint8 [N, size, size, 3].

    Raises:
        GateError: a score differs too much from the source.
    """
    small = grey.with_rgb_input(with_half_weights(network.model))
    fp16 = sessions.session(small, network.manifest)
    parity = gates.check_parity(
        network.score, fp16, network.drawn, gates.HALF_PARITY, valid, network.source
    )
    files = {"fp32": (network.fp32, network.whole), "fp16": (fp16, small)}
    document = {
        "precision": "fp16",
        "scheme": "fp16; image scaling and last layer in fp32",
        "largest_difference_from_keras": round(parity, 6),
        "validation": {"images": 0 if valid is None else len(valid)},
    }
    report = Report(
        parity, network.source, rows(files, network.drawn), notes=(notes.compared(valid),)
    )
    return Prepared(small, replace(network.manifest, quantization=document), report)


def in_int8(network: Converted, how: Quantization, material: Material) -> Prepared:
    """The network in int8. Its report lists the limits that it exceeds.

    Raises:
        DatasetError: images are unreadable, or have changed since the training.
        UsageError: the network has no layer for the requested weights.
    """
    sample = images.calibration_sample(material.files["Train"], how.calibration_images, how.seed)
    calibration = images.load(sample, material)
    pixels = grey.for_channels(calibration.pixels, network.channels)
    small, scheme = quantized(network.model, pixels, how)
    small = grey.with_rgb_input(small)
    int8 = sessions.session(small, network.manifest)
    valid = images.load(material.files["Valid"], material)
    cost = gates.measure_cost(
        valid.labels,
        sessions.run(network.fp32, valid.pixels).scores,
        sessions.run(int8, valid.pixels).scores,
        Decision(network.manifest),
    )
    measured = rows({"fp32": (network.fp32, network.whole), "int8": (int8, small)}, network.drawn)
    first, last = measured
    speedup = min(first.single / last.single, first.batch / last.batch)
    floats = ", ".join(f"{name} ({why})" for name, why in scheme["float_layers"].items())
    report = Report(
        network.parity,
        network.source,
        measured,
        cost,
        calibration_images=len(sample),
        failures=tuple(gates.failures(cost, speedup, how.limits)),
        notes=(f"layers in float: {floats}",) if floats else (),
    )
    document = scheme | {
        "calibration": {"images": len(sample), "seed": how.seed, "method": "minmax"},
        "validation": cost.document(),
    }
    return Prepared(small, replace(network.manifest, quantization=document), report)
