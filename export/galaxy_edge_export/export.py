"""From a trained model to one verified file."""

from __future__ import annotations

import platform
from dataclasses import dataclass, field, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import onnx

from galaxy_edge.engine.session import Session
from galaxy_edge.errors import GateError, UsageError
from galaxy_edge.files import replacing
from galaxy_edge.golden import verify
from galaxy_edge.inputs.images import Pixels, decode
from galaxy_edge.manifest import Manifest
from galaxy_edge.predictor import Predictor
from galaxy_edge_export import dead, gates, golden, images, integer, nibbles, pools, speed
from galaxy_edge_export.convert import convert
from galaxy_edge_export.gates import Cost, Limits
from galaxy_edge_export.half import with_half_weights
from galaxy_edge_export.quantize import quantize
from galaxy_edge_export.trained import Trained, load

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


Target: TypeAlias = Literal["vnni", "avx2", "arm64"]
#: Whether weights must be in 7 bits: without VNNI, x86 adds products in 16 bits that saturate.
TARGETS: dict[Target, bool] = {"vnni": False, "avx2": True, "arm64": False}


@dataclass(frozen=True, slots=True)
class Row:
    """One file of the report.

    Attributes:
        name: "fp32", "fp16" or "int8".
        size: bytes.
        single, batch: ms an image, one at a time and 32 at once.
    """

    name: str
    size: int
    single: float
    batch: float


@dataclass(frozen=True, slots=True)
class Report:
    """What an export measured.

    Attributes:
        parity: largest difference of the float file's scores from Keras; of the fp16 file's,
            where that is asked for.
        rows: the float file, and the fp16 or int8 one beside it.
        cost: what quantisation cost; None for a float export.
        calibration_images: how many images the int8 file was calibrated on.
        failures: the limits that were passed.
    """

    parity: float
    rows: tuple[Row, ...]
    cost: Cost | None = None
    calibration_images: int = 0
    failures: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Quantization:
    """How to quantise.

    Attributes:
        data: labelled folders; None takes the run's own images.
        calibration_images: how many training images to calibrate on.
        seed: of their draw.
        limits: what it may cost.
        target: the processors it is for (`TARGETS`); None is for all.
        portable: leave the layers as converted, the layout that other execution providers know.
        dense_bits: of the weights of dense layers, 8 or 4.
    """

    data: Path | None = None
    calibration_images: int = 512
    seed: int = 0
    limits: Limits = field(default_factory=Limits)
    target: Target | None = None
    portable: bool = False
    dense_bits: int = 8


@dataclass(frozen=True, slots=True)
class Prepared:
    """A converted model that is ready to be written, if its report says so.

    Attributes:
        model: the graph.
        manifest: what the file will say of itself, but for the golden examples.
        report: what was measured.
    """

    model: onnx.ModelProto
    manifest: Manifest
    report: Report


def prepare(
    trained: Trained,
    quantization: Quantization | None = None,
    threshold: float = 0.5,
    *,
    half: bool = False,
) -> Prepared:
    """Convert a trained model, quantise it if asked to, and measure the result.

    Args:
        trained: what to export.
        quantization: how to quantise; None exports in float.
        threshold: for the manifest.
        half: export in fp16 instead, without quantising.

    Raises:
        ModelError, UsageError: the model or the data cannot be used.
        GateError: the float file's scores differ from Keras, or the fp16 file's.
    """
    # Asked first: a conversion takes seconds, a missing folder is known at once.
    files = images.labelled_files(trained, quantization.data) if quantization else {}
    keras_model = load(trained)
    drawn = _drawn(trained)
    manifest = Manifest(
        labels=trained.labels,
        threshold=threshold,
        preprocessing=trained.preprocessing,
        training=trained.training,
        versions={"python": platform.python_version()}
        | {name: version(name) for name in _PACKAGES},
        metrics=trained.metrics,
    )
    model = convert(keras_model, trained.preprocessing.size)
    model = dead.without_channels(model, dead.provably_alive(model))
    fp32 = _session(model, manifest)
    parity = gates.check_parity(keras_model, fp32, drawn)
    if half:
        small = with_half_weights(model)
        fp16 = _session(small, manifest)
        parity = gates.check_parity(keras_model, fp16, drawn, gates.HALF_PARITY)
        rows = _rows({"fp32": (fp32, model), "fp16": (fp16, small)}, drawn)
        document = {
            "precision": "fp16",
            "scheme": "the image's scaling and the last layer in fp32",
            "largest_difference_from_keras": round(parity, 6),
        }
        return Prepared(small, replace(manifest, quantization=document), Report(parity, rows))
    if quantization is None:
        return Prepared(model, manifest, Report(parity, _rows({"fp32": (fp32, model)}, drawn)))

    sample = images.calibration_sample(
        files["Train"], quantization.calibration_images, quantization.seed
    )
    # Data that were given are the user's choice; the run's own must be what it was trained with.
    digests = trained.digests if quantization.data is None else {}
    calibration = images.load(sample, trained.preprocessing, digests)
    small, scheme = _quantized(model, calibration.pixels, quantization)
    int8 = _session(small, manifest)
    valid = images.load(files["Valid"], trained.preprocessing, digests)
    cost = gates.measure_cost(
        valid.labels, _score(fp32, valid.pixels), _score(int8, valid.pixels), threshold
    )
    rows = _rows({"fp32": (fp32, model), "int8": (int8, small)}, drawn)
    speedups = [rows[0].single / rows[1].single, rows[0].batch / rows[1].batch]
    report = Report(
        parity,
        rows,
        cost,
        len(sample),
        tuple(gates.failures(cost, min(speedups), quantization.limits)),
    )
    document = scheme | {
        "calibration": {"images": len(sample), "seed": quantization.seed, "method": "minmax"},
        "validation": cost.document(),
    }
    return Prepared(small, replace(manifest, quantization=document), report)


def _quantized(
    model: onnx.ModelProto, calibration: Pixels, how: Quantization
) -> tuple[onnx.ModelProto, dict[str, Any]]:
    """The int8 model, and what the manifest says of how it was made."""
    active = dead.activity(model, calibration)
    alive = dead.in_blocks(active)
    reduce_range = how.target is None or TARGETS[how.target]
    slim = dead.without_channels(model, alive, active)
    small = quantize(slim, calibration, reduce_range=reduce_range, dense_bits=how.dense_bits)
    if not how.portable:
        small = pools.with_folded_pool(integer.with_integer_input(small))
    if how.dense_bits == 4:
        small = nibbles.with_packed_weights(small)
    return small, {
        "scheme": f"static, uint8 activations, int8 weights in {7 if reduce_range else 8} bits, "
        "per channel, biases corrected",
        "dense_bits": how.dense_bits,
        "target": how.target or "any",
        "layout": "portable" if how.portable else "onnxruntime's processor kernels",
        "channels": {name: [int(mask.sum()), len(mask)] for name, mask in alive.items()},
    }


def write(prepared: Prepared, path: Path) -> None:
    """Write the file, whole or not at all, once it scores its own golden examples.

    Raises:
        GateError: a limit was passed, or the written file does not score as recorded.
        UsageError: the path cannot be written.
    """
    if prepared.report.failures:
        raise GateError(f"{'; '.join(prepared.report.failures)}; nothing was written")
    session = _session(prepared.model, prepared.manifest)
    chosen = golden.examples(partial(_score, session), prepared.manifest.preprocessing)
    try:
        with replacing(path) as temporary:
            manifest = replace(prepared.manifest, golden=chosen)
            temporary.write_bytes(_serialise(prepared.model, manifest))
            _check_golden(temporary)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error


def _check_golden(path: Path) -> None:
    found = verify(Predictor(path, device="cpu", check=False))
    if found.worst > gates.PARITY or found.decoded_otherwise:
        raise GateError(
            f"the written file scores its golden examples otherwise (by {found.worst:.1e}) than "
            "the model it was made from; nothing was written"
        )


def _drawn(trained: Trained) -> Pixels:
    """Drawn galaxies for parity and timing, uint8 [32, size, size, 3]."""
    return np.stack(
        [
            decode(golden.galaxy(seed), trained.preprocessing)
            for seed in range(max(gates.PARITY_BATCHES))
        ]
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


def _score(session: Session, pixels: Pixels) -> gates.Scores:
    batches = np.array_split(pixels, -(-len(pixels) // 32))
    return np.concatenate([session.score(batch) for batch in batches])


def _rows(files: dict[str, tuple[Session, onnx.ModelProto]], batch: Pixels) -> tuple[Row, ...]:
    sessions = [session for session, _ in files.values()]
    single = speed.milliseconds_per_image(sessions, batch[:1], runs=60)
    many = speed.milliseconds_per_image(sessions, batch)
    return tuple(
        Row(name, model.ByteSize(), one, each)
        for (name, (_, model)), one, each in zip(files.items(), single, many, strict=True)
    )
