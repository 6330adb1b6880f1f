"""No body, header or address makes the server fail."""

from __future__ import annotations

import http.client

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.galaxy_edge.serve.servers import BOUNDARY, EXAMPLES, Server, parts

GOOD = EXAMPLES[0].read_bytes()
BINARY = (
    b'{"inputs": [{"name": "image", "datatype": "UINT8", "shape": [1, 1, 1, 3], "parameters": '
    b'{"binary_data_size": 3}}], "outputs": [{"name": "score"}]}abc'
)
SEEDS = [
    GOOD[:300],
    parts(("a", GOOD[:200]), ("b", b""))[0],
    b'{"id": "a", "image": "aGVsbG8="}\n{"image": 1}\n',
    b'{"inputs": [{"name": "encoded", "datatype": "BYTES", "shape": [1], "data": ["aGk="]}]}',
    BINARY,
]
KINDS = [
    "image/png", "application/x-ndjson", "application/json", "", "multipart/form-data", "\xff",
    f"multipart/form-data; boundary={BOUNDARY}", "multipart/form-data; boundary=a; charset=idna",
    f"multipart/form-data; boundary={BOUNDARY}; charset=unicode_escape",
]  # fmt: skip
PATHS = ["/v1/predict", "/v1/preview", "/v2/models/galaxy-edge/infer"]
fuzzing = settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@st.composite
def altered(draw: st.DrawFn) -> bytes:
    """A body, with some bytes changed, repeated or cut."""
    body = bytearray(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(0, 6))):
        place = draw(st.integers(0, len(body)))
        length = draw(st.integers(0, 12))
        body[place : place + length] = draw(st.binary(max_size=12))
    return bytes(body)


@fuzzing
@given(
    path=st.sampled_from(PATHS),
    kind=st.sampled_from(KINDS),
    body=st.one_of(altered(), st.binary(max_size=200)),
    header=st.one_of(st.none(), st.integers(-1, 300).map(str), st.just("\xb2")),
)
def test_any_body_is_answered_or_refused(
    server: Server, path: str, kind: str, body: bytes, header: str | None
):
    headers = {"Content_Type": kind}
    if header is not None:
        headers["Inference_Header_Content_Length"] = header
    reply = server.ask("POST", path, body, **headers)
    assert reply.status < 500, reply.body
    assert reply.status == 200 or reply.json()["error"]


@fuzzing
@given(path=st.text(st.characters(min_codepoint=33, max_codepoint=255, exclude_characters="\x7f")))
def test_any_address_is_answered_or_refused(server: Server, path: str):
    connection = server.connect()
    connection.putrequest("GET", "/", skip_accept_encoding=True)
    connection._buffer[0] = f"GET /{path} HTTP/1.1".encode("latin-1")
    connection.endheaders()
    try:
        assert connection.getresponse().status < 500
    except http.client.RemoteDisconnected:
        pass
    finally:
        connection.close()
