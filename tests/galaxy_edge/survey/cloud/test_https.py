"""A container at https://, from a server on this machine that has a certificate."""

from __future__ import annotations

import datetime as dt
import ssl
import tarfile
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.galaxy_edge.survey.cloud.test_buckets import located
from tests.galaxy_edge.survey.sources import files, rows_in, rows_of

pytest.importorskip("obstore", reason="the extra `cloud` is not installed")
Cli = Callable[..., tuple[int, str, str]]


def certify(folder: Path) -> tuple[Path, Path]:
    """Write a certificate for localhost, and its key."""
    x509 = pytest.importorskip("cryptography.x509", reason="cryptography is not installed")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now, day = dt.datetime.now(dt.UTC), dt.timedelta(days=1)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name)
    builder = builder.public_key(key.public_key()).serial_number(1)
    builder = builder.not_valid_before(now - day).not_valid_after(now + day)
    builder = builder.add_extension(
        x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False
    )
    certificate = builder.sign(key, hashes.SHA256())
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return folder / "certificate.pem", folder / "key.pem"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    folder: Path
    ranges: list[str]

    def do_GET(self) -> None:
        path = self.folder / self.path.lstrip("/")
        if not path.is_file():
            self.send_response(404)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        whole = path.read_bytes()
        start, end = 0, len(whole)
        if wanted := self.headers.get("Range"):
            self.ranges.append(wanted)
            first, last = wanted.removeprefix("bytes=").split("-")
            start, end = int(first), int(last) + 1
        self.send_response(206 if wanted else 200)
        self.send_header("ETag", '"1"')
        self.send_header("Last-Modified", "Thu, 26 Nov 2026 11:00:00 GMT")
        if wanted:
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(whole)}")
        self.send_header("Content-Length", str(end - start))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(whole[start:end])

    do_HEAD = do_GET  # noqa: N815

    def log_message(self, *_: Any) -> None:
        """Print nothing."""


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of a folder, `tmp_path / "site"`."""
    from galaxy_edge.survey.cloud import bucket

    (tmp_path / "site").mkdir()
    Handler.folder, Handler.ranges = tmp_path / "site", []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate, key = certify(tmp_path)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    bucket.bucket.cache_clear()
    yield f"https://localhost:{server.server_port}"
    bucket.bucket.cache_clear()
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_container_at_https(tmp_path: Path, url: str, model_file: Path, cli: Cli):
    folder = files(tmp_path / "images", 6)
    with tarfile.open(tmp_path / "site" / "shard.tar", "w") as archive:
        archive.add(folder, "x")
    options = ["-m", model_file, "-q", "-o"]
    assert cli("survey", f"{url}/shard.tar", *options, tmp_path / "verdicts")[0] == 1
    assert Handler.ranges
    cli("predict", tmp_path / "site" / "shard.tar", *options, tmp_path / "rows.parquet")
    expected = located(rows_of(tmp_path / "rows.parquet"), tmp_path / "site", url)
    assert rows_in(tmp_path / "verdicts") == expected


def test_what_https_has_not(tmp_path: Path, url: str, model_file: Path, cli: Cli):
    options = ["-m", model_file, "-q", "-o", tmp_path / "verdicts"]
    code, _, err = cli("survey", f"{url}/no.tar", *options)
    assert (code, "no.tar cannot be read: No such file" in err) == (2, True), err
    code, _, err = cli("survey", f"{url}/folder/", *options)
    assert (code, "has no folders and no patterns; name one container" in err) == (2, True), err
