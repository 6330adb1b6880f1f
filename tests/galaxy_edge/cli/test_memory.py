"""Too little memory is reported as such, without a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from galaxy_edge.cli.faults import memory_fault
from galaxy_edge.errors import ModelError
from tests.systems import linux

pytestmark = linux
COMMAND = [sys.executable, "-m", "galaxy_edge"]
UNMAPPED = "libopenblas.so: failed to map segment from shared object"


def raised(error: BaseException, cause: BaseException | None = None) -> BaseException:
    try:
        raise error from cause  # noqa: TRY301
    except BaseException as caught:  # noqa: BLE001 - with its cause
        return caught


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        ImportError(UNMAPPED),
        raised(ImportError("see the advice on the page\nOriginal error was: " + UNMAPPED)),
        raised(ImportError("numpy cannot be imported"), ImportError(UNMAPPED)),
        raised(ModelError("onnxruntime cannot load it"), Exception("std::bad_alloc")),
        OSError(12, "Cannot allocate memory"),
        RuntimeError("can't start new thread"),
        SystemError("error return without exception set"),
    ],
)
def test_a_lack_of_memory_is_recognised(error: BaseException):
    fault = memory_fault(error)
    assert fault is not None
    assert fault.startswith("not enough memory")
    assert "\n" not in fault


@pytest.mark.parametrize(
    "error",
    [
        ImportError("cannot import name"),
        ModelError("bad_alloc.onnx cannot be used"),
        raised(ModelError("it cannot be used"), FileNotFoundError(2, "No such file")),
    ],
)
def test_other_errors_are_not(error: BaseException):
    assert memory_fault(error) is None


@pytest.mark.parametrize("module", ["numpy", "onnxruntime", "typer"])
def test_a_library_that_does_not_fit_gives_no_traceback(tmp_path: Path, module: str):
    (tmp_path / f"{module}.py").write_text(f"raise ImportError({UNMAPPED!r})")
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [*COMMAND, "predict", "a.png"], env=os.environ | {"PYTHONPATH": path},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith("galaxy-edge: not enough memory (libopenblas.so: failed to map")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("kib", [40_000, 60_000])
def test_a_limit_of_the_shell_gives_no_traceback(kib: int):
    script = f'ulimit -v {kib}; exec "$@"'
    done = subprocess.run(
        ["bash", "-c", script, "-", *COMMAND, "predict", "a.png"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    # The system's loader or OpenBLAS may end the process, each with a code and a line of its own.
    assert done.returncode not in (0, 70)
    assert "Traceback" not in done.stderr
    assert "bug" not in done.stderr
