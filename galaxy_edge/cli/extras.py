"""Import an extra for the commands that need one."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from galaxy_edge.errors import UsageError

_BACKENDS = ("tensorflow", "jax", "torch")
_WITHOUT_KERAS = frozenset({"evaluate", "ray", "schema", "serve"})


@contextmanager
def importing(extra: str) -> Iterator[None]:
    """Import an extra quietly; if it is missing, raise an error that says how to install it.

    Raises:
        UsageError: the extra is not installed, or KERAS_BACKEND names a backend that is unknown or
            not installed.
    """
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    if backend not in _BACKENDS and extra not in _WITHOUT_KERAS:
        raise UsageError(
            f"KERAS_BACKEND is {backend!r}, but it must be one of {', '.join(_BACKENDS)}"
        )
    try:
        with _quiet_stderr():
            yield
    except ModuleNotFoundError as error:
        if error.name == backend != "tensorflow":
            raise UsageError(
                f"KERAS_BACKEND is {backend!r}, which is not installed; install it, or leave "
                "KERAS_BACKEND unset to use TensorFlow"
            ) from error
        raise UsageError(
            f"this command needs {error.name}, which is not installed; install the extra "
            f"`{extra}`: pip install 'galaxy-edge[{extra}]'"
        ) from error


@contextmanager
def _quiet_stderr() -> Iterator[None]:
    """Hold back what the C++ part of TensorFlow writes to stderr while it is imported.

    It writes about oneDNN and missing GPUs before any setting can stop it, TF_CPP_MIN_LOG_LEVEL
    included. The output is shown if the import fails.
    """
    # For what it writes later. A user may ask for more.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    terminal = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(terminal, held.read())
            raise
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)
