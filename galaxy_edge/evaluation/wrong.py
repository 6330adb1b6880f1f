"""A contact sheet of the images whose scores are farthest from their class."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from operator import itemgetter
from pathlib import Path

from PIL import Image

from galaxy_edge.drawing.sheet import TILE, contact_sheet
from galaxy_edge.errors import ImageError
from galaxy_edge.evaluation.evaluation import Evaluation
from galaxy_edge.evaluation.sources import Input, Member
from galaxy_edge.inputs.images import read
from galaxy_edge.inputs.preprocessing import Stretch
from galaxy_edge.inputs.source import Content, Source
from galaxy_edge.outputs.text import printable

_COLUMNS = 6
#: Images of each class. Often most wrong images are of one class, which would hide the other.
_SHOWN = 2 * _COLUMNS


def most_wrong(evaluation: Evaluation, stretch: Stretch) -> bytes:
    """Draw a contact sheet of the images farthest from their class, the negative class first.

    The caption of an image shows its score and verdict, its source and its file name. If few
    verdicts are wrong, the least certain of the correct ones follow.

    Args:
        evaluation: the scores; the images are read again.
        stretch: how FITS images are converted to RGB.

    Returns:
        The contents of a PNG file.
    """
    found = [pair for label in (0, 1) for pair in _farthest(evaluation, label)]
    images = tiles([image for image, _ in found], stretch)
    captions = [caption for _, caption in found]
    file = io.BytesIO()
    contact_sheet(images, captions, _COLUMNS).save(file, "PNG")
    return file.getvalue()


def _farthest(evaluation: Evaluation, label: int) -> Iterator[tuple[Input, str]]:
    found = [
        (abs(row.score - label), image, row, scored.source.title(evaluation.classes))
        for scored in evaluation.sources
        if scored.source.label == label
        for image, row in zip(scored.source.images, scored.predictions, strict=True)
        if row.score is not None
    ]
    for _, image, row, title in sorted(found, key=itemgetter(0), reverse=True)[:_SHOWN]:
        name = Path(row.path or "").name
        yield (
            image,
            f"{row.score:.4f} {row.label or row.status}\n{printable(title)}\n{printable(name)}",
        )


def tiles(images: Sequence[Input], stretch: Stretch) -> list[Image.Image]:
    """Images for a contact sheet, at most as large as a tile; a grey pixel for one that is gone."""
    found: dict[str, Source] = {}
    for container in dict.fromkeys(one.container for one in images if isinstance(one, Member)):
        wanted = {one.path for one in images if isinstance(one, Member)}
        found |= {str(one.path): one for one in container.sources() if one.path in wanted}
    return [
        _picture(found.get(one.path) if isinstance(one, Member) else one, stretch) for one in images
    ]


def _picture(image: Source | Content | None, stretch: Stretch) -> Image.Image:
    gone = Image.new("RGB", (1, 1), "grey")
    if image is None:
        return gone
    try:
        picture = read(image, stretch)
    except ImageError:  # it has been removed or changed since it was scored
        return gone
    # Two dozen large images would take gigabytes of memory.
    picture.thumbnail((TILE, TILE))
    return picture
