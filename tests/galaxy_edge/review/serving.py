"""Start `galaxy-edge review` for a test and talk to it as a page does."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit


@dataclass
class Served:
    """A running review."""

    address: str
    process: subprocess.Popen[str]

    @property
    def port(self) -> int:
        return int(urlsplit(self.address).port or 0)

    def ask(
        self, path: str, body: object = None, *, token: bool = True, **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        """Send a request; a body makes it a POST."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        start = urlsplit(self.address).path if token else "/"
        content = None if body is None else json.dumps(body)
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None:
            names = {"Content-Type": "application/json"} | names
        connection.request("GET" if body is None else "POST", start + path, content, names)
        answer = connection.getresponse()
        found = answer.status, dict(answer.getheaders()), answer.read()
        connection.close()
        return found

    def get(self, path: str, body: object = None) -> Any:
        status, _, content = self.ask(path, body)
        assert status == 200, content
        return json.loads(content)

    def label(self, *changes: tuple[int, str]) -> Any:
        return self.get("labels", {"changes": changes})


@contextmanager
def reviewing(
    *arguments: object, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> Iterator[Served]:
    """Run the command until the block ends."""
    words = [sys.executable, "-m", "galaxy_edge", "review", *map(str, arguments)]
    process = subprocess.Popen(
        words,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=cwd,
        env=os.environ | (env or {}),
    )
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        address = process.stdout.readline().strip()
        assert address.startswith("http://127.0.0.1:"), process.stderr.read()
        yield Served(address, process)
    finally:
        process.terminate()
        process.wait(timeout=20)
        process.stdout.close()
        process.stderr.close()
