"""Files and single images of containers in one list, such as those that a review has labelled."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from galaxy_edge.inputs.bands import Bands
from galaxy_edge.inputs.containers.labelled import in_order
from galaxy_edge.inputs.containers.layout import Layout
from galaxy_edge.inputs.containers.places import found_again, place_of
from galaxy_edge.inputs.labelled import LabelledFile
from galaxy_edge.inputs.source import Source


@dataclass(frozen=True, slots=True)
class MixedImages:
    """Files, and images of containers, which are read as often as needed.

    Attributes:
        layout: how the containers are read.
        bands: names of the bands for red, green and blue.
    """

    layout: Layout = field(default_factory=Layout)
    bands: Bands | None = None

    def is_contained(self, path: Path) -> bool:
        """Whether a path is a place in a container, and not a file."""
        name = str(path)
        if "#" not in name or os.path.exists(name):  # noqa: PTH110 - never raises
            return False
        return place_of(name, self.layout) is not None

    def of(self, files: Sequence[LabelledFile]) -> Iterator[Source]:
        """The image of each file, in order.

        One that cannot be found is a source whose content is the reason.

        Args:
            files: those in containers last, in the order of `sources`.

        Raises:
            ValueError: a file comes after an image of a container.
        """
        plain = [file for file in files if not self.is_contained(file.path)]
        contained = [*files[len(plain) :]]
        if [*files[: len(plain)]] != plain:
            raise ValueError("images of containers must come after the files")
        yield from (Source(file.path) for file in plain)
        yield from in_order(self.sources([file.path for file in contained]), contained)

    def sources(self, paths: Sequence[Path]) -> Iterator[Source]:
        """The images of containers, each container in its order: see `places.found_again`."""
        return found_again(map(str, paths), self.layout, self.bands)
