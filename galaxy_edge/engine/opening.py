"""A model file on its way into memory, in threads: reading, loading and summing need no Python."""

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
    """What is opened, and how.

    Attributes:
        path: the model file; None for the bundled one.
        device: ``auto`` or a device name.
        threads: at most so many for one inference.
    """

    path: Path | None
    device: str
    threads: int | None


#: Begun before anyone asked: the command line knows what it will need before it has been parsed.
_ahead: dict[Opening, Future[tuple[Session, str]]] = {}


def begin_ahead(opening: Opening) -> None:
    """Begin what will be asked for soon, for the first who asks; an earlier guess is dropped."""
    _ahead.clear()
    _ahead[opening] = begin(opening)


def begin(opening: Opening) -> Future[tuple[Session, str]]:
    """Open a model in the background.

    Returns:
        The session and the SHA-256 of the file; or a ModelError, DeviceError or UsageError.
    """
    begun = _ahead.pop(opening, None)
    if begun is not None:
        return begun
    pool = ThreadPoolExecutor(3)
    content = pool.submit(_read, opening.path)
    loading = pool.submit(
        lambda: Session(content.result(), device=opening.device, threads=opening.threads)
    )
    summing = pool.submit(lambda: hashlib.sha256(content.result()).hexdigest())
    done = pool.submit(lambda: (loading.result(), summing.result()))
    pool.shutdown(wait=False)
    return done


def _read(path: Path | None) -> bytes:
    if path is None:
        return Path(__file__).parents[1].joinpath("models", BUNDLED).read_bytes()
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"it cannot be read: {error.strerror or error}") from error
