"""KServe's own client understands the server; `.ci/run` has it in an environment of its own."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from PIL import Image

from galaxy_edge import Predictor
from tests.galaxy_edge.serve.servers import EXAMPLES, Server

kserve = pytest.importorskip("kserve", reason="kserve is not installed")
NAME = "galaxy-edge"


def ask(server: Server, method: str, *arguments: object, **options: object) -> Any:
    """Call a method of KServe's client with the address of the server."""

    async def call() -> Any:
        client = kserve.InferenceRESTClient(kserve.RESTConfig(protocol="v2"))
        try:
            address = f"http://{server.host}:{server.port}"
            return await getattr(client, method)(address, *arguments, **options)
        finally:
            await client.close()

    # In a thread of its own, because Playwright leaves its event loop running in this one.
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, call()).result()


def test_health(server: Server):
    assert ask(server, "is_server_live")
    assert ask(server, "is_server_ready")
    assert ask(server, "is_model_ready", NAME)


@pytest.mark.parametrize("binary", [True, False])
def test_pixels_score_as_in_python(server: Server, predictor: Predictor, binary: bool):
    pixels = np.stack([np.asarray(Image.open(path).convert("RGB")) for path in EXAMPLES[:3]])
    tensor = kserve.InferInput("image", list(pixels.shape), "UINT8")
    tensor.set_data_from_numpy(pixels, binary_data=binary)
    request = kserve.InferRequest(model_name=NAME, infer_inputs=[tensor])
    answer = ask(server, "infer", request, model_name=NAME)
    found = {one.name: one for one in answer.outputs}
    expected = [predictor.predict(one) for one in pixels]
    assert np.array_equal(
        found["score"].as_numpy().ravel(), np.float32([one.score for one in expected])
    )
    assert [json.loads(row) for row in found["row"].data] == [one.row() for one in expected]
