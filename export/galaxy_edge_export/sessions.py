"""Run a converted model before it is a file."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version

import numpy as np
import onnx

from galaxy_edge.engine.session import Result, Session
from galaxy_edge.inputs.images import Pixels
from galaxy_edge.manifest import Manifest

_BATCH = 32


def session(model: onnx.ModelProto, manifest: Manifest) -> Session:
    """A session on the CPU."""
    return Session(serialise(model, manifest), device="cpu")


def serialise(model: onnx.ModelProto, manifest: Manifest) -> bytes:
    """The bytes of the file."""
    described = onnx.ModelProto()
    described.CopyFrom(model)
    described.producer_name = "galaxy-edge"
    described.producer_version = version("galaxy-edge")
    del described.metadata_props[:]
    onnx.helper.set_model_props(described, manifest.to_metadata())
    onnx.checker.check_model(described, full_check=True)
    return bytes(described.SerializeToString(deterministic=True))


def run(session: Session, pixels: Pixels) -> Result:
    """Score images in batches.

    Args:
        session: the model.
        pixels: uint8 [N, size, size, 3]; N at least 1.
    """
    batches = np.array_split(pixels, -(-len(pixels) // _BATCH))
    return joined([session.run(batch) for batch in batches])


def joined(results: Sequence[Result]) -> Result:
    """One result of several, at least one."""
    typicality = [one.typicality for one in results if one.typicality is not None]
    return Result(
        np.concatenate([one.scores for one in results]),
        np.concatenate(typicality) if typicality else None,
    )
