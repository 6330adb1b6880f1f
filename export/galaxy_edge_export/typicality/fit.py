"""Fit what is usual to the training images of a model."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from galaxy_edge.inputs.labelled import LabelledFile
from galaxy_edge_export import images
from galaxy_edge_export.material import Material
from galaxy_edge_export.typicality.description import Description, OpenClass, seen_statistics
from galaxy_edge_export.typicality.gaussians import Familiar, familiar, fit
from galaxy_edge_export.typicality.statistics import Statistics
from galaxy_edge_export.typicality.view import View, view

#: A source with fewer images is one with the rest of its class.
SMALL = 100
#: With fewer validation images, the calibration is a cross-validation over the training images.
HELD_OUT = 200
#: With fewer training images, the calibration is rough.
FEW = 200
#: With fewer training images of a class, nothing is fitted.
FEWEST = 10
#: More images of a source take time and change little.
_MOST = 4000
#: A source of an open class counts if at least `_UNLIKE` of the closed class are less usual in it
#: than all but `_ODDEST` of its own images.
_ODDEST, _UNLIKE = 0.01, 0.5


@dataclass(frozen=True, slots=True)
class Fitted:
    """What was fitted, and to what.

    Attributes:
        description: what is usual.
        sources: names of the sources, such as Real/efigi, and their numbers of images.
        held_out: number of validation images of the calibration; 0 for a cross-validation.
        notes: sentences for the user.
    """

    description: Description
    sources: Mapping[str, int]
    held_out: int
    notes: tuple[str, ...] = ()


def fit_typicality(
    material: Material, open_class: str | None = None, threshold: float = 0.5
) -> Fitted | str:
    """Fit what is usual to the training images.

    Args:
        material: the images.
        open_class: name of the open-ended one of two classes.
        threshold: of the decision of two classes.

    Returns:
        The result; or why there is none, as the rest of a sentence.

    Raises:
        DatasetError: files are unreadable, or have changed since the training.
    """
    seen = view(material.preprocessing.size)
    if seen is None:
        return f"images of {material.preprocessing.size} px are too small"
    groups = [[label for label, name in enumerate(material.classes) if name != open_class]]
    if open_class is not None:
        groups.append([[*material.classes].index(open_class)])
    every = [_sources(material, seen, labels) for labels in groups]
    for labels, sources in zip(groups, every, strict=True):
        if not sources:
            names = " and ".join(material.classes[label] for label in labels)
            return f"{names} has fewer than {FEWEST} training images"
    notes: list[str] = []
    opened = None
    if open_class is not None:
        every[1], broad = _apart(every[1], np.concatenate([*every[0].values()]))
        closed = material.classes[groups[0][0]]
        notes += [
            f"{name} is no kind of its own: most images of {closed} would be usual in it; images "
            "like it are out of distribution unless they are usual elsewhere"
            for name in broad
        ]
        if every[1]:
            known, _ = _familiar(material, seen, every[1], groups[1], broad)
            opened = OpenClass(groups[1][0], known, threshold)
    found, held_out = _familiar(material, seen, every[0], groups[0])
    counts = {name: len(one) for sources in every for name, one in sources.items()}
    total = sum(counts.values())
    if total < FEW:
        notes.append(
            f"careful: the typicality is fitted to {total} training images; with fewer than {FEW}, "
            "it calls more images of the training kind out of distribution than the limit says"
        )
    return Fitted(Description(seen, found, opened), counts, held_out, tuple(notes))


def _familiar(
    material: Material,
    seen: View,
    sources: Mapping[str, Statistics],
    labels: Sequence[int],
    without: Sequence[str] = (),
) -> tuple[Familiar, int]:
    """Fit the sources of some classes, and calibrate on validation images except of some sources.

    Returns:
        The result, and the number of validation images; 0 for a cross-validation.
    """
    valid = _sample(
        [
            file
            for file in material.files["Valid"]
            if file.label in labels
            and f"{material.classes[file.label]}/{file.source}" not in without
        ],
        _MOST,
    )
    held_out = len(valid) if len(valid) >= HELD_OUT else 0
    others = _statistics(material, seen, valid) if held_out else None
    return familiar([*sources.values()], others), held_out


def _apart(
    sources: Mapping[str, Statistics], closed: Statistics
) -> tuple[dict[str, Statistics], list[str]]:
    """The sources of an open class that the closed class is unlike; and the names of the others.

    Images that were altered at random, for example, are of so many kinds that anything is usual
    among them, the closed class included.
    """
    kept, broad = {}, []
    for name, statistics in sources.items():
        one = fit(statistics)
        least = np.quantile(one.density(statistics), _ODDEST)
        if np.mean(one.density(closed) < least) >= _UNLIKE:
            kept[name] = statistics
        else:
            broad.append(name)
    return kept, broad


def _sources(material: Material, seen: View, labels: Sequence[int]) -> dict[str, Statistics]:
    """The statistics of each source of some classes, by its name; empty if a class has too few."""
    found: dict[str, Statistics] = {}
    for label in labels:
        by_source: defaultdict[str, list[LabelledFile]] = defaultdict(list)
        for file in material.files["Train"]:
            if file.label == label:
                by_source[file.source].append(file)
        name = material.classes[label]
        for source, files in _merged(by_source).items():
            if len(files) < FEWEST:
                return {}
            title = f"{name}/{source}" if source else name
            found[title] = _statistics(material, seen, _sample(files, _MOST))
    return found


def _merged(by_source: Mapping[str, list[LabelledFile]]) -> dict[str, list[LabelledFile]]:
    """Small sources are one, without a name; if that is small, too, one with the smallest other."""
    large = {name: files for name, files in by_source.items() if len(files) >= SMALL}
    rest = [file for files in by_source.values() if len(files) < SMALL for file in files]
    if rest and len(rest) < SMALL and large:
        smallest = min(large, key=lambda name: (len(large[name]), name))
        return large | {smallest: [*large[smallest], *rest]}
    return large | ({"": rest} if rest else {})


def _sample(files: Sequence[LabelledFile], most: int) -> Sequence[LabelledFile]:
    if len(files) <= most:
        return files
    chosen = np.random.default_rng(0).choice(len(files), most, replace=False)
    return [files[place] for place in sorted(chosen.tolist())]


def _statistics(material: Material, seen: View, files: Sequence[LabelledFile]) -> Statistics:
    parts = images.chunks(files, material)
    return np.concatenate([seen_statistics(seen, part.pixels) for part in parts])
