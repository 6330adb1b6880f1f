"""Run the server until a signal comes, and answer what was accepted."""

from __future__ import annotations

import asyncio
import gc
import ipaddress
import logging
import signal
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from galaxy_edge.engine.threads import threads as thread_limit
from galaxy_edge.errors import UsageError
from galaxy_edge.predictor import Predictor
from galaxy_edge.serve.application import application
from galaxy_edge.serve.connections import Server, protocol
from galaxy_edge.serve.limits import Limits
from galaxy_edge.serve.scoring import scoring
from galaxy_edge.serve.service import Service

#: Characters of a token; fewer could be guessed.
_SHORTEST = 16


@dataclass(frozen=True, slots=True)
class Place:
    """Where to listen, and who may ask.

    Attributes:
        host: address, or name of one.
        port: number; 0 for any that is free.
        token: what clients must know; None for no token.
        insecure: whether others than this machine may ask without a token.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    token: str | None = None
    insecure: bool = False


def read_token(path: Path) -> str:
    """Read the token that clients must know.

    Raises:
        UsageError: the file cannot be read, or holds no token that is long enough.
    """
    try:
        token = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--token-file {path} cannot be read: {error}") from error
    if len(token) < _SHORTEST or not (token.isascii() and token.isprintable()) or " " in token:
        raise UsageError(
            f"--token-file {path} must hold one token of at least {_SHORTEST} ASCII characters "
            f"without spaces; make one with: openssl rand -hex 32 > {path}"
        )
    return token


def listening(place: Place) -> socket.socket:
    """Open the address.

    Raises:
        UsageError: it cannot be listened on, or others could use it without a token.
    """
    try:
        found = socket.getaddrinfo(
            place.host, place.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except (OSError, UnicodeError, OverflowError) as error:
        raise UsageError(f"--host {place.host} is no address of this machine: {error}") from error
    family, _, kind, _, address = found[0]
    local = ipaddress.ip_address(str(address[0]).partition("%")[0]).is_loopback
    if not local and place.token is None and not place.insecure:
        raise UsageError(
            f"--host {place.host} can be reached from other machines; give --token-file, so that "
            "only clients with its token can use the server, or --insecure to let everyone"
        )
    # asyncio sets TCP_NODELAY only where it sees that this is TCP; without it, an answer would wait
    # 40 ms for the client's kernel.
    opened = socket.socket(family, socket.SOCK_STREAM, kind or socket.IPPROTO_TCP)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind(address)
        opened.listen(1024)
    except OSError as error:
        opened.close()
        raise UsageError(
            f"cannot listen on {place.host} port {place.port}: {error.strerror}; choose another "
            "--host or --port"
        ) from error
    return opened


def serve(
    predictor: Predictor,
    opened: socket.socket,
    place: Place,
    limits: Limits,
    *,
    threads: int | None,
    batch_size: int,
    note: Callable[[str], None],
    ready: Callable[[str], None],
) -> None:
    """Answer requests until SIGTERM or Ctrl-C, then answer those that were accepted.

    Args:
        predictor: gives the verdicts.
        opened: the address, from `listening`.
        place: where that is, and who may ask.
        limits: of requests.
        threads: maximum number of threads.
        batch_size: maximum number of images scored at once.
        note: called with a sentence for the user, about how an image was read.
        ready: called with the address as soon as requests are accepted.
    """
    name, port = opened.getsockname()[:2]
    local = ipaddress.ip_address(name.partition("%")[0]).is_loopback
    service = Service(predictor, limits)
    app = application(
        service,
        token=place.token,
        hosts=frozenset({place.host.lower()}) if local else None,
        decoders=thread_limit(threads).count,
    )
    config = uvicorn.Config(
        app,
        http=protocol(limits.timeout, limits.connections),
        loop="asyncio",
        ws="none",
        lifespan="off",
        log_config=None,
        # A client's fault is its own affair; a traceback goes to stderr.
        log_level=logging.ERROR,
        access_log=False,
        server_header=False,
        # Where they come from decides nothing here.
        proxy_headers=False,
        timeout_graceful_shutdown=int(3 * limits.timeout) + 1,
    )
    shown = f"[{name}]" if ":" in name else name
    server = Server(config, lambda: ready(f"http://{shown}:{port}/"))
    # Else every broken body or connection is a line on stderr, and clients could fill a disk, or
    # block the server on a pipe that nobody reads.
    for name in ("asyncio", "python_multipart"):
        logging.getLogger(name).setLevel(logging.ERROR)
    # The command line collects garbage rarely, for a short start. Here each failed request leaves
    # an exception in a cycle, with its body.
    gc.set_threshold(700, 10, 10)
    # In another thread, the one who started it ends it.
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, server.handle_exit)
    with scoring(
        service.line,
        predictor,
        service.metrics,
        threads=threads,
        batch_size=batch_size,
        note=note,
    ):
        asyncio.run(server.serve([opened]))
