"""Which names classes can have."""

from __future__ import annotations

from collections.abc import Sequence

from galaxy_edge.errors import UsageError


def check_classes(classes: Sequence[str]) -> None:
    """Refuse anything but two or more different names that can each be printed in a line."""
    names = [*classes]
    if (
        len(names) < 2
        or any(not name or name.strip() != name or not name.isprintable() for name in names)
        or len({name.casefold() for name in names}) < len(names)
    ):
        raise UsageError(
            f"two or more different, printable class names are needed, not {' and '.join(names)!r}"
        )
