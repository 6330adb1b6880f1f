"""Convert a trained model to one verified file."""

from __future__ import annotations

import math
import platform
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from pathlib import Path

import numpy as np

from galaxy_edge.drawing.galaxy import galaxy
from galaxy_edge.errors import DatasetError, GateError, ModelError, UsageError
from galaxy_edge.files import replacing
from galaxy_edge.golden import verify
from galaxy_edge.inputs.images import Pixels, decode
from galaxy_edge.inputs.preprocessing import Preprocessing
from galaxy_edge.manifest import OUTPUT_NAME, OUTPUTS_NAME, DecisionRule, Manifest, Outputs
from galaxy_edge.predictor import Predictor
from galaxy_edge_export import (
    composing,
    dead,
    enlarging,
    forms,
    gates,
    golden,
    grey,
    images,
    material,
    notes,
    precision,
    probability,
    quality,
    ranges,
    sessions,
    verdicts,
)
from galaxy_edge_export.config import THRESHOLD, Quantization, VerdictRule
from galaxy_edge_export.convert import convert
from galaxy_edge_export.forms import Converted
from galaxy_edge_export.loading import load
from galaxy_edge_export.material import Material
from galaxy_edge_export.network import Network
from galaxy_edge_export.report import Prepared
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


def prepare(
    trained: Trained,
    quantization: Quantization | None = None,
    threshold: float | None = None,
    *,
    half: bool = False,
    data: Path | None = None,
    rule: VerdictRule | None = None,
) -> Prepared:
    """Convert a trained model, quantise it if requested, and measure the result.

    Args:
        trained: what to export.
        quantization: how to quantise; None exports in float.
        threshold: recorded in the manifest (`DecisionRule.threshold`); None for `THRESHOLD` of two
            classes, and for no limit of more.
        half: export in fp16 instead, without quantising.
        data: labelled folders; None uses the images of the run.
        rule: when the file gives no label; None for the defaults.

    Raises:
        ModelError, UsageError: the model or the data cannot be used.
        GateError: the scores of the float or fp16 file differ from the source, or the typicality
            from its definition.
    """
    rule = VerdictRule() if rule is None else rule
    verdicts.check(rule, trained.classes, threshold)
    # Look for the data first: a missing folder shows at once, but a conversion takes seconds.
    found, missing = _material(trained, data, rule, needed=quantization is not None)
    network = load(trained)
    size = network.traced.size
    trained = replace(trained, preprocessing=replace(trained.preprocessing, size=size))
    converted, remarks = _converted(trained, network, threshold)
    if found is not None:
        found = replace(found, preprocessing=trained.preprocessing)
    if half:
        prepared = forms.in_half(converted, images.validation(trained))
    elif quantization is None:
        prepared = forms.in_float(converted)
    else:
        assert found is not None
        prepared = forms.in_int8(converted, quantization, found)
    prepared = _enlarging(prepared)
    ruled = verdicts.Ruled(prepared.model, prepared.manifest, None, missing)
    # A file that fails its gates is not written, whatever else it would say.
    if found is not None and not prepared.report.failures:
        steps = prepared.manifest.preprocessing
        found = replace(found, preprocessing=steps)
        ruled = verdicts.with_rule(ruled.model, ruled.manifest, rule, found, _drawn(steps))
    last = replace(prepared.report.rows[-1], size=ruled.model.ByteSize())
    report = replace(
        prepared.report,
        rows=(*prepared.report.rows[:-1], last),
        verdicts=ruled.verdicts,
        notes=(
            *quality.described(trained.metrics, trained.training),
            *remarks,
            *prepared.report.notes,
            *ruled.notes,
        ),
    )
    return Prepared(ruled.model, ruled.manifest, report, ruled.usual)


def _enlarging(prepared: Prepared) -> Prepared:
    """The same file, which enlarges images itself."""
    steps = prepared.manifest.preprocessing
    drawn = _drawn(replace(steps, size=min(steps.size, steps.working_size or steps.size)))
    model, steps = enlarging.inside(prepared.model, steps, drawn)
    return replace(prepared, model=model, manifest=replace(prepared.manifest, preprocessing=steps))


def _material(
    trained: Trained, data: Path | None, rule: VerdictRule, *, needed: bool
) -> tuple[Material | None, tuple[str, ...]]:
    """The images, or a sentence about what the file lacks without them."""
    if not needed and not rule.needs_images and not rule.typicality:
        return None, ()
    try:
        return material.find(trained, data), ()
    except (DatasetError, UsageError) as error:
        if needed or rule.needs_images or data is not None:
            raise
        why, reason = "the training images are not known", ""
        if isinstance(error, DatasetError):
            why = "the training images cannot be read any more"
            reason = f": {error.problems[0]}"
        return None, (f"no typicality: {why}; give labelled folders with --data{reason}",)


def _converted(
    trained: Trained, network: Network, threshold: float | None
) -> tuple[Converted, tuple[str, ...]]:
    """Convert the model, compare it with its source, and describe it; with notes for the user."""
    traced = network.traced
    input_range = ranges.decide(traced.image, trained.input_range)
    probability.check(traced, trained.activation)
    drawn = _drawn(trained.preprocessing)
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
    model = composing.with_one_convolution(model)
    model = dead.without_channels(model, dead.provably_alive(model))
    whole = grey.with_rgb_input(model)
    fp32 = sessions.session(whole, manifest)
    called = partial(
        gates.source_scores, input_range=input_range, activation=trained.activation,
        channels=traced.channels,
    )  # fmt: skip
    score = partial(called, network.call)
    parity = gates.check_parity(score, fp32, drawn, source=network.runs_on)
    if network.own_call is not None:
        limit = precision.LIMITS[network.precision]
        gates.check_parity(partial(called, network.own_call), fp32, drawn, limit)
    converted = Converted(
        model, traced.channels, manifest, whole, fp32, score, network.runs_on, parity, drawn
    )
    return converted, remarks


def write(prepared: Prepared, path: Path) -> None:
    """Write the file if it passed the limits and reproduces its own golden examples.

    The file is written completely or not at all.

    Raises:
        GateError: a limit was exceeded, or the written file does not score as recorded.
        UsageError: the path cannot be written.
    """
    if prepared.report.failures:
        raise GateError(f"{'; '.join(prepared.report.failures)}; nothing was written")
    session = sessions.session(prepared.model, prepared.manifest)
    run = partial(sessions.run, session)
    chosen = golden.examples(run, prepared.manifest, prepared.usual)
    try:
        with replacing(path) as temporary:
            manifest = replace(prepared.manifest, golden=chosen)
            temporary.write_bytes(sessions.serialise(prepared.model, manifest))
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


def _drawn(steps: Preprocessing) -> Pixels:
    """Draw galaxies for parity and timing: uint8 [32, size, size, 3]."""
    return np.stack([decode(galaxy(seed), steps) for seed in range(max(gates.PARITY_BATCHES))])
