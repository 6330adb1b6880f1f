"""A model with three classes: its rows, and all probabilities in the protocol."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from galaxy_edge import Predictor
from galaxy_edge.manifest import DecisionRule
from tests.galaxy_edge.serve.servers import Server, parts
from tests.galaxy_edge.test_classes import CLASSES, IMAGES, check, encoded, file


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return file(tmp_path / "three colours.onnx", DecisionRule(0.9, None, 0.01))


def test_three_classes(start: Callable[..., Server], model: Path):
    server = start("-m", model)
    files = [*((name, encoded(image)) for name, image in IMAGES.items()), ("empty.png", b"")]
    body, kind = parts(*files)
    rows = server.ask("POST", "/v1/predict", body, Content_Type=kind).json()
    check([row | {"path": row["id"]} for row in rows])
    assert server.ask("GET", "/v1/model").json()["classes"] == list(CLASSES)
    path = "/v2/models/three%20colours"
    document = server.ask("GET", path).json()
    assert document["outputs"][0] == {"name": "scores", "datatype": "FP32", "shape": [-1, 3]}
    pixels = np.stack([*IMAGES.values()])
    tensor = {"name": "image", "datatype": "UINT8", "shape": [4, 8, 8, 3], "data": pixels.tolist()}
    asked = {"inputs": [tensor], "outputs": [{"name": "scores"}, {"name": "status"}]}
    scores, status = server.ask("POST", f"{path}/infer", json.dumps(asked).encode()).json()[
        "outputs"
    ]
    expected = [Predictor(model).predict(image) for image in IMAGES.values()]
    assert scores["shape"] == [4, 3]
    assert scores["data"] == [value for one in expected for value in one.scores.values()]
    assert status["data"] == [one.status for one in expected]
