"""The shapes of what a model takes and gives, or why export cannot use the model."""

from __future__ import annotations

from dataclasses import dataclass

from galaxy_edge.errors import ModelError, UsageError
from galaxy_edge.manifest import score_width
from galaxy_edge_export.trained import Trained


@dataclass(frozen=True, slots=True)
class ImageShape:
    """The shape of the images that a model takes.

    Attributes:
        size: height and width, pixels.
        channels: 3 for RGB, 1 for grey.
    """

    size: int
    channels: int


def of_image(trained: Trained, takes: object) -> ImageShape:
    """Read the shape of the images from the shape of a model's input.

    Args:
        trained: the model, with the size of its images if that is known.
        takes: the shape of the input; None stands for any number.

    Raises:
        ModelError: the model does not take batches of square images with one or three channels.
        UsageError: it takes images of any size, and no size was given.
    """
    start = f"{trained.path} takes input of shape {takes}"
    if not (isinstance(takes, tuple) and len(takes) == 4):
        raise ModelError(
            f"{start}; export needs a model of one image: (None, height, width, channels)"
        )
    batch, height, width, channels = takes
    if channels not in (1, 3):
        raise ModelError(
            f"{start}, with the channels first; build it with the channels last, copy the weights, "
            "and save it"
            if height in (1, 3)
            else f"{start}; export needs images with three channels (RGB) or one (grey)"
        )
    if batch is not None:
        raise ModelError(
            f"{start}, so it takes only batches of {batch}; build it with the input "
            f"{(None, *takes[1:])}, copy the weights, and save it"
        )
    sides = {side for side in (height, width) if side is not None}
    if len(sides) > 1:
        raise ModelError(f"{start}; export needs a model of square images")
    if not sides:
        if trained.size is None:
            raise UsageError(
                f"{trained.path} takes images of any size; give the size of its training images, "
                "in pixels, with --image-size"
            )
        return ImageShape(trained.size, channels)
    (size,) = sides
    if trained.size not in (None, size):
        remedy = (
            "leave out --image-size" if trained.bare else "its run folder belongs to another model"
        )
        raise ModelError(f"{start}, not of {trained.size} x {trained.size} pixels; {remedy}")
    return ImageShape(size, channels)


def check_output(trained: Trained, gives: object) -> None:
    """Refuse a model that does not give one score per image, or one per class.

    Args:
        trained: the model.
        gives: the shape of its output; None stands for any number.

    Raises:
        ModelError: the output has another shape.
    """
    width = score_width(trained.classes)
    if gives == (None, width) or (width == 1 and gives == (None, 2)):
        return
    if isinstance(gives, tuple) and len(gives) == 2 and (gives[1] or 0) > 2:
        raise ModelError(
            f"{trained.path} gives {gives[1]} numbers per image, and there are "
            f"{len(trained.classes)} classes; give one name for each number with --classes, in "
            "their order"
        )
    if width > 1:
        raise ModelError(
            f"{trained.path} gives output of shape {gives}, not (None, {width}) for "
            f'{width} classes; end the model in Dense({width}, activation="softmax")'
        )
    raise ModelError(
        f"{trained.path} gives output of shape {gives}, not (None, 1); export needs a model "
        "with one score per image or one per class"
    )
