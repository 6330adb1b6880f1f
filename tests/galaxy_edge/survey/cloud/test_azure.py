"""A survey from container to container of Azurite, Microsoft's emulator of Azure's storage.

npm install --prefix FOLDER azurite
AZURITE=FOLDER/node_modules/.bin/azurite-blob pytest tests/galaxy_edge/survey/cloud/test_azure.py
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from pathlib import Path

import pytest

from tests.galaxy_edge.survey.cloud.test_buckets import located
from tests.galaxy_edge.survey.sources import TABLES, in_order, rows_of, tables

pytest.importorskip("obstore", reason="the extra `cloud` is not installed")
Cli = Callable[..., tuple[int, str, str]]
#: The account of every Azurite.
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
VERSION = "2021-08-06"


def make_container(port: int, name: str) -> None:
    date = formatdate(usegmt=True)
    text = (
        "PUT" + "\n" * 12 + f"x-ms-date:{date}\nx-ms-version:{VERSION}\n"
        f"/{ACCOUNT}/{ACCOUNT}/{name}\nrestype:container"
    )
    code = hmac.new(base64.b64decode(KEY), text.encode(), hashlib.sha256).digest()
    headers = {
        "x-ms-date": date, "x-ms-version": VERSION, "Content-Length": "0",
        "Authorization": f"SharedKey {ACCOUNT}:{base64.b64encode(code).decode()}",
    }  # fmt: skip
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("PUT", f"/{ACCOUNT}/{name}?restype=container", headers=headers)
    assert connection.getresponse().status == 201
    connection.close()


@pytest.fixture
def azurite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The containers `night` and `verdicts`, empty."""
    program = os.environ.get("AZURITE") or shutil.which("azurite-blob")
    if program is None:
        pytest.skip("Azurite is not installed (npm install azurite)")
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    words = [
        program, "--silent", "--disableTelemetry", "--skipApiVersionCheck",
        "--location", tmp_path, "--blobPort", str(port),
    ]  # fmt: skip
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    end = time.monotonic() + 60
    while True:
        with socket.socket() as one:
            if one.connect_ex(("127.0.0.1", port)) == 0:
                break
        assert time.monotonic() < end
        assert process.poll() is None
        time.sleep(0.1)
    for name in ("night", "verdicts"):
        make_container(port, name)
    monkeypatch.setenv("AZURE_STORAGE_USE_EMULATOR", "true")
    monkeypatch.setenv("AZURITE_BLOB_STORAGE_URL", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", ACCOUNT)
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", KEY)
    yield
    process.terminate()
    process.wait(30)


def test_from_container_to_container(azurite: None, tmp_path: Path, model_file: Path, cli: Cli):
    from galaxy_edge.survey.cloud.bucket import Bucket

    folder = tables(tmp_path / "tables", 3, 4)
    night, verdicts = Bucket("az://night"), Bucket("az://verdicts")
    for path in folder.iterdir():
        assert night.create(f"tables/{path.name}", path.read_bytes())
    command = ["survey", "az://night/tables", *TABLES, "-m", model_file, "-o", "az://verdicts/v"]
    code, out, err = cli(*command)
    assert (code, "12 images: " in err) == (1, True), err
    assert "12 images: 12 of them earlier" in cli(*command)[2]
    assert KEY not in out + err
    kept = {key: verdicts.read(key) for key, _ in verdicts.sizes("v")}
    assert not any(KEY.encode() in content for content in kept.values())
    rows = []
    for key, content in kept.items():
        if key.endswith(".parquet"):
            (tmp_path / "one.parquet").write_bytes(content)
            rows += rows_of(tmp_path / "one.parquet")
    cli("predict", folder, *TABLES, "-m", model_file, "-q", "-o", tmp_path / "rows.parquet")
    expected = located(rows_of(tmp_path / "rows.parquet"), folder, "az://night/tables")
    assert in_order(rows) == expected
    assert not verdicts.create("v/survey.json", b"")
