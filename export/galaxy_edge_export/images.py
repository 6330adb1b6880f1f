"""The images an export needs: a calibration sample and the validation set."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import numpy as np

from galaxy_edge.errors import DatasetError
from galaxy_edge.inputs import labelled
from galaxy_edge.inputs.images import Pixels
from galaxy_edge.inputs.labelled import LabelledFile, Loaded
from galaxy_edge.inputs.source import Source
from galaxy_edge_export.material import Material
from galaxy_edge_export.trained import Trained

_AT_ONCE = 256


def validation(trained: Trained) -> Pixels | None:
    """The validation images of the run that are still readable: uint8 [N, size, size, 3].

    Returns:
        None for a bare model, or if none of the images can be read any more.
    """
    files = trained.files.get("Valid", ())
    if trained.container is None:
        files = tuple(file for file in files if file.path.is_file())
    if not files:
        return None
    sources = None if trained.container is None else trained.container.of(files)
    pixels = labelled.load(files, trained.preprocessing, sources=sources).pixels
    return pixels if len(pixels) else None


def load(files: Sequence[LabelledFile], material: Material) -> Loaded:
    """Decode images of one split, and check that they have not changed since the training.

    Args:
        files: what to decode.
        material: says how to read and prepare them, and what their digests were.

    Raises:
        DatasetError: files are unreadable, or files of the run have changed since the training.
    """
    if material.container is None:
        return _checked(files, material)
    ordered = material.in_order(files)
    loaded = _checked(ordered, material, material.container.of(ordered))
    places = {file.path: place for place, file in enumerate(ordered)}
    order = [places[file.path] for file in files]
    return Loaded(
        tuple(files),
        tuple(loaded.digests[place] for place in order),
        loaded.pixels[order],
        loaded.labels[order],
        (),
    )


def chunks(files: Sequence[LabelledFile], material: Material) -> Iterator[Loaded]:
    """`load` files a few at a time, so that memory does not grow with their number.

    Images of a container come in its order, so that it is read once.
    """
    sources = None
    if material.container is not None:
        files = material.in_order(files)
        sources = material.container.of(files)
    for start in range(0, len(files), _AT_ONCE):
        part = files[start : start + _AT_ONCE]
        yield _checked(part, material, None if sources is None else islice(sources, len(part)))


def _checked(
    files: Sequence[LabelledFile], material: Material, sources: Iterable[Source] | None = None
) -> Loaded:
    loaded = labelled.load(files, material.preprocessing, sources=sources)
    problems = [f"{fault.path}: {fault.reason}" for fault in loaded.faults]
    problems += [
        f"{file.path} has changed since the training"
        for file, sha256 in zip(loaded.files, loaded.digests, strict=True)
        if material.digests.get(file.path, sha256) != sha256
    ]
    if problems:
        raise DatasetError("the data for the export", problems)
    return loaded


def calibration_sample(files: Sequence[LabelledFile], count: int, seed: int) -> list[LabelledFile]:
    """Choose a random sample with equally many files of each class.

    Args:
        files: the training files.
        count: total number of files; the sample is smaller if a class has fewer than its share.
        seed: the same seed chooses the same files.
    """
    rng = np.random.default_rng(seed)
    labels = sorted({file.label for file in files})
    classes = [[file for file in files if file.label == label] for label in labels]
    each = min(max(count // len(classes), 1), *map(len, classes))
    return [
        members[index]
        for members in classes
        for index in sorted(rng.choice(len(members), each, replace=False).tolist())
    ]
