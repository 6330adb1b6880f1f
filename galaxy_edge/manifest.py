"""What a model file says of itself: frozen dataclasses to and from ONNX metadata.

ONNX metadata is a flat map of strings. Each section of the manifest is one key,
``galaxy_edge.<section>``, whose value is JSON, so that any ONNX viewer shows it readably and
nothing in it can be code.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from galaxy_edge.errors import ModelError, UsageError
from galaxy_edge.inputs.preprocessing import (
    Preprocessing,
    preprocessing_document,
    preprocessing_from,
)

#: Version of the layout below. A reader refuses a newer one: it could not honour what it adds.
#: 1 had no stretch of FITS images; it is read with the defaults.
SCHEMA = 2
PREFIX = "galaxy_edge."
#: What processors and providers may differ by from a recorded golden score. Seven-bit weights give
#: the same integers everywhere; what is left is the rounding of the last layers. A saturating
#: multiplication or a damaged weight shows up far above it.
GOLDEN_TOLERANCE = 0.001
#: And of an fp16 file, which each provider rounds in its own places: onnxruntime's CPU kernels
#: compute in fp32, OpenVINO's in fp16 end up 0.0009 from them.
HALF_TOLERANCE = 0.005
INPUT_NAME = "image"
OUTPUT_NAME = "score"

Document: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Golden:
    """One input whose score the exporter recorded.

    Attributes:
        png: the image as an encoded PNG file, before any resizing.
        input_sha256: SHA-256 of the uint8 network input it must decode to. It tells a decoder
            that differs from arithmetic that differs.
        score: the score of the exporting machine, 0 to 1.
    """

    png: bytes
    input_sha256: str
    score: float

    def __post_init__(self) -> None:
        if not 0.0 <= self.score <= 1.0:
            raise UsageError(f"a golden score must lie between 0 and 1, not {self.score}")


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a model file says of itself.

    Attributes:
        labels: names of the negative and the positive class; ``score`` is P(positive).
        threshold: a score above it gives the positive label; 0 to 1.
        preprocessing: from an image to the network's input.
        training: data digest and counts, configuration, epochs.
        versions: package name to version, of the machine that exported.
        metrics: split name to its metrics, as measured on the exported file's Keras parent.
        quantization: how the numbers were rounded, to int8 or fp16, and what that cost; empty for
            an fp32 file.
        golden: inputs with their scores.
    """

    labels: tuple[str, str] = ("Fake", "Real")
    threshold: float = 0.5
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    training: Document = field(default_factory=dict)
    versions: Document = field(default_factory=dict)
    metrics: Document = field(default_factory=dict)
    quantization: Document = field(default_factory=dict)
    golden: tuple[Golden, ...] = ()

    def __post_init__(self) -> None:
        check_labels(self.labels)
        check_threshold(self.threshold)

    @property
    def tolerance(self) -> float:
        """What a golden score may differ by elsewhere, 0 to 1."""
        half = self.quantization.get("precision") == "fp16"
        return HALF_TOLERANCE if half else GOLDEN_TOLERANCE

    def to_metadata(self) -> dict[str, str]:
        """The manifest as ONNX metadata: section key to JSON text."""
        sections: dict[str, Any] = {
            "labels": self.labels,
            "threshold": self.threshold,
            "preprocessing": preprocessing_document(self.preprocessing),
            "training": self.training,
            "versions": self.versions,
            "metrics": self.metrics,
            "quantization": self.quantization,
            "golden": [
                {
                    "png": base64.b64encode(example.png).decode("ascii"),
                    "input_sha256": example.input_sha256,
                    "score": example.score,
                }
                for example in self.golden
            ],
        }
        text = {
            PREFIX + name: json.dumps(value, sort_keys=True) for name, value in sections.items()
        }
        return {PREFIX + "schema": str(SCHEMA)} | text

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> Manifest:
        """Read a manifest.

        Raises:
            ModelError: there is none, it is damaged, or of a schema this version does not know.
        """
        schema = metadata.get(PREFIX + "schema")
        if schema is None:
            raise ModelError(
                "the file carries no galaxy-edge manifest, so its classes and preprocessing are "
                "unknown; make it with `galaxy-edge export`"
            )
        if schema not in {str(number) for number in range(1, SCHEMA + 1)}:
            raise ModelError(
                f"the manifest has schema {schema!r} and this galaxy-edge reads up to {SCHEMA}; "
                "install a galaxy-edge as new as the one that exported the file"
            )
        try:
            return cls(
                labels=_labels(_section(metadata, "labels", list)),
                threshold=_threshold(_section(metadata, "threshold", int, float)),
                preprocessing=preprocessing_from(_section(metadata, "preprocessing", dict)),
                training=_section(metadata, "training", dict),
                versions=_section(metadata, "versions", dict),
                metrics=_section(metadata, "metrics", dict),
                quantization=_section(metadata, "quantization", dict),
                golden=tuple(_golden(item) for item in _section(metadata, "golden", list)),
            )
        except UsageError as error:
            raise ModelError(f"the manifest is damaged: {error}") from error


def check_labels(labels: tuple[str, str]) -> None:
    """Refuse anything but two different, non-empty class names that can be printed in a line."""
    if any(not label or label.strip() != label or not label.isprintable() for label in labels) or (
        labels[0].casefold() == labels[1].casefold()
    ):
        raise UsageError(
            f"two different, printable class names are needed, not {' and '.join(labels)!r}"
        )


def check_threshold(threshold: float) -> None:
    """Refuse a threshold outside 0 to 1, NaN included."""
    if not 0.0 <= threshold <= 1.0:
        raise UsageError(f"the threshold must lie between 0 and 1, not {threshold}")


def _section(metadata: Mapping[str, str], name: str, *kinds: type) -> Any:
    try:
        value = json.loads(metadata[PREFIX + name])
    except KeyError:
        raise ModelError(f"the manifest is damaged: {PREFIX}{name} is missing") from None
    except (ValueError, RecursionError) as error:
        raise ModelError(f"the manifest is damaged: {PREFIX}{name} is not JSON") from error
    if not isinstance(value, kinds) or isinstance(value, bool):
        raise ModelError(f"the manifest is damaged: {PREFIX}{name} is of the wrong type")
    return value


def _labels(value: list[Any]) -> tuple[str, str]:
    if len(value) != 2 or not all(isinstance(label, str) for label in value):
        raise UsageError(f"two class names are needed, not {value}")
    return value[0], value[1]


def _threshold(value: float) -> float:
    check_threshold(value)  # first: a whole number may be too large for a float
    return float(value)


def _golden(item: Any) -> Golden:
    try:
        return Golden(
            png=base64.b64decode(item["png"], validate=True),
            input_sha256=str(item["input_sha256"]),
            score=float(item["score"]),
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise UsageError("a golden example cannot be read") from error
