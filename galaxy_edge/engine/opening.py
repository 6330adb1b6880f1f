"""Open a model file in threads: reading, loading and hashing it release the interpreter lock."""

from __future__ import annotations

import hashlib
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from galaxy_edge.engine.session import Session
from galaxy_edge.errors import ModelError

BUNDLED = "galaxy-edge.onnx"


@dataclass(frozen=True, slots=True)
class Opening:
    """Which model to open, and how.

    Attributes:
        path: the model file; None for the bundled one.
        device: ``auto`` or a device name.
        threads: maximum number of threads for one inference; None for the default.
    """

    path: Path | None
    device: str
    threads: int | None


#: Models that are being opened before a predictor requests them (`galaxy_edge.cli.preload`).
_ahead: dict[Opening, Future[tuple[Session, str]]] = {}


def begin_ahead(opening: Opening) -> None:
    """Start to open a model that will probably be requested soon; forget an earlier guess."""
    _ahead.clear()
    _ahead[opening] = begin(opening)


def begin(opening: Opening) -> Future[tuple[Session, str]]:
    """Open a model in the background.

    Returns:
        A future. It gives the session and the SHA-256 of the file, or raises ModelError,
        DeviceError or UsageError.
    """
    begun = _ahead.pop(opening, None)
    if begun is not None:
        return begun
    pool = ThreadPoolExecutor(3)
    content = pool.submit(_read, opening.path)
    loading = pool.submit(
        lambda: Session(content.result(), device=opening.device, threads=opening.threads)
    )
    hashing = pool.submit(lambda: hashlib.sha256(content.result()).hexdigest())
    done = pool.submit(lambda: (loading.result(), hashing.result()))
    pool.shutdown(wait=False)
    return done


def _read(path: Path | None) -> bytes:
    path = path or Path(__file__).parents[1].joinpath("models", BUNDLED)
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(
            f"it cannot be read ({error.strerror or error}); check the path"
        ) from error
