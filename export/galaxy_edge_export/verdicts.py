"""Give a converted network its typicality and its rule for abstaining, and measure both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import onnx

from galaxy_edge.decision import Decision, Probabilities
from galaxy_edge.drawing.galaxy import as_png
from galaxy_edge.engine.session import Result, Session
from galaxy_edge.errors import GateError, UsageError
from galaxy_edge.inputs.images import Pixels
from galaxy_edge.manifest import TYPICALITY_TOLERANCE, DecisionRule, Manifest, check_share
from galaxy_edge_export import abstention, images, sessions, speed
from galaxy_edge_export.config import VerdictRule
from galaxy_edge_export.material import Material
from galaxy_edge_export.typicality import graph
from galaxy_edge_export.typicality.description import Description
from galaxy_edge_export.typicality.examples import usual_example
from galaxy_edge_export.typicality.fit import Fitted, fit_typicality

Labels = npt.NDArray[np.uint8]

#: Validation images whose typicality is compared with the reference in NumPy.
_COMPARED = 256
#: Number of golden examples for the typicality.
_USUAL = 2


@dataclass(frozen=True, slots=True)
class Typicality:
    """What the typicality was fitted to, and what it costs.

    Attributes:
        sources: names of the sources, such as Real/efigi, and their numbers of images.
        held_out: number of validation images of the calibration; 0 for a cross-validation.
        difference: largest difference from the reference on validation images.
        single, batch: its time as a share of the network's, one image at a time and in 32.
    """

    sources: Mapping[str, int]
    held_out: int
    difference: float
    single: float
    batch: float


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What the file says of the validation images.

    Attributes:
        images: number of validation images by class.
        out_of_distribution: how many of them are, by class.
        uncertain: how many are uncertain, by class.
        rule: the decision in the manifest.
        typicality: None if the file does not compute it.
    """

    images: Mapping[str, int]
    out_of_distribution: Mapping[str, int]
    uncertain: Mapping[str, int]
    rule: DecisionRule
    typicality: Typicality | None


@dataclass(frozen=True, slots=True)
class Ruled:
    """A network with its rule.

    Attributes:
        model: the graph.
        manifest: its manifest.
        verdicts: what it says of the validation images; None if it has a label for every image.
        notes: sentences for the user.
        usual: drawn images that are usual, as PNG files; empty without a typicality.
    """

    model: onnx.ModelProto
    manifest: Manifest
    verdicts: Verdicts | None = None
    notes: tuple[str, ...] = ()
    usual: tuple[bytes, ...] = ()


def check(rule: VerdictRule, classes: Sequence[str], threshold: float | None) -> None:
    """Refuse a rule that does not fit the classes.

    Raises:
        UsageError: it does not.
    """
    if rule.ood_limit is not None:
        check_share(rule.ood_limit, "--ood-limit")
    if rule.open_class is not None:
        if len(classes) != 2 or rule.open_class not in classes:
            raise UsageError(
                f"--open-class must be one of two classes, and the model has {', '.join(classes)}"
            )
        if not rule.typicality:
            raise UsageError("--open-class needs the typicality; leave out --no-typicality")
    if rule.abstain_error is not None:
        check_share(rule.abstain_error, "--abstain-error")
        if len(classes) > 2 and threshold is not None:
            raise UsageError(
                "--abstain-error chooses the threshold of three or more classes; leave out "
                "--threshold"
            )


def with_rule(
    model: onnx.ModelProto,
    manifest: Manifest,
    rule: VerdictRule,
    material: Material,
    drawn: Pixels,
) -> Ruled:
    """Add the typicality and the abstention.

    Args:
        model: the finished network.
        manifest: its manifest.
        rule: what was requested.
        material: the images.
        drawn: a batch to measure the speed with, uint8 [32, size, size, 3].

    Raises:
        GateError: the graph computes another typicality than the reference.
        UsageError: the wanted share of wrong labels cannot be reached.
        DatasetError: images are unreadable, or have changed since the training.
    """
    notes: tuple[str, ...] = ()
    fitted: Fitted | None = None
    whole, described = model, manifest
    if rule.typicality:
        threshold = manifest.decision.threshold
        found = fit_typicality(material, rule.open_class, 0.5 if threshold is None else threshold)
        if isinstance(found, Fitted):
            fitted, notes = found, found.notes
            whole = graph.with_typicality(model, found.description, manifest.outputs.scores)
            described = _described(manifest, found, rule)
        elif rule.open_class is not None:
            raise UsageError(f"--open-class needs a typicality, but {found}")
        else:
            notes = (f"no typicality: {found}",)
    if fitted is None and rule.abstain_error is None:
        return Ruled(model, manifest, None, notes)
    session = sessions.session(whole, described)
    labels, result = _scored(session, material)
    if rule.abstain_error is not None:
        decision = _abstaining(described.decision, labels, result.scores, rule.abstain_error)
        described = replace(described, decision=decision)
        if decision.abstain is None and not (len(manifest.classes) > 2 and decision.threshold):
            needless = (
                f"no score is left uncertain: at most {rule.abstain_error:.2%} of the labels of "
                "the validation images are wrong without that"
            )
            notes = (*notes, needless)
    measured: Typicality | None = None
    usual: tuple[bytes, ...] = ()
    if fitted is not None:
        difference = _difference(session, fitted.description, material)
        single, batch = _cost(sessions.session(model, manifest), session, drawn)
        usual = tuple(
            as_png(usual_example(fitted.description, material.preprocessing, seed), smallest=True)
            for seed in range(_USUAL)
        )
        measured = Typicality(fitted.sources, fitted.held_out, difference, single, batch)
    counted = _counted(described, labels, result, measured)
    return Ruled(whole, described, counted, notes, usual)


def _described(manifest: Manifest, found: Fitted, rule: VerdictRule) -> Manifest:
    limits = replace(manifest.decision, ood_limit=rule.ood_limit, open_class=rule.open_class)
    document = {
        "sources": dict(found.sources),
        "calibration": {"validation_images": found.held_out}
        if found.held_out
        else {"method": "cross-validation"},
    }
    return replace(
        manifest,
        outputs=replace(manifest.outputs, typicality=graph.OUTPUT),
        decision=limits,
        training={**manifest.training, "typicality": document},
    )


def _scored(session: Session, material: Material) -> tuple[Labels, Result]:
    """The classes of the validation images, and what the file computes for them."""
    labels, results = [], []
    for part in images.chunks(material.files["Valid"], material):
        labels.append(part.labels)
        results.append(sessions.run(session, part.pixels))
    return np.concatenate(labels), sessions.joined(results)


def _abstaining(
    decision: DecisionRule, labels: Labels, scores: Probabilities, error: float
) -> DecisionRule:
    if scores.shape[1] == 2:
        assert decision.threshold is not None
        return replace(decision, abstain=abstention.band(labels, scores, decision.threshold, error))
    return replace(decision, threshold=abstention.least_probability(labels, scores, error))


def _difference(session: Session, description: Description, material: Material) -> float:
    """The largest difference of a typicality from the reference.

    Raises:
        GateError: it is too large.
    """
    every = -(-len(material.files["Valid"]) // _COMPARED)
    files = material.files["Valid"][::every]
    pixels = images.load(files, material).pixels
    found = sessions.run(session, pixels)
    expected = description.typicality(pixels, found.scores[:, -1])
    assert found.typicality is not None
    difference = float(np.max(np.abs(found.typicality - expected)))
    # `not <=` because NaN must fail, too.
    if not difference <= TYPICALITY_TOLERANCE:
        raise GateError(
            f"the exported file computes a typicality that differs by {difference:.1e} from its "
            f"definition (the limit is {TYPICALITY_TOLERANCE:.0e}); nothing was written"
        )
    return difference


def _cost(plain: Session, whole: Session, drawn: Pixels) -> tuple[float, float]:
    """The time of the typicality as a share of the network's, for one image and a batch."""
    single = speed.milliseconds_per_image([plain, whole], drawn[:1], runs=240)
    batch = speed.milliseconds_per_image([plain, whole], drawn)
    return single[1] / single[0] - 1, batch[1] / batch[0] - 1


def _counted(
    manifest: Manifest, labels: Labels, result: Result, typicality: Typicality | None
) -> Verdicts:
    verdicts = Decision(manifest).verdicts(result.scores, result.typicality)
    names = [manifest.classes[label] for label in labels.tolist()]

    def count(status: str | None = None) -> dict[str, int]:
        chosen = [
            name
            for name, verdict in zip(names, verdicts, strict=True)
            if status in (None, verdict.status)
        ]
        return {name: chosen.count(name) for name in manifest.classes}

    return Verdicts(
        count(), count("out_of_distribution"), count("uncertain"), manifest.decision, typicality
    )
