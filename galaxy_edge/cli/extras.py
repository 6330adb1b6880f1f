"""What the commands that need an extra do before they import it."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from galaxy_edge.errors import UsageError

_BACKENDS = ("tensorflow", "jax", "torch")
_WITHOUT_KERAS = frozenset({"evaluate"})


@contextmanager
def importing(extra: str) -> Iterator[None]:
    """Import an extra quietly, and turn its absence into a message that names the remedy.

    Raises:
        UsageError: it is not installed, or KERAS_BACKEND asks for what is not there.
    """
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    if backend not in _BACKENDS and extra not in _WITHOUT_KERAS:
        raise UsageError(f"KERAS_BACKEND is {backend!r}; it can be {', '.join(_BACKENDS)}")
    try:
        with _hushed():
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
def _hushed() -> Iterator[None]:
    """Hold back what TensorFlow's C++ part writes to stderr while it is imported.

    It greets with a page on oneDNN and missing GPUs before any setting can reach it. Whoever sets
    TF_CPP_MIN_LOG_LEVEL sees everything; after a failed import everything is shown as well.
    """
    if "TF_CPP_MIN_LOG_LEVEL" in os.environ:
        yield
        return
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
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
