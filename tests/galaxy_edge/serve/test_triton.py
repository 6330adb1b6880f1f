"""Triton's own client understands the server.

It brings gevent, which few need, so `.ci/run` has it in an environment of its own.
"""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from galaxy_edge import Predictor
from tests.galaxy_edge.serve.servers import EXAMPLES, Server

triton = pytest.importorskip("tritonclient.http", reason="tritonclient[http] is not installed")
NAME = "galaxy-edge"


@pytest.fixture
def client(server: Server):
    with triton.InferenceServerClient(f"{server.host}:{server.port}") as one:
        yield one


def files(*contents: bytes):
    tensor = triton.InferInput("encoded", [len(contents)], "BYTES")
    return tensor.set_data_from_numpy(np.array([*contents], object))


def test_health_and_metadata(client):
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready(NAME)
    assert not client.is_model_ready("other")
    assert client.get_server_metadata()["name"] == NAME
    assert client.get_model_metadata(NAME)["outputs"][0]["name"] == "score"


def test_files_score_as_in_python(client, predictor: Predictor):
    contents = [path.read_bytes() for path in EXAMPLES[:3]]
    found = client.infer(NAME, [files(*contents, b"no image")], request_id="7")
    expected = [predictor.predict(one) for one in contents]
    assert found.get_response()["id"] == "7"
    scores = np.float32([[one.score] for one in expected])
    assert np.array_equal(found.as_numpy("score"), np.vstack([scores, [[np.nan]]]), equal_nan=True)
    assert found.as_numpy("label").tolist() == [*(one.label.encode() for one in expected), b""]
    assert found.as_numpy("status")[-1] == b"error"
    assert json.loads(found.as_numpy("row")[0]) == expected[0].row()


@pytest.mark.parametrize("binary", [True, False])
def test_pixels_as_json_and_binary(client, predictor: Predictor, binary: bool):
    pixels = np.stack([np.asarray(Image.open(path).convert("RGB")) for path in EXAMPLES[:2]])
    tensor = triton.InferInput("image", pixels.shape, "UINT8")
    tensor.set_data_from_numpy(pixels, binary_data=binary)
    wanted = [
        triton.InferRequestedOutput(one, binary_data=binary) for one in ("typicality", "label")
    ]
    found = client.infer(NAME, [tensor], outputs=wanted, model_version="1")
    expected = [predictor.predict(one) for one in pixels]
    assert np.array_equal(
        found.as_numpy("typicality"), np.float32([one.typicality for one in expected])
    )
    labels = [one if isinstance(one, str) else one.decode() for one in found.as_numpy("label")]
    assert labels == [one.label for one in expected]
    assert found.as_numpy("score") is None


def test_a_fault_has_its_reason(client):
    with pytest.raises(triton.InferenceServerException, match="there is no model other"):
        client.infer("other", [files(b"")])
    with pytest.raises(triton.InferenceServerException, match="the input must be image"):
        client.infer(NAME, [triton.InferInput("x", [1], "BYTES").set_data_from_numpy(
            np.array([b""], object))])  # fmt: skip
