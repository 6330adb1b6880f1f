"""`/v1/predict` gives the rows of `predict`, in every form of request."""

from __future__ import annotations

import base64
import io
import json
from importlib import resources

import jsonschema
import numpy as np
import pytest
from PIL import Image

from galaxy_edge import Predictor, Source
from galaxy_edge.inputs.images import decode
from tests.galaxy_edge.serve.servers import BOUNDARY, EXAMPLES, Server, parts

GOOD = EXAMPLES[0].read_bytes()
LINES = "application/x-ndjson"


def line(image: bytes, **more: object) -> bytes:
    return json.dumps({"image": base64.b64encode(image).decode(), **more}).encode() + b"\n"


def test_one_body_gives_one_row(server: Server, predictor: Predictor):
    reply = server.ask("POST", "/v1/predict?id=M%2051", GOOD)
    assert reply.status == 200
    assert reply.json() == predictor.predict(Source(GOOD, id="M 51")).row()
    assert reply.headers["content-type"] == "application/json"


def test_curl_needs_no_content_type(server: Server, predictor: Predictor):
    # curl --data-binary says this if it is told nothing.
    kind = "application/x-www-form-urlencoded"
    reply = server.ask("POST", "/v1/predict", GOOD, Content_Type=kind)
    assert reply.json() == predictor.predict(GOOD).row()


def test_parts_give_rows_in_order(server: Server, predictor: Predictor):
    files = [(path.name, path.read_bytes()) for path in EXAMPLES[:5]]
    files.insert(2, ("µ \udcff.png".encode("utf-8", "surrogateescape").decode("latin-1"), b"no"))
    body, kind = parts(*files)
    rows = server.ask("POST", "/v1/predict", body, Content_Type=kind).json()
    expected = [predictor.predict(Source(content, id=name)).row() for name, content in files if
                content != b"no"]  # fmt: skip
    assert [row for row in rows if row["status"] != "error"] == expected
    assert rows[2]["error"].startswith("not an image")


def test_lines_give_lines(server: Server, predictor: Predictor):
    bad = [
        b"{", b"[1]", b'{"image": 5}', b'{"image": "?"}', b'{"image": "", "path": "/etc/passwd"}',
        b'{"image": "", "id": [1]}', b"[" * 5000, b'{"id": "a"}', b'{"image": ""}',
    ]  # fmt: skip
    body = line(GOOD, id="a") + b"\n".join(bad) + b"\n" + line(GOOD, id=7)
    reply = server.ask("POST", "/v1/predict", body, Content_Type=LINES)
    first, *failed, last = reply.lines()
    assert first == predictor.predict(Source(GOOD, id="a")).row()
    assert last == first | {"id": "7"}
    assert [row["status"] for row in failed] == ["error"] * len(bad)
    assert failed[-2]["id"] == "a"
    assert len({row["error"] for row in failed}) >= 7


def test_rows_have_the_schema(server: Server):
    schema = json.loads((resources.files("galaxy_edge.outputs") / "row.schema.json").read_text())
    body, kind = parts(("a", GOOD), ("b", b""), ("c", GOOD[:500]))
    for row in server.ask("POST", "/v1/predict", body, Content_Type=kind).json():
        jsonschema.validate(row, schema)


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "http://example.org/a.png"])
def test_a_name_is_never_read(server: Server, predictor: Predictor, name: str):
    body, kind = parts((name, GOOD))
    (row,) = server.ask("POST", "/v1/predict", body, Content_Type=kind).json()
    assert row == predictor.predict(Source(GOOD, id=name)).row()
    # As content, it is nothing but bytes.
    row = server.ask("POST", "/v1/predict", name.encode()).json()
    assert row["status"] == "error"
    assert row["path"] is None


def test_an_empty_body_is_a_row(server: Server):
    assert server.ask("POST", "/v1/predict", b"").json()["error"] == "empty: it has no bytes"


def test_odd_identifiers_come_back(server: Server):
    for name in ("\ud800", "\udc80", "\x00\n", "<b>", "é" * 500):
        reply = server.ask("POST", "/v1/predict", line(GOOD, id=name), Content_Type=LINES)
        (row,) = reply.lines()
        assert row["status"] == "ok"
        assert row["id"] == ("\\ud800" if name == "\ud800" else name)


@pytest.mark.parametrize(
    ("kind", "body", "status", "reason"),
    [
        ("multipart/form-data", b"", 400, "the parts cannot be read"),
        ("multipart/form-data; boundary=a", b"--b--", 400, "the parts cannot be read"),
        (
            "multipart/form-data; boundary=yW8zQ; charset=undefined",
            parts(("a", b"b"))[0],
            400,
            "the parts cannot be read",
        ),
        ("multipart/form-data; boundary=a", b"--a--\r\n", 400, "the request has no image"),
        (
            "multipart/form-data; boundary=a",
            b'--a\r\nContent-Disposition: form-data; name="x"\r\n\r\ny\r\n--a--\r\n',
            400,
            "the parts cannot be read: each part must be a file",
        ),
        (
            f"multipart/form-data; boundary={BOUNDARY}",
            parts(("a" * 9000, b"b"))[0],
            400,
            "the parts cannot be read",
        ),
        (LINES, b"\n \n", 400, "the request has no image"),
        (LINES, b"{}\n" * 1001, 413, "a request may have at most 1,000 images"),
        ("image/png", b"a" * 200_001, 413, "the body is larger than 200,000 bytes"),
    ],
)  # fmt: skip
def test_what_is_no_request_is_refused(
    server: Server, kind: str, body: bytes, status: int, reason: str
):
    reply = server.ask("POST", "/v1/predict", body, Content_Type=kind)
    assert reply.status == status
    assert reply.json()["error"].startswith(reason)


def test_too_many_parts_are_refused(server: Server):
    body, kind = parts(*[("a", b"") for _ in range(1001)])
    reply = server.ask("POST", "/v1/predict", body, Content_Type=kind)
    assert reply.status == 413
    assert "1,000 images" in reply.json()["error"]


def test_compressed_bodies_are_refused(server: Server):
    reply = server.ask("POST", "/v1/predict", GOOD, Content_Encoding="gzip")
    assert reply.status == 415


def test_the_model_tells_what_it_is(server: Server, predictor: Predictor):
    document = server.ask("GET", "/v1/model").json()
    assert document["sha256"] == predictor.sha256
    assert document["classes"] == ["Fake", "Real"]
    assert document["preprocessing"] == json.loads(
        json.dumps(predictor.manifest.sections()["preprocessing"])
    )
    assert document["limits"] == {"bytes": 200_000, "images": 1000}


def test_a_preview_is_what_the_network_sees(server: Server, predictor: Predictor):
    reply = server.ask("POST", "/v1/preview", GOOD)
    pixels = np.asarray(Image.open(io.BytesIO(reply.body)))
    assert np.array_equal(pixels, decode(GOOD, predictor.preprocessing))
    assert server.ask("POST", "/v1/preview", b"no").status == 422


def test_unknown_paths_and_methods(server: Server):
    assert server.ask("GET", "/examples/").status == 404
    assert server.ask("GET", "/v1/predict/").status == 404
    reply = server.ask("GET", "/v1/predict")
    assert (reply.status, reply.headers["allow"]) == (405, "POST")
    assert reply.json() == {"error": "GET /v1/predict: Method Not Allowed"}
    assert reply.headers["x-content-type-options"] == "nosniff"
