"""Open a model file in threads: reading, loading and hashing it release the interpreter lock."""

from __future__ import annotations

import hashlib
import os
import stat
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from galaxy_edge.engine.session import Session
from galaxy_edge.errors import ModelError

#: The bundled models; each has the name of its file.
MODELS = Path(__file__).parents[1] / "models"
DEFAULT, DOCUMENTED = "galaxy-edge", "documented"


@dataclass(frozen=True, slots=True)
class Opening:
    """Which model to open, and how.

    Attributes:
        path: the model file, from `located`.
        device: ``auto`` or a device name.
        threads: maximum number of threads for one inference; None for the default.
        batch_size: the number of images in most batches, by which ``auto`` chooses.
    """

    path: Path
    device: str
    threads: int | None
    batch_size: int = 32


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
    content = pool.submit(read, opening.path)
    loading = pool.submit(
        lambda: Session(
            content.result(),
            device=opening.device,
            threads=opening.threads,
            batch_size=opening.batch_size,
        )
    )
    hashing = pool.submit(lambda: hashlib.sha256(content.result()).hexdigest())
    done = pool.submit(lambda: (loading.result(), hashing.result()))
    pool.shutdown(wait=False)
    return done


def located(model: str | os.PathLike[str] | None) -> Path:
    """The absolute path of a model file.

    Args:
        model: its path. None is the default bundled model, ``documented`` the other one unless a
            file has that name.
    """
    if model is None:
        return MODELS / f"{DEFAULT}.onnx"
    path = Path(model)
    if str(path) == DOCUMENTED and not path.exists():
        return MODELS / f"{DOCUMENTED}.onnx"
    return path.absolute()


def portable(path: Path) -> Path | str | None:
    """What gives the same model to `located` in a process with another folder, for a pickle."""
    if path.parent != MODELS:
        return path
    return None if path.stem == DEFAULT else path.stem


def read(path: Path) -> bytes:
    """The content of a model file.

    Raises:
        ModelError: there is no such file, or it cannot be read.
    """
    try:
        return _bundled(path) if path.parent == MODELS else _regular(path).read_bytes()
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


def _bundled(path: Path) -> bytes:
    """A bundled model. In a zip file (zipapp) it is not a file, so Python's loader reads it."""
    try:
        if path.exists():
            return _regular(path).read_bytes()
        import pkgutil  # noqa: PLC0415 - takes 1 ms, and few programs are zip files

        content = pkgutil.get_data("galaxy_edge", f"models/{path.name}")
    except OSError as error:
        raise ModelError(
            f"this installation lacks the bundled model ({error.filename} cannot be read); "
            "install galaxy-edge again, or name another model file"
        ) from error
    assert content is not None  # noqa: S101 - every loader of a package can read its files
    return content
