"""What the manifest says about a model's training, and what a user should know about its file."""

from __future__ import annotations

from typing import Any

from galaxy_edge.inputs.images import Pixels
from galaxy_edge_export import grey, ranges
from galaxy_edge_export.config import InputRange
from galaxy_edge_export.network import Network
from galaxy_edge_export.trained import Trained


def of(
    trained: Trained, network: Network, input_range: InputRange
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Describe a model.

    Args:
        trained: what is known about its training.
        network: the model.
        input_range: the pixel values that it takes.

    Returns:
        The training section of the manifest, and notes for the user, one phrase each.
    """
    known, notes = dict(trained.training), []
    if trained.bare:
        known["input_range"] = input_range
        source = "as given" if trained.input_range else "found in the model"
        notes.append(f"the network takes pixels of {input_range} ({source})")
    derived = ranges.derived(network.traced.image)
    if derived not in (None, input_range):
        notes.append(
            f"careful: the model begins as one that takes pixels of {derived}, not {input_range}"
        )
    if network.traced.channels == 1:
        known["grey"] = grey.DESCRIPTION
        notes.append(f"the network takes grey images; the file makes them: {grey.DESCRIPTION}")
    if trained.activation is not None:
        known["activation"] = trained.activation
        notes.append(f"{trained.activation} was added after the last layer")
    if (kind := network.precision) != "float32":
        known["computed_in"] = kind
        notes.append(f"Keras computes this model in {kind}; the file computes in float32")
    return known, tuple(notes)


def compared(real: Pixels | None) -> str:
    """Say on which images an fp16 file was compared with its source."""
    if real is None:
        return "compared on drawn galaxies only, because there are no validation images"
    return f"compared on drawn galaxies and {len(real)} validation images"
