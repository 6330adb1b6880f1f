"""The Open Inference Protocol: JSON and binary tensors, and what is wrong with a request."""

from __future__ import annotations

import base64
import json
import struct

import numpy as np
import pytest
from PIL import Image

from galaxy_edge import Predictor
from tests.galaxy_edge.serve.servers import EXAMPLES, Reply, Server

MODEL = "/v2/models/galaxy-edge"
GOOD = EXAMPLES[0].read_bytes()
PIXELS = np.stack([np.asarray(Image.open(path).convert("RGB")) for path in EXAMPLES[:3]])


def tensor(name: str, datatype: str, shape: list[int], **more: object) -> dict[str, object]:
    return {"name": name, "datatype": datatype, "shape": shape, **more}


def infer(
    server: Server, document: object, binary: bytes = b"", header: str | None = None
) -> Reply:
    head = json.dumps(document).encode()
    size = header or (str(len(head)) if binary else None)
    headers = {} if size is None else {"Inference_Header_Content_Length": size}
    return server.ask("POST", f"{MODEL}/infer", head + binary, **headers)


def outputs(reply: Reply) -> dict[str, object]:
    assert reply.status == 200, reply.body
    return {one["name"]: one["data"] for one in reply.json()["outputs"]}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/v2/health/live", {"live": True}),
        ("/v2/health/ready", {"ready": True}),
        (f"{MODEL}/ready", {"name": "galaxy-edge", "ready": True}),
        (f"{MODEL}/versions/1/ready", {"name": "galaxy-edge", "ready": True}),
    ],
)
def test_health(server: Server, path: str, expected: object):
    reply = server.ask("GET", path)
    assert (reply.status, reply.json()) == (200, expected)


def test_the_server_and_the_model_describe_themselves(server: Server):
    assert server.ask("GET", "/v2").json()["extensions"] == ["binary_tensor_data"]
    document = server.ask("GET", MODEL).json()
    assert document["name"] == "galaxy-edge"
    assert [one["name"] for one in document["inputs"]] == ["image", "encoded"]
    # Those of the model file come first, with its shapes.
    assert document["outputs"][:2] == [
        {"name": "score", "datatype": "FP32", "shape": [-1, 1]},
        {"name": "typicality", "datatype": "FP32", "shape": [-1]},
    ]
    for path in ("/v2/models/other", f"{MODEL}/versions/2", "/v2/models/other/ready"):
        assert server.ask("GET", path).status == 404


def test_pixels_score_as_in_python(server: Server, predictor: Predictor):
    expected = [predictor.predict(image) for image in PIXELS]
    document = {
        "id": "night 7",
        "inputs": [tensor("image", "UINT8", [3, 64, 64, 3], data=PIXELS[:3].tolist())],
    }
    reply = infer(server, document)
    assert reply.json()["id"] == "night 7"
    found = outputs(reply)
    assert found["score"] == [one.score for one in expected]
    assert found["typicality"] == [one.typicality for one in expected]
    assert found["label"] == [one.label for one in expected]
    assert [json.loads(row)["score"] for row in found["row"]] == found["score"]


def test_binary_pixels_and_binary_answers(server: Server, predictor: Predictor):
    document = {
        "inputs": [
            tensor("image", "UINT8", [3, 64, 64, 3], parameters={"binary_data_size": PIXELS.nbytes})
        ],
        "outputs": [
            {"name": "score", "parameters": {"binary_data": True}},
            {"name": "status"},
            {"name": "label", "parameters": {"binary_data": True}},
        ],
    }
    reply = infer(server, document, PIXELS.tobytes())
    size = int(reply.headers["inference-header-content-length"])
    score, status, label = json.loads(reply.body[:size])["outputs"]
    assert status["data"] == ["ok"] * 3
    binary = reply.body[size:]
    assert len(binary) == sum(one["parameters"]["binary_data_size"] for one in (score, label))
    expected = [predictor.predict(image) for image in PIXELS]
    numbers = np.frombuffer(binary[:12], "<f4")
    assert numbers.tolist() == np.float32([one.score for one in expected]).tolist()
    texts = b"".join(struct.pack("<I", len(one.label)) + one.label.encode() for one in expected)
    assert binary[12:] == texts


def test_files_and_a_bad_one(server: Server, predictor: Predictor):
    data = [[base64.b64encode(one).decode()] for one in (GOOD, b"no image")]
    found = outputs(infer(server, {"inputs": [tensor("encoded", "BYTES", [2, 1], data=data)]}))
    assert found["score"] == [predictor.predict(GOOD).score, None]
    assert found["status"] == ["ok", "error"]
    assert found["error"][0] == ""
    assert found["error"][1].startswith("not an image")
    binary = b"".join(struct.pack("<I", len(one)) + one for one in (GOOD, b"no image"))
    parameters = {"binary_data_size": len(binary)}
    same = {"inputs": [tensor("encoded", "BYTES", [2], parameters=parameters)]}
    assert outputs(infer(server, same, binary)) == found


def test_grey_pixels_of_any_size(server: Server, predictor: Predictor):
    grey = PIXELS[:1, :50, :40, :1]
    document = {
        "inputs": [tensor("image", "UINT8", [1, 50, 40, 1], data=grey.ravel().tolist())],
        "outputs": [{"name": "score"}],
    }
    assert outputs(infer(server, document)) == {
        "score": [predictor.predict(np.ascontiguousarray(grey[0, ..., 0])).score]
    }


def test_no_images_are_an_empty_answer(server: Server):
    found = outputs(infer(server, {"inputs": [tensor("encoded", "BYTES", [0], data=[])]}))
    assert set(map(str, found.values())) == {"[]"}


ONE = [1, 1, 1, 3]


@pytest.mark.parametrize(
    ("document", "status", "reason"),
    [
        ([], 400, "the request must be a JSON object"),
        ({}, 400, "inputs must be a list"),
        ({"inputs": [1]}, 400, "inputs must be a list"),
        ({"inputs": [tensor("x", "UINT8", ONE)]}, 400, "the input must be image"),
        ({"inputs": [tensor("image", "FP32", ONE)]}, 400, "the input must be image"),
        ({"inputs": [tensor("image", "UINT8", [-1])]}, 400, "the input image needs a shape"),
        ({"inputs": [tensor("image", "UINT8", [3])]}, 400, "the shape of image must be"),
        ({"inputs": [tensor("image", "UINT8", [1, 0, 9, 3])]}, 400, "the shape of image must be"),
        ({"inputs": [tensor("image", "UINT8", ONE)]}, 400, "the data of the input image"),
        ({"inputs": [tensor("image", "UINT8", ONE, data=[1, 2])]}, 400, "the data of the"),
        ({"inputs": [tensor("image", "UINT8", ONE, data=[1, 2, 256])]}, 400, "the data of the"),
        ({"inputs": [tensor("image", "UINT8", ONE, data=[1, 2, 0.5])]}, 400, "the data of the"),
        ({"inputs": [tensor("image", "UINT8", ONE, data=[1, [2], 3])]}, 400, "the data of the"),
        ({"inputs": [tensor("encoded", "BYTES", [2], data=["YQ=="])]}, 400, "the input encoded"),
        ({"inputs": [tensor("encoded", "BYTES", [1], data=["?"])]}, 400, "the data of the input"),
        ({"inputs": [tensor("encoded", "BYTES", [1001], data=[])]}, 413, "a request may have"),
        (
            {"inputs": [tensor("encoded", "BYTES", [1], parameters={"shared_memory_region": "a"})]},
            400,
            "this server reads no shared memory",
        ),
        (
            {"inputs": [tensor("encoded", "BYTES", [1], parameters={"binary_data_size": 9})]},
            400,
            "binary_data_size is not 0",
        ),
        (
            {"inputs": [tensor("encoded", "BYTES", [0], data=[])], "outputs": [{"name": "x"}]},
            400,
            "there is no output x",
        ),
        (
            {
                "inputs": [tensor("encoded", "BYTES", [0], data=[])],
                "outputs": [{"name": "score", "parameters": {"classification": 1}}],
            },
            400,
            "outputs here have neither",
        ),
    ],
)
def test_what_is_wrong_is_said(server: Server, document: object, status: int, reason: str):
    reply = infer(server, document)
    assert reply.status == status
    assert reply.json()["error"].startswith(reason)


@pytest.mark.parametrize("header", ["-1", "x", "9" * 30, "1000000"])
def test_a_wrong_length_of_the_header(server: Server, header: str):
    assert infer(server, {}, header=header).status == 400


def test_binary_data_that_are_cut_off(server: Server):
    document = {"inputs": [tensor("encoded", "BYTES", [1], parameters={"binary_data_size": 6})]}
    assert "cut off" in infer(server, document, struct.pack("<I", 9) + b"ab").json()["error"]


def test_more_numbers_than_memory_are_refused():
    from galaxy_edge.serve.inference.asked import asked
    from galaxy_edge.serve.limits import RefusedError

    with pytest.raises(RefusedError, match="send them as binary data"):
        asked(b"[" * 4_000_001, None, ("score",), 1000)
