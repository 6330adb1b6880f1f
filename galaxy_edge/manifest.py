"""What a model file says of itself: frozen dataclasses to and from ONNX metadata.

ONNX metadata is a flat map of strings. Each section of the manifest is one key,
``galaxy_edge.<section>``, whose value is JSON. Any ONNX viewer can show it, and nothing in it can
be code.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, TypeAlias

from galaxy_edge.errors import ModelError, UsageError
from galaxy_edge.inputs.class_names import check_classes
from galaxy_edge.inputs.preprocessing import (
    Preprocessing,
    preprocessing_document,
    preprocessing_from,
)

#: Version of the layout below. A reader refuses a newer one, because it could not obey what it
#: adds. Schema 1 had no stretch of FITS images; it is read with the defaults. Schemas 1 and 2 were
#: for two classes: `labels` and `threshold` instead of `classes`, `outputs` and `decision`.
SCHEMA = 3
PREFIX = "galaxy_edge."
#: Largest difference from a recorded golden score, on any processor and provider. Seven-bit
#: weights give the same integers everywhere; only the rounding of the last layers differs. A
#: saturating multiplication or a damaged weight gives a far larger difference.
GOLDEN_TOLERANCE = 0.001
#: The same for an fp16 file. Each provider rounds it at different places: onnxruntime's CPU kernels
#: compute in fp32, and OpenVINO's in fp16 differ from them by 0.0009.
HALF_TOLERANCE = 0.005
#: Largest difference from a recorded typicality, in every file: it is computed in fp32.
TYPICALITY_TOLERANCE = 0.001
INPUT_NAME = "image"
#: Name of the scores of a file for two classes: float32 [N, 1], P(positive).
OUTPUT_NAME = "score"
#: Name of the scores of a file for more classes: float32 [N, C], one probability per class.
OUTPUTS_NAME = "scores"

Document: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Outputs:
    """Names of the file's output tensors.

    Attributes:
        scores: float32 [N, 1], P(positive), for two classes; float32 [N, C], one probability per
            class, for more.
        typicality: float32 [N], the share of the training kind that is less typical than the
            image, 0 to 1; None if the file does not compute it.
    """

    scores: str = OUTPUT_NAME
    typicality: str | None = None

    def __post_init__(self) -> None:
        names = [name for name in (self.scores, self.typicality) if name is not None]
        if not all(names) or len({*names}) < len(names):
            raise UsageError(f"the outputs need different names, not {names!r}")


@dataclass(frozen=True, slots=True)
class DecisionRule:
    """How scores and a typicality become a verdict; `galaxy_edge.decision` applies it.

    Attributes:
        threshold: two classes: a score above it gives the positive class. Three or more: a most
            probable class below it is `uncertain`; None for no such limit. 0 to 1.
        abstain: two classes: scores from the first number to the second, both included, are
            `uncertain`; None for no such band.
        ood_limit: a typicality below it is `out_of_distribution`, 0 to 1; None to accept all.
        open_class: the one of two classes that has kinds which nobody has trained on, such as
            Fake; None if both are closed. The typicality is then that of the other class; but
            where the score at `threshold` gives the open class, it is the larger one of both.
    """

    threshold: float | None = 0.5
    abstain: tuple[float, float] | None = None
    ood_limit: float | None = None
    open_class: str | None = None

    def __post_init__(self) -> None:
        if self.threshold is not None:
            check_threshold(self.threshold)
        if self.abstain is not None:
            for end in self.abstain:
                check_share(end, "the abstention band")
            if self.abstain[0] > self.abstain[1]:
                raise UsageError(f"the abstention band ends below its start: {self.abstain}")
        if self.ood_limit is not None:
            check_share(self.ood_limit, "the out-of-distribution limit")


@dataclass(frozen=True, slots=True)
class Golden:
    """One input whose scores the exporter recorded.

    Attributes:
        png: the image as an encoded PNG file, before any resizing.
        input_sha256: SHA-256 of the uint8 network input that it decodes to. If this differs on
            another machine, the decoder differs and not the arithmetic.
        scores: the file's output for it on the exporting machine: one number for two classes, C
            for more; 0 to 1.
        typicality: the file's output of the typicality, 0 to 1; None if it was not recorded.
    """

    png: bytes
    input_sha256: str
    scores: tuple[float, ...]
    typicality: float | None = None

    def __post_init__(self) -> None:
        for score in self.scores:
            check_share(score, "a golden score")
        if self.typicality is not None:
            check_share(self.typicality, "a golden typicality")


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a model file says of itself.

    Attributes:
        classes: names of the classes, in the order of the scores. Of two, the first is the
            negative and the second the positive class.
        outputs: names of the output tensors.
        decision: how scores become a verdict.
        preprocessing: from an image to the network's input.
        training: data digest and counts, configuration, epochs.
        versions: package name to version, on the exporting machine.
        metrics: split name to metrics, measured on the Keras model the file was made from.
        quantization: how the numbers were rounded, to int8 or fp16, and what that cost; empty for
            an fp32 file.
        golden: inputs with their scores.
        schema: the schema the file was written in.
    """

    classes: tuple[str, ...] = ("Fake", "Real")
    outputs: Outputs = field(default_factory=Outputs)
    decision: DecisionRule = field(default_factory=DecisionRule)
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    training: Document = field(default_factory=dict)
    versions: Document = field(default_factory=dict)
    metrics: Document = field(default_factory=dict)
    quantization: Document = field(default_factory=dict)
    golden: tuple[Golden, ...] = ()
    schema: int = SCHEMA

    def __post_init__(self) -> None:
        check_classes(self.classes)
        two = len(self.classes) == 2
        if two and self.decision.threshold is None:
            raise UsageError("two classes need a threshold")
        if not two and self.decision.abstain is not None:
            raise UsageError(
                f"an abstention band is for two classes, and there are {len(self.classes)}"
            )
        rule = self.decision
        if self.outputs.typicality is None and (rule.ood_limit, rule.open_class) != (None, None):
            raise UsageError("an out-of-distribution limit needs an output for the typicality")
        if rule.open_class is not None and not (two and rule.open_class in self.classes):
            raise UsageError(f"the open class {rule.open_class!r} is not one of two classes")
        for example in self.golden:
            if len(example.scores) != self.score_width:
                raise UsageError(
                    f"a golden example needs {self.score_width} scores, not {len(example.scores)}"
                )

    @property
    def score_width(self) -> int:
        """The scores output has one column for two classes, otherwise one per class."""
        return score_width(self.classes)

    @property
    def tolerance(self) -> float:
        """Largest allowed difference from a golden score on another machine, 0 to 1."""
        half = self.quantization.get("precision") == "fp16"
        return HALF_TOLERANCE if half else GOLDEN_TOLERANCE

    def sections(self) -> dict[str, Any]:
        """The manifest as JSON-ready values by section, in the current schema."""
        return {
            "classes": list(self.classes),
            "outputs": asdict(self.outputs),
            "decision": _rule_document(self.decision),
            "preprocessing": preprocessing_document(self.preprocessing),
            "training": self.training,
            "versions": self.versions,
            "metrics": self.metrics,
            "quantization": self.quantization,
            "golden": [
                {
                    "png": base64.b64encode(example.png).decode("ascii"),
                    "input_sha256": example.input_sha256,
                    "scores": list(example.scores),
                }
                | ({} if example.typicality is None else {"typicality": example.typicality})
                for example in self.golden
            ],
        }

    def to_metadata(self) -> dict[str, str]:
        """The manifest as ONNX metadata, section key to JSON text, in the current schema."""
        sections = {
            PREFIX + name: json.dumps(value, sort_keys=True)
            for name, value in self.sections().items()
        }
        return {PREFIX + "schema": str(SCHEMA)} | sections

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> Manifest:
        """Read a manifest of any schema up to `SCHEMA`.

        Raises:
            ModelError: there is none, it is damaged, or this version does not know its schema.
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
                "install a galaxy-edge at least as new as the one that exported the file"
            )
        try:
            verdict = _two_class(metadata) if int(schema) < 3 else _any_class(metadata)
            return cls(
                **verdict,
                preprocessing=preprocessing_from(_section(metadata, "preprocessing", dict)),
                training=_section(metadata, "training", dict),
                versions=_section(metadata, "versions", dict),
                metrics=_section(metadata, "metrics", dict),
                quantization=_section(metadata, "quantization", dict),
                golden=tuple(_golden(item) for item in _section(metadata, "golden", list)),
                schema=int(schema),
            )
        except UsageError as error:
            raise ModelError(f"the manifest is damaged: {error}") from error


def score_width(classes: Sequence[str]) -> int:
    """The scores output has one column for two classes, otherwise one per class."""
    return 1 if len(classes) == 2 else len(classes)


def check_threshold(threshold: float) -> None:
    """Refuse a threshold outside 0 to 1, NaN included."""
    check_share(threshold, "the threshold")


def check_share(value: float, what: str) -> None:
    """Refuse a number outside 0 to 1, NaN included."""
    if not 0.0 <= value <= 1.0:
        raise UsageError(f"{what} must lie between 0 and 1, not {value}")


def _rule_document(rule: DecisionRule) -> dict[str, Any]:
    # Versions without an open class refuse files that name it, and must read all others.
    left_out = {"open_class"} if rule.open_class is None else {}
    return {name: value for name, value in asdict(rule).items() if name not in left_out}


def _two_class(metadata: Mapping[str, str]) -> dict[str, Any]:
    """Classes, outputs and decision of schemas 1 and 2."""
    return {
        "classes": _names(_section(metadata, "labels", list), exactly=2),
        "decision": DecisionRule(_share(_section(metadata, "threshold", int, float), "threshold")),
    }


def _any_class(metadata: Mapping[str, str]) -> dict[str, Any]:
    """Classes, outputs and decision since schema 3."""
    outputs = _section(metadata, "outputs", dict)
    _check_names(outputs, Outputs, "outputs")
    if not all(isinstance(name, str) for name in (outputs["scores"], outputs["typicality"] or "")):
        raise UsageError(f"the outputs must be names, not {outputs!r}")
    rule = {"open_class": None, **_section(metadata, "decision", dict)}
    _check_names(rule, DecisionRule, "parts of the decision")
    band = rule["abstain"]
    if band is not None and (not isinstance(band, list) or len(band) != 2):
        raise UsageError(f"the abstention band must be two numbers, not {band!r}")
    return {
        "classes": _names(_section(metadata, "classes", list)),
        "outputs": Outputs(**outputs),
        "decision": DecisionRule(
            threshold=_optional(rule["threshold"], "threshold"),
            abstain=None if band is None else tuple(_share(end, "band") for end in band),  # type: ignore[arg-type]
            ood_limit=_optional(rule["ood_limit"], "out-of-distribution limit"),
            open_class=rule["open_class"],
        ),
    }


def _check_names(document: Document, kind: type[Outputs | DecisionRule], what: str) -> None:
    """Refuse what is missing, and what this version does not know and so could not obey."""
    known = {item.name for item in fields(kind)}
    if odd := sorted(map(str, document.keys() ^ known)):
        raise UsageError(f"{what} missing or unknown: {', '.join(odd)}")


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


def _names(value: list[Any], exactly: int | None = None) -> tuple[str, ...]:
    if not all(isinstance(name, str) for name in value) or exactly not in (None, len(value)):
        raise UsageError(f"{exactly or 'two or more'} class names are needed, not {value}")
    return tuple(value)


def _share(value: Any, what: str) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise UsageError(f"the {what} must be a number, not {value!r}")
    check_share(value, f"the {what}")  # first: a whole number may be too large for a float
    return float(value)


def _optional(value: Any, what: str) -> float | None:
    return None if value is None else _share(value, what)


def _golden(item: Any) -> Golden:
    try:
        scores = item["scores"] if "scores" in item else [item["score"]]
        typicality = item.get("typicality")
        return Golden(
            png=base64.b64decode(item["png"], validate=True),
            input_sha256=str(item["input_sha256"]),
            scores=tuple(float(score) for score in scores),
            typicality=None if typicality is None else float(typicality),
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise UsageError("a golden example cannot be read") from error
