"""Parse and check option values for several commands."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from galaxy_edge.errors import UsageError
from galaxy_edge.inputs.formats import split_dataset, split_extension

if TYPE_CHECKING:
    from galaxy_edge.inputs.containers.layout import Cutout, Layout


def class_names(text: str) -> tuple[str, ...]:
    """``a,b,c`` -> two or more class names."""
    return tuple(name.strip() for name in text.split(","))


def whole_numbers(text: str, option: str) -> tuple[int, ...]:
    """Parse whole numbers, as in ``32,64``."""
    try:
        return tuple(int(number) for number in text.split(","))
    except ValueError:
        raise UsageError(
            f"{option} takes whole numbers separated by commas, not {text!r}"
        ) from None


def ood_limit(text: str | None) -> float | None:
    """The value of --ood-limit for a `Predictor`: 0, which accepts all, for ``off``."""
    if text is None:
        return None
    limit = number_or("off", text, "--ood-limit")
    return 0.0 if limit is None else limit


def number_or(word: str, text: str, option: str) -> float | None:
    """Parse a number, or the word (``off``, ``auto``) that means None."""
    if text.casefold() == word:
        return None
    try:
        return float(text)
    except ValueError:
        raise UsageError(f"{option} takes a number or `{word}`, not {text!r}") from None


def stretch(
    bands: str | None,
    minimum: str | None,
    stretch: str | None,
    q: float | None,
    bit_depth: int | None = None,
    kind: str | None = None,
    percentiles: str | None = None,
) -> dict[str, Any]:
    """The parameters of `galaxy_edge.Stretch` that were given; the others are left out."""
    given: dict[str, Any] = {}
    if bands is not None:
        given["bands"] = tuple(band.strip() for band in bands.split(","))
    if minimum is not None:
        given["minimum"] = number_or("auto", minimum, "--minimum")
    if stretch is not None:
        given["stretch"] = number_or("auto", stretch, "--stretch")
    if q is not None:
        given["q"] = q
    if bit_depth is not None:
        given["bit_depth"] = bit_depth
    if kind is not None:
        given["kind"] = kind
    if percentiles is not None:
        try:
            given["percentiles"] = tuple(float(number) for number in percentiles.split(","))
        except ValueError:
            raise UsageError(
                f"--percentiles takes two numbers separated by a comma, not {percentiles!r}"
            ) from None
    return given


def names(text: str | None) -> tuple[str, ...]:
    """``a,b`` -> names; none for None."""
    return () if text is None else tuple(name.strip() for name in text.split(","))


def layout(
    image_column: str | None = None,
    id_column: str | None = None,
    keep: tuple[str, ...] = (),
    catalogue: Path | None = None,
    size: int | None = None,
    sky_columns: str | None = None,
    pixel_columns: str | None = None,
    cutout: Cutout | None = None,
) -> Layout | None:
    """How containers are read; None if no option for them was given.

    Raises:
        UsageError: options exclude each other, or one is missing.
    """
    given = (image_column, id_column, keep or None, catalogue, size, sky_columns, pixel_columns)
    if all(one is None for one in (*given, cutout)):
        return None
    from galaxy_edge.inputs.containers.layout import Layout

    return Layout(
        image_column,
        id_column,
        keep,
        catalogue,
        size,
        _pair(sky_columns, "--sky-columns"),
        _pair(pixel_columns, "--pixel-columns"),
        cutout,
    )


def one_model(argument: Path | None, option: Path | None) -> Path | None:
    """The model file, given as an argument or after -m."""
    if argument is not None and option is not None:
        raise UsageError(f"give one model file, not {argument} and -m {option}")
    return option if argument is None else argument


def _pair(text: str | None, option: str) -> tuple[str, str] | None:
    if text is None:
        return None
    found = names(text)
    if len(found) != 2:
        raise UsageError(f"{option} takes two names separated by a comma, not {text!r}")
    return found[0], found[1]


def check_not_an_input(output: Path | None, paths: list[str]) -> None:
    """Refuse an output that is also an input, because opening it would empty it."""
    if output is None or not output.exists():
        return
    for path in (split_dataset(split_extension(path)[0])[0] for path in paths):
        if os.path.exists(path) and output.samefile(path):  # noqa: PTH110 - never raises
            raise UsageError(
                f"the output {output} is also an input and would be overwritten; choose another "
                "output"
            )
