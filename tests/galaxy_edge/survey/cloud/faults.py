"""A proxy before an S3 server that answers slowly, wrongly, in part, or not at all."""

from __future__ import annotations

import http.client
import random
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

#: Each fault with its share of the requests.
FAULTS = {
    "slow": 0.05, "500": 0.08, "503": 0.05, "truncated": 0.08, "lost": 0.05, "answer lost": 0.05,
}  # fmt: skip
#: Seconds.
SLOW = 0.05


class Proxy:
    """Forwards requests to a server, with faults.

    Args:
        port: of the server.
        shares: of each fault.

    Attributes:
        url: of the proxy.
        seen: number of requests by what happened to them.
        ranges: the ranges that were requested.
        signers: identifiers of the keys that signed requests.
    """

    def __init__(self, port: int, shares: dict[str, float]) -> None:
        self.seen: Counter[str] = Counter()
        self.ranges: list[str] = []
        self.signers: set[str] = set()
        chance = random.Random(1)  # noqa: S311 - the same faults in each run
        lock = threading.Lock()

        def fault() -> str:
            with lock:
                found = chance.choices(
                    [*shares, "none"], [*shares.values(), 1 - sum(shares.values())]
                )
                self.seen[found[0]] += 1
                return found[0]

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            proxy = self

            def forward(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if "Range" in self.headers:
                    self.proxy.ranges.append(self.headers["Range"])
                signed = self.headers.get("Authorization", "").partition("Credential=")[2]
                self.proxy.signers.add(signed.partition("/")[0])
                kind = fault()
                if kind == "lost":
                    self.close_connection = True
                    return
                if kind in ("500", "503"):
                    self.send_response(int(kind))
                    if kind == "503":
                        self.send_header("Retry-After", "1")
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                if kind == "slow":
                    time.sleep(SLOW)
                server = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
                server.request(self.command, self.path, body, dict(self.headers))
                answer = server.getresponse()
                content = answer.read()
                server.close()
                if kind == "answer lost":
                    self.close_connection = True
                    return
                self.send_response(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in ("transfer-encoding", "connection", "date", "server"):
                        self.send_header(name, value)
                if "content-length" not in {name.lower() for name, _ in answer.getheaders()}:
                    self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                if self.command == "HEAD":
                    return
                if kind == "truncated" and content:
                    self.wfile.write(content[: len(content) // 2])
                    self.close_connection = True
                    return
                self.wfile.write(content)

            do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = forward  # noqa: N815

            def log_message(self, *_: Any) -> None:
                """Print nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
