"""Option values that several commands read alike."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from galaxy_edge.errors import UsageError
from galaxy_edge.inputs.formats import split_extension


def classes(text: str) -> tuple[str, str]:
    """``Fake,Real`` -> the negative and the positive class."""
    names = tuple(name.strip() for name in text.split(","))
    if len(names) != 2:
        raise UsageError(f"--classes takes two names, NEGATIVE,POSITIVE, not {text!r}")
    return names[0], names[1]


def whole_numbers(text: str, option: str) -> tuple[int, ...]:
    """``32,64`` -> whole numbers."""
    try:
        return tuple(int(number) for number in text.split(","))
    except ValueError:
        raise UsageError(f"{option} takes whole numbers, N,N,..., not {text!r}") from None


def number_or(word: str, text: str, option: str) -> float | None:
    """``0.99`` -> a number; the word (``off``, ``auto``) -> None."""
    if text.casefold() == word:
        return None
    try:
        return float(text)
    except ValueError:
        raise UsageError(f"{option} takes a number or `{word}`, not {text!r}") from None


def stretch(
    bands: str | None, minimum: str | None, stretch: str | None, q: float | None
) -> dict[str, Any]:
    """The parameters of the stretch that were given, as `inputs.preprocessing.Stretch` has them."""
    given: dict[str, Any] = {}
    if bands is not None:
        given["bands"] = tuple(band.strip() for band in bands.split(","))
    if minimum is not None:
        given["minimum"] = number_or("auto", minimum, "--minimum")
    if stretch is not None:
        given["stretch"] = number_or("auto", stretch, "--stretch")
    if q is not None:
        given["q"] = q
    return given


def check_spares(output: Path | None, paths: list[str]) -> None:
    """Refuse an output that is one of the inputs: opening it would empty it."""
    if output is None or not output.exists():
        return
    for path in (split_extension(path)[0] for path in paths):
        if os.path.exists(path) and output.samefile(path):  # noqa: PTH110 - never raises
            raise UsageError(f"the output {output} is an input, too, and would be lost")
