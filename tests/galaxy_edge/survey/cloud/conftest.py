"""An S3 server on this machine (moto), and credentials for it in the environment."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from typing import Any

import pytest

from tests.galaxy_edge.survey.cloud.faults import FAULTS, Proxy

#: Must never be in a message, a row or a ledger.
SECRET = "wJalrXUtnFEMIsecretEXAMPLEKEY"  # noqa: S105 - an example
KEY = "AKIAexampleIDENTIFIER"
#: Moto reads the account from it, and checks no signature.
SIGNED = (
    f"AWS4-HMAC-SHA256 Credential={KEY}/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, "
    "Signature=none"
)


@pytest.fixture(scope="session")
def server() -> Iterator[int]:
    """The port of the server."""
    pytest.importorskip("obstore", reason="the extra `cloud` is not installed")
    moto = pytest.importorskip("moto.server", reason="moto[server] is not installed")
    found = moto.ThreadedMotoServer(port=0)
    found.start()
    yield found.get_host_and_port()[1]
    found.stop()


@pytest.fixture
def buckets(server: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Chooses the shares of faults, at first none; the buckets `night` and `verdicts` are empty."""
    from galaxy_edge.survey.cloud import bucket

    proxies: list[Proxy] = []
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_REGION", "us-east-1")

    def choose(shares: dict[str, float]) -> Proxy:
        proxies.append(Proxy(server, shares))
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxies[-1].url)
        bucket.bucket.cache_clear()
        return proxies[-1]

    for method, path in (("POST", "/moto-api/reset"), ("PUT", "/night"), ("PUT", "/verdicts")):
        connection = http.client.HTTPConnection("127.0.0.1", server, timeout=30)
        connection.request(method, path, headers={"Authorization": SIGNED})
        assert connection.getresponse().status == 200
        connection.close()
    choose({})
    yield choose
    bucket.bucket.cache_clear()
    for proxy in proxies:
        proxy.close()


@pytest.fixture
def faulty(buckets: Any) -> Any:
    """Begin to fail."""
    return lambda: buckets(FAULTS)
