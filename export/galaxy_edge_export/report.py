"""What an export measured, and the file that it would write."""

from __future__ import annotations

from dataclasses import dataclass

import onnx

from galaxy_edge.engine.session import Session
from galaxy_edge.inputs.images import Pixels
from galaxy_edge.manifest import Manifest
from galaxy_edge_export import speed
from galaxy_edge_export.gates import Cost
from galaxy_edge_export.verdicts import Verdicts


@dataclass(frozen=True, slots=True)
class Row:
    """One file in the report.

    Attributes:
        name: "fp32", "fp16" or "int8".
        size: bytes.
        single, batch: milliseconds per image, one at a time and in a batch of 32.
    """

    name: str
    size: int
    single: float
    batch: float


@dataclass(frozen=True, slots=True)
class Report:
    """What an export measured.

    Attributes:
        parity: largest difference of a score from the source, of the fp16 file if one was
            requested, else of the float file.
        source: what runs the source, "Keras" or "TensorFlow".
        rows: the float file, then the fp16 or int8 file if one was requested.
        cost: what quantisation cost; None for a float export.
        verdicts: what the typicality and the abstention do; None if the file has neither.
        calibration_images: number of images that the int8 file was calibrated on.
        failures: the limits that were exceeded, one phrase each.
        notes: what else to know about the file, one phrase each.
    """

    parity: float
    source: str
    rows: tuple[Row, ...]
    cost: Cost | None = None
    verdicts: Verdicts | None = None
    calibration_images: int = 0
    failures: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Prepared:
    """A converted model, which `write` can write if its report has no failures.

    Attributes:
        model: the graph.
        manifest: the manifest of the file, still without the golden examples.
        report: what was measured.
        usual: drawn images that are usual, as PNG files; for the golden examples.
    """

    model: onnx.ModelProto
    manifest: Manifest
    report: Report
    usual: tuple[bytes, ...] = ()


def rows(files: dict[str, tuple[Session, onnx.ModelProto]], batch: Pixels) -> tuple[Row, ...]:
    """Measure files.

    Args:
        files: name to session and model.
        batch: uint8 [32, size, size, 3].
    """
    sessions = [session for session, _ in files.values()]
    single = speed.milliseconds_per_image(sessions, batch[:1], runs=60)
    many = speed.milliseconds_per_image(sessions, batch)
    return tuple(
        Row(name, model.ByteSize(), one, each)
        for (name, (_, model)), one, each in zip(files.items(), single, many, strict=True)
    )
