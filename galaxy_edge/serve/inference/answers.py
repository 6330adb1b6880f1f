"""The outputs of the protocol: what a model has, and the tensors of an answer."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from starlette.responses import Response

from galaxy_edge.manifest import Manifest
from galaxy_edge.results import Prediction
from galaxy_edge.serve.answers import as_json
from galaxy_edge.serve.inference.asked import FILES, PIXELS, Asked
from galaxy_edge.serve.inference.tensors import Tensor

#: Model files have no versions in the sense of the protocol; clients need one.
VERSION = "1"


def metadata(name: str, manifest: Manifest) -> dict[str, Any]:
    """What the protocol says of a model.

    Args:
        name: of the model in paths.
        manifest: the model's.
    """
    return {
        "name": name,
        "versions": [VERSION],
        "platform": "onnxruntime_onnx",
        "inputs": [
            {"name": PIXELS, "datatype": "UINT8", "shape": [-1, -1, -1, 3], "optional": True},
            {"name": FILES, "datatype": "BYTES", "shape": [-1], "optional": True},
        ],
        "outputs": [
            {**one.document(), "shape": [-1, *one.shape[1:]]} for one in tensors((), manifest)
        ],
    }


def tensors(predictions: Sequence[Prediction], manifest: Manifest) -> list[Tensor]:
    """Predictions as tensors; scores and typicality have the names and shapes of the model file's.

    Args:
        predictions: N of them.
        manifest: the model's.
    """
    count = len(predictions)
    width = manifest.score_width
    if width == 1:
        scores = [one.score for one in predictions]
    else:
        scores = [value for one in predictions for value in one.scores.values()]
    found = [Tensor(manifest.outputs.scores, "FP32", (count, width), scores)]
    if manifest.outputs.typicality is not None:
        values = [one.typicality for one in predictions]
        found.append(Tensor(manifest.outputs.typicality, "FP32", (count,), values))
    texts: dict[str, list[str]] = {
        "status": [one.status for one in predictions],
        "label": [one.label or "" for one in predictions],
        "error": [one.error or "" for one in predictions],
        "row": [json.dumps(one.row()) for one in predictions],
    }
    return [*found, *(Tensor(name, "BYTES", (count,), every) for name, every in texts.items())]


def answer(
    name: str, request: Asked, predictions: Sequence[Prediction], manifest: Manifest
) -> Response:
    """The answer to a request: JSON, followed by the binary data that were requested.

    Args:
        name: of the model in paths.
        request: what the client asked.
        predictions: one for each of its images.
        manifest: the model's.
    """
    binary: list[bytes] = []
    outputs = []
    every = {one.name: one for one in tensors(predictions, manifest)}
    for output, as_binary in request.outputs.items():
        tensor = every[output]
        document = tensor.document()
        if as_binary:
            binary.append(tensor.binary())
            document["parameters"] = {"binary_data_size": len(binary[-1])}
        else:
            document["data"] = list(tensor.values)
        outputs.append(document)
    head: dict[str, Any] = {"model_name": name, "model_version": VERSION, "outputs": outputs}
    if request.id is not None:
        head["id"] = request.id
    if not binary:
        return as_json(head)
    text = json.dumps(head).encode()
    return Response(
        b"".join((text, *binary)),
        media_type="application/octet-stream",
        headers={"Inference-Header-Content-Length": str(len(text))},
    )
