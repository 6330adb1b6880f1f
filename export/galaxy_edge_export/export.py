"""Convert a trained model to one verified file."""

from __future__ import annotations

import math
import platform
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from galaxy_edge.decision import Decision, Probabilities
from galaxy_edge.drawing.galaxy import galaxy
from galaxy_edge.engine.session import Session
from galaxy_edge.errors import GateError, ModelError, UsageError
from galaxy_edge.files import replacing
from galaxy_edge.golden import verify
from galaxy_edge.inputs.images import Pixels, decode
from galaxy_edge.manifest import OUTPUT_NAME, OUTPUTS_NAME, DecisionRule, Manifest, Outputs
from galaxy_edge.predictor import Predictor
from galaxy_edge_export import (
    contents,
    dead,
    gates,
    golden,
    grey,
    images,
    integer,
    nibbles,
    notes,
    pools,
    precision,
    probability,
    ranges,
    speed,
)
from galaxy_edge_export.config import TARGETS, THRESHOLD, Quantization
from galaxy_edge_export.convert import convert
from galaxy_edge_export.gates import Cost
from galaxy_edge_export.half import with_half_weights
from galaxy_edge_export.loading import load
from galaxy_edge_export.quantize import last_layers, quantize
from galaxy_edge_export.trained import Trained

_PACKAGES = (
    "galaxy-edge",
    "keras",
    "tensorflow",
    "tf2onnx",
    "onnx",
    "onnxruntime",
    "numpy",
    "pillow",
)


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
        calibration_images: number of images that the int8 file was calibrated on.
        failures: the limits that were exceeded, one phrase each.
        notes: what else to know about the file, one phrase each.
    """

    parity: float
    source: str
    rows: tuple[Row, ...]
    cost: Cost | None = None
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
    """

    model: onnx.ModelProto
    manifest: Manifest
    report: Report


def prepare(
    trained: Trained,
    quantization: Quantization | None = None,
    threshold: float | None = None,
    *,
    half: bool = False,
) -> Prepared:
    """Convert a trained model, quantise it if requested, and measure the result.

    Args:
        trained: what to export.
        quantization: how to quantise; None exports in float.
        threshold: recorded in the manifest (`DecisionRule.threshold`); None for `THRESHOLD` of two
            classes, and for no limit of more.
        half: export in fp16 instead, without quantising.

    Raises:
        ModelError, UsageError: the model or the data cannot be used.
        GateError: the scores of the float or fp16 file differ from the source.
    """
    # Look for the data first: a missing folder shows at once, but a conversion takes seconds.
    files = images.labelled_files(trained, quantization.data) if quantization else {}
    network = load(trained)
    traced = network.traced
    trained = replace(trained, preprocessing=replace(trained.preprocessing, size=traced.size))
    input_range = ranges.decide(traced.image, trained.input_range)
    probability.check(traced, trained.activation)
    drawn = _drawn(trained)
    known, remarks = notes.of(trained, network, input_range)
    two = len(trained.classes) == 2
    manifest = Manifest(
        classes=trained.classes,
        outputs=Outputs(OUTPUT_NAME if two else OUTPUTS_NAME),
        decision=DecisionRule(THRESHOLD if two and threshold is None else threshold),
        preprocessing=trained.preprocessing,
        training=known,
        versions={"python": platform.python_version()}
        | {name: version(name) for name in _PACKAGES},
        metrics=trained.metrics,
    )
    model = convert(traced, input_range, trained.activation, manifest.outputs.scores)
    model = dead.without_channels(model, dead.provably_alive(model))
    whole = grey.with_rgb_input(model)
    fp32 = _session(whole, manifest)
    called = partial(
        gates.source_scores, input_range=input_range, activation=trained.activation,
        channels=traced.channels,
    )  # fmt: skip
    score, source = partial(called, network.call), network.runs_on
    parity = gates.check_parity(score, fp32, drawn, source=source)
    if network.own_call is not None:
        limit = precision.LIMITS[network.precision]
        gates.check_parity(partial(called, network.own_call), fp32, drawn, limit)
    if half:
        small = grey.with_rgb_input(with_half_weights(model))
        fp16 = _session(small, manifest)
        real = images.validation(trained)
        parity = gates.check_parity(score, fp16, drawn, gates.HALF_PARITY, real, source)
        rows = _rows({"fp32": (fp32, whole), "fp16": (fp16, small)}, drawn)
        document = {
            "precision": "fp16",
            "scheme": "fp16; image scaling and last layer in fp32",
            "largest_difference_from_keras": round(parity, 6),
            "validation": {"images": 0 if real is None else len(real)},
        }
        report = Report(parity, source, rows, notes=(*remarks, notes.compared(real)))
        return Prepared(small, replace(manifest, quantization=document), report)
    if quantization is None:
        rows = _rows({"fp32": (fp32, whole)}, drawn)
        return Prepared(whole, manifest, Report(parity, source, rows, notes=remarks))

    sample = images.calibration_sample(
        files["Train"], quantization.calibration_images, quantization.seed
    )
    # Images from --data are the user's choice, but images of the run must not have changed since
    # the training.
    digests = trained.digests if quantization.data is None else {}
    calibration = images.load(sample, trained.preprocessing, digests)
    pixels = grey.for_channels(calibration.pixels, traced.channels)
    small, scheme = _quantized(model, pixels, quantization)
    small = grey.with_rgb_input(small)
    floats = scheme["float_layers"]
    if floats:
        in_words = ", ".join(f"{name} ({why})" for name, why in floats.items())
        remarks = (*remarks, f"layers in float: {in_words}")
    int8 = _session(small, manifest)
    valid = images.load(files["Valid"], trained.preprocessing, digests)
    cost = gates.measure_cost(
        valid.labels, _scores(fp32, valid.pixels), _scores(int8, valid.pixels), Decision(manifest)
    )
    rows = _rows({"fp32": (fp32, whole), "int8": (int8, small)}, drawn)
    speedups = [rows[0].single / rows[1].single, rows[0].batch / rows[1].batch]
    report = Report(
        parity,
        source,
        rows,
        cost,
        len(sample),
        tuple(gates.failures(cost, min(speedups), quantization.limits)),
        remarks,
    )
    document = scheme | {
        "calibration": {"images": len(sample), "seed": quantization.seed, "method": "minmax"},
        "validation": cost.document(),
    }
    return Prepared(small, replace(manifest, quantization=document), report)


def _quantized(
    model: onnx.ModelProto, calibration: Pixels, how: Quantization
) -> tuple[onnx.ModelProto, dict[str, Any]]:
    """Quantise a model.

    Returns:
        The int8 model, and how it was made, for the manifest.
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


def write(prepared: Prepared, path: Path) -> None:
    """Write the file if it passed the limits and reproduces its own golden scores.

    The file is written completely or not at all.

    Raises:
        GateError: a limit was exceeded, or the written file does not score as recorded.
        UsageError: the path cannot be written.
    """
    if prepared.report.failures:
        raise GateError(f"{'; '.join(prepared.report.failures)}; nothing was written")
    session = _session(prepared.model, prepared.manifest)
    chosen = golden.examples(partial(_scores, session), prepared.manifest)
    try:
        with replacing(path) as temporary:
            manifest = replace(prepared.manifest, golden=chosen)
            temporary.write_bytes(_serialise(prepared.model, manifest))
            _check_golden(temporary)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error


def _check_golden(path: Path) -> None:
    found = verify(Predictor(path, device="cpu", check=False))
    try:
        # The machine is the same, so every example can be compared, and closely.
        found.check(gates.PARITY if found.compared == found.examples else math.nan)
    except ModelError as error:
        raise GateError(f"the written file is wrong: {error}; nothing was written") from error


def _drawn(trained: Trained) -> Pixels:
    """Draw galaxies for parity and timing: uint8 [32, size, size, 3]."""
    return np.stack(
        [decode(galaxy(seed), trained.preprocessing) for seed in range(max(gates.PARITY_BATCHES))]
    )


def _session(model: onnx.ModelProto, manifest: Manifest) -> Session:
    return Session(_serialise(model, manifest), device="cpu")


def _serialise(model: onnx.ModelProto, manifest: Manifest) -> bytes:
    described = onnx.ModelProto()
    described.CopyFrom(model)
    described.producer_name = "galaxy-edge"
    described.producer_version = version("galaxy-edge")
    del described.metadata_props[:]
    onnx.helper.set_model_props(described, manifest.to_metadata())
    onnx.checker.check_model(described, full_check=True)
    return bytes(described.SerializeToString(deterministic=True))


def _scores(session: Session, pixels: Pixels) -> Probabilities:
    batches = np.array_split(pixels, -(-len(pixels) // 32))
    return np.concatenate([session.run(batch).scores for batch in batches])


def _rows(files: dict[str, tuple[Session, onnx.ModelProto]], batch: Pixels) -> tuple[Row, ...]:
    sessions = [session for session, _ in files.values()]
    single = speed.milliseconds_per_image(sessions, batch[:1], runs=60)
    many = speed.milliseconds_per_image(sessions, batch)
    return tuple(
        Row(name, model.ByteSize(), one, each)
        for (name, (_, model)), one, each in zip(files.items(), single, many, strict=True)
    )
