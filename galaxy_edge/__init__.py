"""galaxy-edge: a galaxy cutout goes in, a verdict with its provenance comes out.

>>> from galaxy_edge import Predictor
>>> Predictor().predict("examples/diffusion_0.png").label
'Fake'

Importing this package loads neither onnxruntime nor numpy; the first use of a name does.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

from galaxy_edge.errors import (
    DatasetError,
    DeviceError,
    GalaxyEdgeError,
    GateError,
    ImageError,
    ModelError,
    UsageError,
)

# onnxruntime (1.31 and 1.32, but not 1.26) keeps a device ID and a database of events below
# ~/.cache/Microsoft, to be sent to Microsoft, unless this is set when it is imported. Users who
# want that set it to 0.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

if TYPE_CHECKING:
    from galaxy_edge import inputs
    from galaxy_edge.golden import verify
    from galaxy_edge.inputs.preprocessing import Preprocessing, Stretch
    from galaxy_edge.inputs.source import Source
    from galaxy_edge.inputs.stretch import colour
    from galaxy_edge.manifest import Manifest
    from galaxy_edge.predictor import Predictor
    from galaxy_edge.results import Prediction

__all__ = [
    "DatasetError",
    "DeviceError",
    "GalaxyEdgeError",
    "GateError",
    "ImageError",
    "Manifest",
    "ModelError",
    "Prediction",
    "Predictor",
    "Preprocessing",
    "Source",
    "Stretch",
    "UsageError",
    "colour",
    "inputs",
    "verify",
]

_MODULES = {
    "Manifest": "galaxy_edge.manifest",
    "Prediction": "galaxy_edge.results",
    "Predictor": "galaxy_edge.predictor",
    "Preprocessing": "galaxy_edge.inputs.preprocessing",
    "Source": "galaxy_edge.inputs.source",
    "Stretch": "galaxy_edge.inputs.preprocessing",
    "colour": "galaxy_edge.inputs.stretch",
    "verify": "galaxy_edge.golden",
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(import_module(_MODULES[name]), name)
    if name == "inputs":
        return import_module("galaxy_edge.inputs")
    raise AttributeError(f"module 'galaxy_edge' has no attribute {name!r}")
