"""Option values that several commands read alike."""

from __future__ import annotations

from galaxy_edge.errors import UsageError


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


def number_or_off(text: str, option: str) -> float | None:
    """``0.99`` -> a number, ``off`` -> None."""
    if text.casefold() == "off":
        return None
    try:
        return float(text)
    except ValueError:
        raise UsageError(f"{option} takes a number or `off`, not {text!r}") from None
