"""What an evaluation is of: a model and the data, as every document begins."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

from galaxy_edge.evaluation.bootstrap import LEVEL, Bootstrap
from galaxy_edge.inputs.labelled import Split
from galaxy_edge.results import Prediction
from galaxy_edge.versions import runtimes

_PACKAGES = ("galaxy-edge", "numpy", "pillow", "scikit-learn")


@dataclass(frozen=True, slots=True)
class Run:
    """The model and the data.

    Attributes:
        data: the folder, as the user named it.
        split: the split that was evaluated, if any.
        classes: names of the classes; of two, the negative and the positive one.
        model: name of the model file.
        model_sha256: digest of the model file.
        threshold: of the decision; None if three or more classes have none.
        provider: the execution provider that computed the scores.
        bootstrap: how intervals were computed.
    """

    data: str
    split: Split | None
    classes: tuple[str, ...]
    model: str
    model_sha256: str
    threshold: float | None
    provider: str
    bootstrap: Bootstrap


def head(run: Run, images: int, scored: int, unreadable: Sequence[Prediction]) -> dict[str, Any]:
    """The first sections of the JSON document.

    Args:
        run: the model and the data.
        images: number of images.
        scored: how many of them have scores.
        unreadable: predictions of the others.
    """
    return {
        "model": {
            "name": run.model,
            "sha256": run.model_sha256,
            "classes": list(run.classes),
            "threshold": run.threshold,
            "provider": run.provider,
        },
        "versions": {"python": platform.python_version()}
        | {name: version(name) for name in _PACKAGES}
        # The name of the installed build: onnxruntime-gpu, onnxruntime-openvino, ...
        | runtimes(),
        "data": {
            "folder": run.data,
            "split": run.split,
            "images": images,
            "scored": scored,
            "unreadable": [{"path": one.path, "error": one.error} for one in unreadable],
        },
        "intervals": {"method": "percentile bootstrap, stratified by class", "level": LEVEL}
        | asdict(run.bootstrap),
    }
