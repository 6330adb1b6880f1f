"""Open a model file in threads: reading, loading and hashing it release the interpreter lock."""

from __future__ import annotations

import hashlib
import stat
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
    try:
        return _bundled() if path is None else _regular(path).read_bytes()
    except FileNotFoundError as error:
        raise ModelError("the file does not exist; check the path") from error
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ModelError(f"{reason}; check the path and its permissions") from error
    except ValueError as error:  # a NUL character
        raise ModelError(f"the path is not valid ({error})") from error


def _regular(path: Path) -> Path:
    """Refuse a pipe, which could block forever, and a device, which may have no end."""
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        raise ModelError("it is a folder; name an .onnx file")
    if not stat.S_ISREG(mode):
        raise ModelError("it is not a regular file; copy the model to one")
    return path


def _bundled() -> bytes:
    """The bundled model. In a zip file (zipapp) it is not a file, so Python's loader reads it."""
    path = Path(__file__).parents[1] / "models" / BUNDLED
    try:
        if path.exists():
            return path.read_bytes()
        import pkgutil  # noqa: PLC0415 - takes 1 ms, and few programs are zip files

        content = pkgutil.get_data("galaxy_edge", f"models/{BUNDLED}")
    except OSError as error:
        raise ModelError(
            f"this installation lacks the bundled model ({error.filename} cannot be read); "
            "install galaxy-edge again, or name another model file"
        ) from error
    assert content is not None  # noqa: S101 - every loader of a package can read its files
    return content
